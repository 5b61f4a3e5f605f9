//! The breaking campaign over many seeds: how many faults of each kind there were, and what does not hold.
//! `tests/bench/README.md` says how to run it and has the results.
//!
//! Arguments: `--seeds FROM..TO` (default `0..1000`), `--at-once N` (default 8), `--json FILE` for one line per seed.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use stagehost_tests::campaign::many::{self, Totals};
use stagehost_tests::campaign::{FaultKind, SeedReport};
use stagehost_tests::statistics::Times;

struct Arguments {
    seeds: Range<u64>,
    at_once: usize,
    json: Option<String>,
}

fn arguments() -> Result<Arguments> {
    let mut found = Arguments { seeds: 0..1000, at_once: 8, json: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        // Cargo adds it to the arguments of every benchmark.
        if name == "--bench" {
            continue;
        }
        let value = given.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--seeds" => {
                let (from, to) =
                    value.split_once("..").with_context(|| format!("--seeds {value}: expected FROM..TO"))?;
                found.seeds = from.parse()?..to.parse()?;
            }
            "--at-once" => found.at_once = value.parse().context("--at-once")?,
            "--json" => found.json = Some(value),
            _ => bail!("{name}: known are --seeds FROM..TO, --at-once N and --json FILE"),
        }
    }
    Ok(found)
}

fn main() -> Result<()> {
    let Arguments { seeds, at_once, json } = arguments()?;
    let mut lines = match &json {
        Some(path) => Some(BufWriter::new(File::create(path).with_context(|| path.clone())?)),
        None => None,
    };
    let (started, all) = (Instant::now(), seeds.clone());
    let (mut times, mut done, mut unwritten) = (Times::default(), 0, None);
    let report = |report: &SeedReport| {
        done += 1;
        times.add(report.time);
        if !report.violations.is_empty() {
            println!("{report}\n");
        }
        if done % 50 == 0 {
            println!("{done} seeds, {:.0} s", started.elapsed().as_secs_f64());
        }
        if let Some(lines) = &mut lines
            && let Err(error) = writeln!(lines, "{}", report.json()).and_then(|()| lines.flush())
        {
            unwritten = Some(error);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let totals = runtime.block_on(many::run(seeds, None, at_once, report))?;
    table(&all, &totals, &times, started.elapsed().as_secs_f64());
    if let Some(error) = unwritten {
        bail!("writing {}: {error}", json.unwrap_or_default());
    }
    ensure!(totals.failed.is_empty(), "{} seeds fail: {:?}", totals.failed.len(), totals.failed);
    Ok(())
}

fn table(seeds: &Range<u64>, totals: &Totals, times: &Times, seconds: f64) {
    println!(
        "seeds {}..{}: {} run, {} fail, {seconds:.0} s",
        seeds.start,
        seeds.end,
        totals.seeds,
        totals.failed.len()
    );
    println!("a seed takes {} ms (median, 10th to 90th percentile)", times.summary());
    println!("\n| Fault | Times | In seeds |\n|---|---|---|");
    for kind in FaultKind::ALL {
        let (count, in_seeds) = totals.faults.get(&kind).copied().unwrap_or_default();
        println!("| {} | {count} | {in_seeds} |", kind.name());
    }
    println!("\n| What | Number |\n|---|---|");
    for (what, number) in [
        ("Requests of the host", totals.counts.requests),
        ("Processes started", totals.counts.processes),
        ("Executions", totals.counts.executions),
        ("Accepted callbacks", totals.counts.callbacks),
        ("Letters in dead-letter queues", totals.counts.letters),
        ("Jobs paid", totals.counts.jobs),
        ("Uploads that nobody could abort, left to the lifecycle rule", totals.counts.left_to_the_rule),
        ("Seeds in which something does not hold", totals.failed.len()),
    ] {
        println!("| {what} | {number} |");
    }
}
