//! One seed from start to end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::bite::Bite;
use super::checks::{self, Findings};
use super::counts::Counts;
use super::fault::FaultKind;
use super::plan::Plan;
use super::reference::reference;
use super::world::World;

/// What one seed did and what was found.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// What does not hold; empty if all is well.
    pub violations: Vec<String>,
    /// How many faults of each kind happened.
    pub faults: BTreeMap<FaultKind, usize>,
    /// What else happened.
    pub counts: Counts,
    /// How long it took.
    pub time: Duration,
    plan: String,
    log: Vec<String>,
}

/// Runs one seed: its batches under faults, the checks, the same batches undisturbed, the checks of that.
///
/// # Errors
/// If a part of the surroundings does not start, or cannot be read. What the host does wrong is not an error of this function.
pub async fn run(seed: u64, bite: Option<Bite>) -> Result<SeedReport> {
    let reference = reference().await.context("the undisturbed run")?;
    let started = Instant::now();
    let plan = Plan::new(seed);
    let text = plan.to_string();
    let world = World::start(plan, bite).await?;
    let mut findings = Findings::default();
    let stuck = world.run(0).await?;
    world.shared.plan.end();
    world.shared.log.faults_end();
    match stuck {
        Some(stuck) => findings.violations.push(stuck),
        None => {
            let before = checks::disturbed(&world, reference, &mut findings).await?;
            match world.run(1).await? {
                Some(stuck) => findings.violations.push(format!("the second run: {stuck}")),
                None => checks::again(&world, reference, &before, &mut findings).await?,
            }
        }
    }
    let entries = world.shared.log.entries();
    let report = SeedReport {
        seed,
        violations: findings.violations,
        faults: world.shared.plan.counts(),
        counts: Counts {
            requests: entries.iter().filter(|entry| entry.seen.is_some()).count(),
            executions: world.aws.states().executions(None).len(),
            callbacks: world.aws.receiver().callbacks().len(),
            letters: world.aws.receiver().dead_letters().await?.len() + world.queue.dead().len(),
            jobs: world.jobs().len(),
            processes: world.pool.started(),
            left_to_the_rule: findings.left_to_the_rule,
        },
        time: started.elapsed(),
        plan: text,
        log: entries.iter().map(ToString::to_string).collect(),
    };
    world.end().await;
    Ok(report)
}

impl SeedReport {
    /// Returns the figures as JSON; with the plan and the log if something does not hold.
    pub fn json(&self) -> Value {
        let faults: serde_json::Map<_, _> =
            self.faults.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect();
        let counts = self.counts;
        let mut document = json!({
            "seed": self.seed, "violations": self.violations, "faults": faults, "requests": counts.requests,
            "executions": counts.executions, "callbacks": counts.callbacks, "letters": counts.letters, "jobs": counts.jobs,
            "processes": counts.processes, "leftToTheRule": counts.left_to_the_rule, "seconds": self.time.as_secs_f64(),
        });
        if !self.violations.is_empty() {
            document["plan"] = json!(self.plan);
            document["log"] = json!(self.log);
        }
        document
    }
}

impl fmt::Display for SeedReport {
    /// The plan, the log, what does not hold, and the command that repeats the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {:.1} s\nplan:\n{}log:", self.seed, self.time.as_secs_f64(), self.plan)?;
        for line in &self.log {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "does not hold:")?;
        for violation in &self.violations {
            writeln!(f, "  - {violation}")?;
        }
        write!(
            f,
            "repeat: CAMPAIGN_SEEDS={0}..{1} cargo test --release --workspace --test campaign seeds -- --nocapture",
            self.seed,
            self.seed + 1
        )
    }
}
