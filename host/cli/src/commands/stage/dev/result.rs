//! What one run did, for the stage's author.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use stagehost_batch::{Batch, Rendition};
use stagehost_testing::Effect;

use crate::authoring::observed::TriedCall;
use crate::authoring::trial::Tried;
use crate::output::printer::Printer;
use crate::output::units::{kib, mib};
use crate::output::untrusted::harmless;

/// Prints what a trial did and writes what it stored below `out`. Returns whether it succeeded.
///
/// # Errors
/// If something cannot be written.
pub fn show(before: &Batch, tried: &Tried, effects: &[Effect], out: &Path, printer: &Printer) -> Result<bool> {
    show_calls(&tried.calls, printer);
    let succeeded = match &tried.outcome {
        Ok(outcome) => {
            show_changes(before, &outcome.batch, out, printer);
            if let Some(note) = &outcome.note {
                printer.line(format_args!("note: {}", harmless(note)));
            }
            outcome.batch.assets.iter().all(|asset| asset.problem.is_none())
        }
        Err(failure) => {
            printer.line(format_args!("✗ the state failed: {}", harmless(&failure.to_string())));
            false
        }
    };
    for effect in effects {
        match effect {
            Effect::Stored { key, bytes, .. } => write(out, key, bytes)?,
            Effect::Deleted { key } => printer.line(format_args!("deleted {}", name_of(key))),
            Effect::Tagged { key, name, value } => {
                printer.line(format_args!("tag {name}={value} on {}", name_of(key)));
            }
            Effect::Submitted(job) => printer.line(format_args!("job for {}", name_of(&job.source_key))),
            Effect::Delivered(body) => printer.line(format_args!("callback of {} bytes", body.len())),
            Effect::Called { method, url, .. } => {
                printer.line(harmless(&format!("{method} {url} (nobody answers here)")));
            }
        }
    }
    Ok(succeeded)
}

/// Prints what the calls of a stage wrote for people, and what each took.
pub fn show_calls(calls: &[TriedCall], printer: &Printer) {
    for call in calls {
        for line in call.printed.lines() {
            printer.line(format_args!("  | {}", harmless(line)));
        }
        let report = &call.report;
        printer.line(format_args!(
            "{}: {:.1} ms, {} of memory, {} read, {} written",
            call.key.as_deref().map_or("the batch", name_of),
            report.duration.as_secs_f64() * 1e3,
            mib(report.memory_peak as u64),
            kib(report.bytes_read),
            kib(report.bytes_written),
        ));
    }
}

/// Prints what a state added to a batch: files with their places below `out`, facts, and failures.
pub fn show_changes(before: &Batch, after: &Batch, out: &Path, printer: &Printer) {
    for asset in &after.assets {
        let known = before.asset(&asset.key);
        let renditions = known.map(|asset| asset.renditions.as_slice()).unwrap_or_default();
        for rendition in asset.renditions.iter().filter(|one| !renditions.contains(one)) {
            printer.line(made(rendition, out));
        }
        for (name, value) in &asset.attributes {
            if known.and_then(|known| known.attributes.get(name)) != Some(value) {
                printer.line(format_args!("{}: {name} is {}", name_of(&asset.key), harmless(value)));
            }
        }
        if let Some(problem) = asset.problem.as_ref().filter(|_| known.is_none_or(|known| known.problem.is_none())) {
            let (code, message) = (&problem.code, harmless(&problem.message));
            printer.line(format_args!("✗ {}: {code}: {message}", name_of(&asset.key)));
        }
    }
    for file in after.files.iter().filter(|file| !before.files.contains(file)) {
        printer.line(made(file, out));
    }
    for (name, value) in after.attributes.iter().filter(|(name, value)| before.attributes.get(*name) != Some(*value)) {
        printer.line(format_args!("the batch: {name} is {}", harmless(value)));
    }
}

fn made(rendition: &Rendition, out: &Path) -> String {
    let Rendition { name, key, pixels, bytes, reused, .. } = rendition;
    let pixels = pixels.map(|pixels| format!("{}×{}, ", pixels.width, pixels.height)).unwrap_or_default();
    let place = place_of(out, key).map_or_else(|| harmless(key), |place| place.display().to_string());
    let text = format!("{} ({pixels}{bytes} bytes): {place}", harmless(name));
    if *reused {
        format!("= {text}\n    not made again: its fingerprint is unchanged; --fresh makes it anew")
    } else {
        format!("✓ {text}")
    }
}

fn write(out: &Path, key: &str, bytes: &[u8]) -> Result<()> {
    let place = place_of(out, key).with_context(|| format!("the key {key:?} is not a path below {}", out.display()))?;
    let folder = place.parent().unwrap_or(out);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(&place, bytes).with_context(|| format!("cannot write {}", place.display()))
}

/// Returns the file of a key; `None` if the key would lead out of the folder.
fn place_of(out: &Path, key: &str) -> Option<PathBuf> {
    let plain = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !key.is_empty()).then(|| out.join(key))
}

fn name_of(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let out = Path::new("out/dev");
        assert_eq!(place_of(out, "1/thumb/a.jpg"), Some("out/dev/1/thumb/a.jpg".into()));
        for bad in ["", "/etc/passwd", "1/../../x", "./x"] {
            assert_eq!(place_of(out, bad), None, "{bad}");
        }
    }

    #[test]
    fn what_was_not_made_again_says_how_to_make_it() {
        let rendition = Rendition {
            name: "note".into(),
            key: "1/thumb/a.txt".into(),
            content_type: "text/plain".into(),
            pixels: None,
            bytes: 3,
            etag: "e".into(),
            crc32: None,
            reused: true,
        };
        assert!(made(&rendition, Path::new("out")).contains("--fresh"));
    }
}
