#![allow(clippy::unwrap_used, missing_docs)]
//! The whole is broken on purpose, fifty times in different ways, and nothing is lost, doubled or left over.
//!
//! `CAMPAIGN_SEEDS=17..18` runs other seeds than the first fifty, `CAMPAIGN_AT_ONCE` another number of them at a time. The
//! benchmark `campaign` runs as many as wanted and prints a table. See `stagehost_tests::campaign` for what is checked.

use std::ops::Range;

use stagehost_tests::campaign::{self, Bite, FaultKind, many};

/// The seeds of CI.
const SEEDS: Range<u64> = 0..50;
/// How many seeds run at a time. Most of their time is spent waiting for a retry.
const AT_ONCE: usize = 8;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("CAMPAIGN_SEEDS") else { return SEEDS };
    let (from, to) = text.split_once("..").expect("CAMPAIGN_SEEDS is two numbers with .. between them");
    from.parse().unwrap()..to.parse().unwrap()
}

fn at_once() -> usize {
    std::env::var("CAMPAIGN_AT_ONCE").ok().and_then(|text| text.parse().ok()).unwrap_or(AT_ONCE)
}

#[tokio::test(flavor = "multi_thread")]
async fn seeds_lose_double_and_leave_nothing() {
    let seeds = seeds();
    let totals = many::run(seeds.clone(), None, at_once(), |report| {
        if report.violations.is_empty() {
            println!("seed {}: {:.1} s, {} requests", report.seed, report.time.as_secs_f64(), report.counts.requests);
        } else {
            println!("{report}");
        }
    });
    let totals = totals.await.unwrap();
    println!("{totals:#?}");
    assert!(totals.failed.is_empty(), "the seeds {:?} fail; each has printed its plan, log and command", totals.failed);
    if seeds == SEEDS {
        for kind in FaultKind::ALL {
            let (faults, in_seeds) = totals.faults.get(&kind).copied().unwrap_or_default();
            assert!(in_seeds >= 3, "{} happened {faults} times, in {in_seeds} seeds", kind.name());
        }
    }
}

/// Runs a seed with a fault on purpose, which the campaign finds. Without it nothing is found: the seeds are among the fifty.
async fn found(seed: u64, bite: Bite, words: &str) {
    let report = campaign::run(seed, Some(bite)).await.unwrap();
    assert!(report.violations.iter().any(|violation| violation.contains(words)), "not found: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_never_aborted_is_found() {
    // No archive can be written, so an upload that has begun must be aborted.
    found(9, Bite::AbortsAreLost, "left unfinished").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_machine_without_retries_is_found() {
    // The process is killed while it validates.
    found(16, Bite::NoRetry, "where an undisturbed run ends as").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_not_kept_is_found() {
    // The process dies whenever it begins to tell the backend.
    found(29, Bite::NoLetter, "0 accepted callbacks and 0 letters").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_paid_twice_is_found() {
    // The answer to the first CreateJob is lost.
    found(1, Bite::TokensForgotten, "was submitted 2 times").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_with_other_bytes_are_found() {
    found(2, Bite::OutputsDiffer, "other bytes than in an undisturbed run").await;
}
