//! The result of a run: tables for people, one JSON document for scripts.

use std::fmt::Write as _;
use std::path::Path;

use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Map, Value, json};
use stagehost_batch::{Asset, Batch, MediaType, Problem};

use super::last_output::{LastOutput, last_outputs};
use super::timing::Timing;
use crate::exit::Exit;
use crate::output::table::{self, table};
use crate::output::terminal;
use crate::output::units::seconds;
use crate::output::untrusted::harmless;

/// A finished run.
pub struct Report<'a> {
    /// The body that the backend received, if it received one.
    pub callback: Option<&'a Value>,
    /// The batch as the last state left it.
    pub batch: Option<&'a Batch>,
    /// In the order in which the states ended.
    pub timings: &'a [Timing],
    /// `SUCCEEDED` or `FAILED`, of the execution.
    pub execution_status: &'a str,
    /// Why the execution failed.
    pub error: Option<&'a str>,
    /// The bucket as a folder.
    pub bucket: &'a Path,
    /// What stages printed in the calls that failed.
    pub outputs: &'a [LastOutput],
}

impl Report<'_> {
    /// Returns `SUCCEEDED`, `PARTIAL_SUCCESS`, …
    pub fn status(&self) -> &str {
        let delivered = self.callback.and_then(|body| body.get("status")).and_then(Value::as_str);
        delivered.unwrap_or(self.execution_status)
    }

    /// Returns the exit code for the status. Without a callback it is a failure: the backend does not know the result.
    pub fn exit(&self) -> Exit {
        match (self.status(), self.callback) {
            ("SUCCEEDED", Some(_)) => Exit::Success,
            ("PARTIAL_SUCCESS", Some(_)) => Exit::Partial,
            _ => Exit::Failure,
        }
    }

    /// Returns the callback's body, with `delivered` and `timings` beside its fields.
    pub fn json(&self) -> Value {
        let mut document = self.callback.and_then(Value::as_object).cloned().unwrap_or_else(|| {
            let mut fields = Map::new();
            fields.insert("status".into(), json!(self.execution_status));
            fields.insert("failureReason".into(), json!(self.error));
            fields
        });
        document.insert("delivered".into(), json!(self.callback.is_some()));
        let timings: Vec<_> = self
            .timings
            .iter()
            .map(|timing| json!({"state": timing.state, "durationMs": timing.duration.as_millis() as u64}))
            .collect();
        document.insert("timings".into(), json!(timings));
        Value::Object(document)
    }

    /// Returns the tables and sums.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(batch) = self.batch {
            let _ = writeln!(text, "{}\n", table::text(assets(batch)));
            if !batch.bundles.is_empty() {
                let _ = writeln!(text, "{}\n", table::text(bundles(batch)));
            }
            let _ = writeln!(text, "{}", sums(batch));
            for problem in &batch.problems {
                let _ = writeln!(text, "{} failed: {}: {}", problem.state, problem.code, harmless(&problem.message));
            }
        }
        text.push_str(&last_outputs(self.outputs));
        text.push_str(&self.ending());
        text
    }

    /// Returns the last lines: the times of the states, where the files are, how it ended.
    pub fn ending(&self) -> String {
        let mut text = String::new();
        let timings: Vec<_> = self.timings.iter().map(|t| format!("{} {}", t.state, seconds(t.duration))).collect();
        let _ = writeln!(text, "Time: {}", timings.join(" · "));
        let _ = writeln!(text, "Files: {}", self.bucket.display());
        let callback = if self.callback.is_some() { "the backend was told" } else { "the backend was NOT told" };
        let _ = write!(text, "{} ({callback})", self.status());
        if let Some(error) = self.error.filter(|_| self.exit() == Exit::Failure) {
            let _ = write!(text, "\n{error}");
        }
        text
    }
}

fn assets(batch: &Batch) -> Table {
    let narrow = terminal::is_narrow();
    let headings: &[&str] =
        if narrow { &["File", "Size", "Result"] } else { &["File", "Type", "Size", "Pixels", "Result"] };
    let mut table = table(headings);
    for asset in &batch.assets {
        let bytes = Cell::new(asset.bytes.map_or_else(|| "?".into(), size)).set_alignment(CellAlignment::Right);
        let mut row = vec![Cell::new(asset.key.rsplit('/').next().unwrap_or(&asset.key)), bytes];
        if !narrow {
            row.insert(1, Cell::new(asset.content_type.as_deref().unwrap_or("?")));
            row.push(Cell::new(asset.pixels.map_or_else(String::new, |p| format!("{}×{}", p.width, p.height))));
        }
        row.push(Cell::new(result(asset, &batch.problems)));
        table.add_row(row);
    }
    table
}

fn result(asset: &Asset, problems: &[Problem]) -> String {
    if let Some(problem) = &asset.problem {
        return format!("✗ {}: {}", problem.code, harmless(&problem.message));
    }
    if let Some(problem) = not_made(asset, problems) {
        return format!("✗ nothing was made of it: {} failed", problem.state);
    }
    let reused = asset.renditions.iter().filter(|rendition| rendition.reused).count();
    let names: Vec<_> = asset.renditions.iter().map(|rendition| rendition.name.as_str()).collect();
    match (names.is_empty(), reused == names.len()) {
        (true, _) => "✓".into(),
        (false, true) => format!("✓ {} (up to date)", names.join(", ")),
        (false, false) => format!("✓ {}", names.join(", ")),
    }
}

/// Returns the failure of a state because of which nothing was made of a photo or a video. The file itself has no problem.
fn not_made<'a>(asset: &Asset, problems: &'a [Problem]) -> Option<&'a Problem> {
    // Nothing is made of a document in any case.
    problems.first().filter(|_| asset.renditions.is_empty() && asset.media_type != MediaType::ProjectDoc)
}

fn bundles(batch: &Batch) -> Table {
    let mut table = table(&["Bundle", "Entries", "Size", "Key"]);
    for bundle in &batch.bundles {
        let name = if bundle.reused { format!("{} (up to date)", bundle.name) } else { bundle.name.clone() };
        table.add_row(vec![
            Cell::new(name),
            Cell::new(bundle.entries).set_alignment(CellAlignment::Right),
            Cell::new(size(bundle.bytes)).set_alignment(CellAlignment::Right),
            Cell::new(&bundle.key),
        ]);
    }
    table
}

/// Returns how many results were made and how many were up to date.
fn sums(batch: &Batch) -> String {
    let renditions = batch.assets.iter().flat_map(|asset| &asset.renditions);
    let (reused, made): (Vec<_>, Vec<_>) = renditions.partition(|rendition| rendition.reused);
    let (kept, composed): (Vec<_>, Vec<_>) = batch.bundles.iter().partition(|bundle| bundle.reused);
    let failed = batch.assets.iter().filter(|a| a.problem.is_some() || not_made(a, &batch.problems).is_some());
    let failed = failed.count();
    format!(
        "{} files, {failed} failed; renditions: {} made, {} up to date; bundles: {} made, {} up to date",
        batch.assets.len(),
        made.len(),
        reused.len(),
        composed.len(),
        kept.len(),
    )
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use stagehost_batch::{Id, Listing, ListingField};

    use super::*;

    #[test]
    fn a_video_of_which_nothing_was_made_has_failed_although_it_has_no_problem_itself() {
        let mut batch = Batch::new(Listing { id: Id::Number(1), field: ListingField::ListingId });
        batch.assets = vec![
            Asset::new("1/raw/video/vertical/2026-01-01/walk.mp4", MediaType::VideoVertical),
            Asset::new("1/raw/project/doc/2026-01-01/plan.pdf", MediaType::ProjectDoc),
        ];
        let results = |batch: &Batch| -> Vec<String> {
            batch.assets.iter().map(|asset| result(asset, &batch.problems)).collect()
        };
        assert_eq!(results(&batch), ["✓", "✓"]);
        assert!(sums(&batch).starts_with("2 files, 0 failed"), "{}", sums(&batch));

        let (state, code) = ("ProcessVideos".to_owned(), "States.Timeout".to_owned());
        batch.problems.push(Problem { state, code, message: String::new() });
        assert_eq!(results(&batch), ["✗ nothing was made of it: ProcessVideos failed", "✓"]);
        assert!(sums(&batch).starts_with("2 files, 1 failed"), "{}", sums(&batch));
    }
}
