//! Many seeds, some at a time.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::bite::Bite;
use super::counts::Counts;
use super::fault::FaultKind;
use super::plan::Plan;
use super::seed::{self, SeedReport};

/// Runs seeds, `at_once` at a time, and passes every report to `done` as soon as it is there.
///
/// # Errors
/// If the surroundings of a seed fail; the error names the seed.
pub async fn run(
    seeds: Range<u64>,
    bite: Option<Bite>,
    at_once: usize,
    mut done: impl FnMut(&SeedReport),
) -> Result<Totals> {
    // Those with an outage first: they wait longest, and nothing should be waited for at the end.
    let (mild, outages): (Vec<u64>, Vec<u64>) = seeds.partition(|seed| Plan::new(*seed).is_mild());
    let mut waiting: VecDeque<u64> = outages.into_iter().chain(mild).collect();
    let (mut running, mut totals) = (JoinSet::new(), Totals::default());
    loop {
        while running.len() < at_once.max(1)
            && let Some(next) = waiting.pop_front()
        {
            running.spawn(async move { seed::run(next, bite).await.with_context(|| format!("seed {next}")) });
        }
        let Some(ended) = running.join_next().await else { return Ok(totals) };
        let report = ended??;
        done(&report);
        totals.add(&report);
    }
}

/// Sums over seeds.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// How many seeds.
    pub seeds: usize,
    /// The seeds in which something does not hold.
    pub failed: Vec<u64>,
    /// How many faults of each kind happened, and in how many seeds.
    pub faults: BTreeMap<FaultKind, (usize, usize)>,
    /// What else happened.
    pub counts: Counts,
}

impl Totals {
    fn add(&mut self, report: &SeedReport) {
        self.seeds += 1;
        if !report.violations.is_empty() {
            self.failed.push(report.seed);
        }
        for (kind, count) in &report.faults {
            let (all, seeds) = self.faults.entry(*kind).or_default();
            *all += count;
            *seeds += 1;
        }
        self.counts += report.counts;
    }
}
