//! The result of a run: tables for people, one document for scripts.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};
use stagehost_batch::{Asset, Batch};

use crate::console::units::seconds;
use crate::exit::Exit;

/// How long a state took.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The state.
    pub state: String,
    /// From entering to leaving it.
    pub duration: Duration,
}

/// All that is known of a finished run.
pub struct Report<'a> {
    /// The body that the backend received; `None` if it received none.
    pub callback: Option<&'a Value>,
    /// The batch as the last state left it.
    pub batch: Option<&'a Batch>,
    /// In the order in which the states were left.
    pub timings: &'a [Timing],
    /// `SUCCEEDED` or `FAILED`, of the execution.
    pub execution_status: &'a str,
    /// Why the execution failed.
    pub error: Option<&'a str>,
    /// The bucket as a folder.
    pub bucket: &'a Path,
}

impl Report<'_> {
    /// `SUCCEEDED`, `PARTIAL_SUCCESS`, …
    pub fn status(&self) -> &str {
        let told = self.callback.and_then(|body| body.get("status")).and_then(Value::as_str);
        told.unwrap_or(self.execution_status)
    }

    /// The exit code that says the same.
    pub fn exit(&self) -> Exit {
        match (self.status(), self.callback) {
            ("SUCCEEDED", Some(_)) => Exit::Success,
            ("PARTIAL_SUCCESS", Some(_)) => Exit::Partial,
            _ => Exit::Failure,
        }
    }

    /// The callback body, with the timings beside its fields.
    pub fn json(&self) -> Value {
        let mut document = self.callback.and_then(Value::as_object).cloned().unwrap_or_else(|| {
            let mut none = Map::new();
            none.insert("status".into(), json!(self.execution_status));
            none.insert("failureReason".into(), json!(self.error));
            none
        });
        let timings: Vec<_> = self
            .timings
            .iter()
            .map(|timing| json!({"state": timing.state, "durationMs": timing.duration.as_millis() as u64}))
            .collect();
        document.insert("timings".into(), json!(timings));
        Value::Object(document)
    }

    /// Tables.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(batch) = self.batch {
            let _ = writeln!(text, "{}\n", assets(batch));
            if !batch.bundles.is_empty() {
                let _ = writeln!(text, "{}\n", bundles(batch));
            }
            let _ = writeln!(text, "{}", sums(batch));
            for problem in &batch.problems {
                let _ = writeln!(text, "{} failed: {}: {}", problem.state, problem.code, problem.message);
            }
        }
        let timings: Vec<_> = self.timings.iter().map(|t| format!("{} {}", t.state, seconds(t.duration))).collect();
        let _ = writeln!(text, "Time: {}", timings.join(" · "));
        let _ = writeln!(text, "Files: {}", self.bucket.display());
        let told = if self.callback.is_some() { "the backend was told" } else { "the backend was NOT told" };
        let _ = write!(text, "{} ({told})", self.status());
        if let Some(error) = self.error.filter(|_| self.exit() == Exit::Failure) {
            let _ = write!(text, "\n{error}");
        }
        text
    }
}

fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings);
    table
}

fn assets(batch: &Batch) -> Table {
    let mut table = table(&["File", "Type", "Size", "Pixels", "Result"]);
    for asset in &batch.assets {
        table.add_row(vec![
            Cell::new(asset.key.rsplit('/').next().unwrap_or(&asset.key)),
            Cell::new(asset.content_type.as_deref().unwrap_or("?")),
            Cell::new(asset.bytes.map_or_else(|| "?".into(), size)).set_alignment(CellAlignment::Right),
            Cell::new(asset.pixels.map_or_else(String::new, |p| format!("{}×{}", p.width, p.height))),
            Cell::new(result(asset)),
        ]);
    }
    table
}

fn result(asset: &Asset) -> String {
    if let Some(problem) = &asset.problem {
        return format!("✗ {}: {}", problem.code, problem.message);
    }
    let reused = asset.renditions.iter().filter(|rendition| rendition.reused).count();
    let names: Vec<_> = asset.renditions.iter().map(|rendition| rendition.name.as_str()).collect();
    match (names.is_empty(), reused == names.len()) {
        (true, _) => "✓".into(),
        (false, true) => format!("✓ {} (up to date)", names.join(", ")),
        (false, false) => format!("✓ {}", names.join(", ")),
    }
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

/// What was done anew and what was there already.
fn sums(batch: &Batch) -> String {
    let renditions = batch.assets.iter().flat_map(|asset| &asset.renditions);
    let (reused, made): (Vec<_>, Vec<_>) = renditions.partition(|rendition| rendition.reused);
    let (kept, composed): (Vec<_>, Vec<_>) = batch.bundles.iter().partition(|bundle| bundle.reused);
    let failed = batch.assets.iter().filter(|asset| asset.problem.is_some()).count();
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
