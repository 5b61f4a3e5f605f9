//! `stagehost cost`: what 1,000 batches cost, beside the four functions that the host replaces.

mod amount;
mod inputs;
mod model;
mod picture;
mod scales;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};

use self::amount::amount;
use self::inputs::{Measured, Prices, Workload};
use self::model::{CostKind, Design, Line};
use self::scales::Scale;
use crate::exit::Exit;
use crate::output::bars::Ink;
use crate::output::printer::Printer;
use crate::output::{table, terminal};

/// Print what 1,000 batches cost, compared with the four functions that the host replaces
///
/// The model multiplies what a batch uses by its price. Prices and durations come with the program and
/// can be replaced; each duration is marked as measured or assumed. Below the table are bars for several numbers of batches a
/// month, because sweeps, metrics and alarms cost the same for few and many. Not counted: storage, transfer to the backend,
/// dashboards, retries, free tiers.
#[derive(Args)]
#[command(after_help = "\
Formulas, per batch:

  CPUs of a function: its memory / 1769 MB; CPython's
    zipfile uses one at most
  Lambda requests: host 1 (queue) + 5 states + events of
    videos + sweeps; functions 1 + 4
  Events of videos: videos × (2 + one a minute)
  Sweeps: 8640 a month (every 5 minutes) / batches a month
  Lambda GB-seconds: memory/1024 × Σ(ms of the work / CPUs
    + ms of waits + cold share × ms of a cold start)/1000
  State transitions: states entered without a failure + 1
  S3 requests: per file head, tags, bytes in 8 MB ranges;
    per thumbnail, output, part; per video its intention,
    job, report, receipt, and a ticket for all; per sweep
    1 listing; of bundles the host copies files from 5 MB
    on within S3, the functions read and write all
  KMS requests: S3 requests × 0.01 (bucket key) + 2
  Logs: transitions × 2 KB + 0.6 KB × (requests + files)
    + host 5 × 1.2 KB; no execution data
  Custom metrics: at most 6 of the host, each for the hours
    in which something fails: failing share × batches a
    month / 730, / batches a month
  Alarms: host 5, functions 3, / batches a month
  MediaConvert: videos × minutes × (HD outputs × 2
    + SD outputs × 1), Basic tier

Exit codes: 0 printed, 2 wrong usage or a missing file.

Examples:

  stagehost cost
  stagehost cost --batches-a-month 2500
  stagehost cost --batch-photos 30 --batch-videos 0 \\
    --host-memory 1769")]
pub struct CostArgs {
    #[command(flatten)]
    work: Workload,

    /// Prices, instead of the program's own; `--json` prints the program's in the format of this file
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Durations, instead of the program's own; `--json` prints the program's in the format of this file. A file may have only
    /// some of them, like those that the benchmarks write
    #[arg(long, value_name = "FILE")]
    measured: Vec<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read.
pub fn cost(args: CostArgs, printer: &Printer) -> Result<Exit> {
    let prices = Prices::read(args.prices.as_deref())?;
    let measured = Measured::read(&args.measured)?;
    let lines = model::lines(&args.work, &measured, &prices);
    let scales = scales::scales(&args.work, &measured, &prices);
    if args.json {
        printer.document(&document(&args.work, &measured, &prices, (&lines, &scales)));
    } else {
        let (table, picture) = (
            text(&args.work, &measured, &prices, &lines),
            picture::picture(&scales, Ink::of_stdout(), terminal::columns()),
        );
        printer.line(format_args!("{}\n\n{}", table.trim_end(), picture.trim_end()));
    }
    Ok(Exit::Success)
}

fn totals(lines: &[Line]) -> [f64; 3] {
    [0, 1, 2].map(|column| lines.iter().map(|line| line.columns[column].1).sum())
}

/// Returns the sums of everything except transcoding, which the designs share.
fn without_transcoding(lines: &[Line]) -> [f64; 3] {
    let others = lines.iter().filter(|line| line.kind != CostKind::Transcoding);
    others.fold([0.0; 3], |sums, line| [0, 1, 2].map(|column| sums[column] + line.columns[column].1))
}

fn document(work: &Workload, measured: &Measured, prices: &Prices, (lines, scales): (&[Line], &[Scale])) -> Value {
    let of = |columns: [Value; 3]| {
        let [functions, host_x86, host_arm64] = columns;
        json!({"functionsX86": functions, "hostX86": host_x86, "hostArm64": host_arm64})
    };
    let each: Vec<Value> = lines
        .iter()
        .map(|line| {
            let columns = line.columns.map(|(quantity, usd)| json!({"quantity": quantity, "usd": usd}));
            json!({"line": line.label, "formula": line.formula, "designs": of(columns)})
        })
        .collect();
    let at_scales: Vec<Value> = scales
        .iter()
        .map(|scale| {
            let shares =
                |share: fn(&Scale, usize) -> f64| json!({"hostX86": share(scale, 1), "hostArm64": share(scale, 2)});
            json!({
                "batchesAMonth": scale.batches_a_month,
                "totalWithoutTranscoding": of(scale.totals.map(|usd| json!(usd))),
                "ofFunctions": shares(Scale::of_functions),
                "ofFunctionsWithoutAlarms": shares(Scale::of_functions_without_alarms),
            })
        })
        .collect();
    json!({
        "batches": model::BATCHES, "workload": work, "lines": each, "total": of(totals(lines).map(|usd| json!(usd))),
        "totalWithoutTranscoding": of(without_transcoding(lines).map(|usd| json!(usd))),
        "scales": at_scales, "measured": measured, "prices": prices,
    })
}

fn text(work: &Workload, measured: &Measured, prices: &Prices, lines: &[Line]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "1,000 batches of {} ({} MB) and {} ({} min, {} MB); host of {} MB; {} {}, {}",
        counted(work.batch_photos, "photo"),
        work.photo_mb,
        counted(work.batch_videos, "video"),
        work.video_minutes,
        work.video_mb,
        work.host_memory,
        prices.currency,
        prices.region,
        prices.as_of
    );
    let groups: &[&[usize]] = if terminal::is_narrow() { &[&[0], &[1], &[2]] } else { &[&[0, 1, 2]] };
    for designs in groups {
        let _ = writeln!(text, "\n{}", table::text(costs(lines, designs)));
    }
    text.push('\n');
    for (name, durations) in [("host", &measured.host), ("functions", &measured.functions)] {
        for (known, is) in [("measured", true), ("assumed", false)] {
            let all = durations.all();
            let of = all.iter().filter(|(_, duration)| duration.measured == is && duration.ms > 0.0);
            let named: Vec<_> = of.map(|(what, duration)| format!("{what} {} ms", duration.ms)).collect();
            let named = if named.is_empty() { vec!["nothing".into()] } else { named };
            let _ = writeln!(text, "{name}, {known}: {}", named.join(", "));
        }
        let all = durations.all();
        let waits = all.iter().filter(|(_, duration)| duration.waits() > 0.0);
        let named: Vec<_> = waits.map(|(what, duration)| format!("{what} {} ms", duration.waits())).collect();
        if !named.is_empty() {
            let _ = writeln!(text, "{name}, waiting for AWS and the backend, assumed: {}", named.join(", "));
        }
    }
    text
}

/// Returns the table of these designs, by their place in [`Design::ALL`].
fn costs(lines: &[Line], designs: &[usize]) -> Table {
    let mut table = table::table(&[]);
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let mut header = vec![Cell::new("For 1,000 batches")];
    for design in designs {
        header.extend([right(Design::ALL[*design].title().to_owned()), right("USD".into())]);
    }
    table.set_header(header);
    for line in lines {
        let mut row = vec![Cell::new(line.label)];
        for (quantity, usd) in designs.iter().map(|design| line.columns[*design]) {
            row.extend([right(amount(quantity)), right(format!("{usd:.2}"))]);
        }
        table.add_row(row);
    }
    for (label, sums) in [("Sum", totals(lines)), ("Sum without MediaConvert", without_transcoding(lines))] {
        let mut row = vec![Cell::new(label)];
        for usd in designs.iter().map(|design| sums[*design]) {
            row.extend([right(String::new()), right(format!("{usd:.2}"))]);
        }
        table.add_row(row);
    }
    table
}

fn counted(number: u32, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests;
