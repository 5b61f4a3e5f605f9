//! `stagehost pins shadow-report`: how a state's shadow versions compare with the pinned one.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_aws::storage_from_env;
use stagehost_record::{CandidateSummary, Ratio, SHADOW_PREFIX, read_reports, summarize};
use stagehost_storage::{Location, Storage};

use crate::exit::{Exit, usage};
use crate::output::printer::Printer;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:

  stagehost pins shadow-report GenerateThumbnails \\
    --bucket s3://toq-listing-medias
  stagehost pins shadow-report GenerateThumbnails --json")]
pub struct ShadowReportArgs {
    /// The state
    #[arg(value_name = "STATE")]
    state: String,

    /// The media bucket, s3://bucket, or a copy of it in a folder [default: the bucket of --pins]
    #[arg(long, value_name = "PLACE")]
    bucket: Option<Location>,

    /// The pins: s3://bucket/prefix
    #[arg(long, value_name = "PLACE", env = "STAGEHOST_PINS", hide_env_values = true)]
    pins: Option<Location>,

    /// Only the versions whose digest begins like this
    #[arg(long, value_name = "DIGEST")]
    candidate: Option<String>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If there is no report, or the bucket cannot be read.
pub async fn shadow_report(args: ShadowReportArgs, printer: &Printer) -> Result<Exit> {
    let bucket = match (&args.bucket, &args.pins) {
        (Some(bucket), _) => bucket.clone(),
        (None, Some(Location::Bucket { bucket, .. })) => {
            Location::Bucket { bucket: bucket.clone(), prefix: String::new() }
        }
        (None, _) => {
            return Err(usage!("no bucket is named; use --bucket s3://NAME, or set STAGEHOST_PINS"));
        }
    };
    let storage = &storage_from_env(&bucket).await;
    report(&args, storage, printer).await
}

async fn report(args: &ShadowReportArgs, storage: &Arc<dyn Storage>, printer: &Printer) -> Result<Exit> {
    let (reports, unreadable) = read_reports(storage, &args.state, args.candidate.as_deref()).await?;
    for problem in &unreadable {
        printer.problem(format_args!("not counted: {problem}"));
    }
    let summaries = summarize(reports);
    if summaries.is_empty() {
        return Err(usage!(
            "there are no reports of shadow versions of {} at {}",
            args.state,
            storage.place(&format!("{SHADOW_PREFIX}/{}/", args.state))
        ));
    }
    if args.json {
        printer.document(&json!({"state": args.state, "candidates": summaries, "unreadable": unreadable}));
    } else {
        let texts: Vec<_> = summaries.iter().map(|summary| text(&args.state, summary)).collect();
        printer.line(texts.join("\n\n"));
    }
    Ok(Exit::Success)
}

/// Returns a summary for people.
fn text(state: &str, summary: &CandidateSummary) -> String {
    let mut text =
        format!("{state}: {} {} ({})\n", summary.candidate.name, summary.candidate.version, summary.candidate.digest);
    let against: Vec<_> = summary.primaries.values().map(String::as_str).collect();
    let percent = |part: u64| if summary.calls == 0 { 0.0 } else { 100.0 * part as f64 / summary.calls as f64 };
    let ratio = |ratio: Option<Ratio>| {
        ratio.map_or("–".to_owned(), |Ratio { p50, p95 }| format!("{p50:.2}× (p50), {p95:.2}× (p95)"))
    };
    let counted =
        |counts: Vec<String>| if counts.is_empty() { String::new() } else { format!("  ({})", counts.join(", ")) };
    let kinds = summary.different_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let cases = summary.failed_by_case.iter().map(|(case, count)| format!("{case} {count}")).collect();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "  compared with   {}\n  \
           calls           {} in {} executions, the last at {}\n  \
           the same        {} ({:.1} %)\n  \
           different       {} ({:.1} %){}\n  \
           failed          {} ({:.1} %){}\n  \
           cut off         {}, not begun {}\n  \
           time            {}\n  \
           memory          {}",
        against.join(", "),
        summary.calls,
        summary.reports,
        summary.last,
        summary.same,
        percent(summary.same),
        summary.different,
        percent(summary.different),
        counted(kinds),
        summary.failed,
        percent(summary.failed),
        counted(cases),
        summary.cut_off,
        summary.not_run,
        ratio(summary.duration_ratio),
        ratio(summary.memory_ratio),
    );
    for example in &summary.examples {
        let _ = write!(text, "\n  e.g. {} in {}", example.subject, example.execution);
        for line in example.difference.lines() {
            let _ = write!(text, "\n       {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_summary_counts_the_calls_that_differ_and_names_the_difference() {
        let call = |verdict: &str, differences: serde_json::Value| {
            let took = |ms: f64| json!({"durationMs": ms, "memoryPeak": 1 << 20, "bytesRead": 1, "bytesWritten": 1});
            json!({
                "subject": "51/raw/a.jpg", "verdict": verdict, "differences": differences,
                "primary": took(10.0), "candidate": took(20.0),
            })
        };
        let stage = |version: &str| json!({"name": "thumbnails", "version": version, "digest": format!("sha256:{version}"), "world": "thumbnails"});
        let report = json!({
            "format": "stagehost-shadow/1", "state": "GenerateThumbnails", "execution": "arn:x", "attempt": 0,
            "finishedAt": "2026-01-01T00:00:00Z", "primary": stage("1.0.0"), "candidate": stage("1.1.0"), "notRun": 2,
            "calls": [
                call("same", json!([])),
                call("different", json!([{"kind": "object", "what": "51/thumb/a.jpg", "was": "1 byte", "now": "2 bytes"}])),
            ],
        });
        let summaries = summarize([serde_json::from_value(report).unwrap()]);
        let text = text("GenerateThumbnails", &summaries[0]);
        for part in [
            "GenerateThumbnails: thumbnails 1.1.0",
            "compared with   thumbnails 1.0.0",
            "calls           2 in 1 executions",
            "the same        1 (50.0 %)",
            "different       1 (50.0 %)  (object 1)",
            "not begun 2",
            "2.00× (p50), 2.00× (p95)",
            "51/thumb/a.jpg",
            "now  2 bytes",
        ] {
            assert!(text.contains(part), "{part:?} is missing:\n{text}");
        }
    }
}
