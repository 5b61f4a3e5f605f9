//! Pins that change under load beside pins that stay, and the time from a change to the first answer of the new version.
//! `tests/bench/README.md` says how to run it and has the results.
#![allow(clippy::unwrap_used)]

#[path = "../../fixtures/desk.rs"]
#[allow(dead_code)]
mod desk;
#[path = "../../tests/lambda/surroundings.rs"]
#[allow(dead_code)]
mod surroundings;
#[path = "../../fixtures/swapping.rs"]
mod swapping;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use desk::{Desk, validate};
use stagehost_tests::package::package;
use stagehost_tests::statistics::Times;
use surroundings::started_with;
use swapping::{Load, published, run};

const ROUNDS: usize = 5;
const CALLS: usize = 40_000;
const CHANGES: usize = 100;
const TRIES: usize = 5;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        under_load().await?;
        until_noticed().await
    })
}

async fn under_load() -> Result<()> {
    println!("8 callers, {CALLS} calls at least, a batch stage that answers with its version; milliseconds of a call");
    let max_age = Duration::from_millis(50);
    let load = |changes, every, hang| Load { callers: 8, calls: CALLS, changes, every, max_age, hang };
    let soon = Duration::from_millis(30);
    let hang = Duration::from_secs(30);
    let kinds = [
        ("pins that stay", load(0, soon, None)),
        ("100 changes", load(CHANGES, soon, None)),
        // The changes take longer than the hang, which begins after a third of them.
        ("a registry that hangs for 30 s", load(CHANGES, Duration::from_millis(500), Some(hang))),
    ];
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        let mut p99 = Vec::new();
        for (what, load) in &kinds {
            // For each run anew, so that the version which is held back is not in the cache.
            let seen = run(&published(4).await?, load).await?;
            let wrong = seen.failed.len() + seen.stale.len() + seen.mixed.len() + seen.refused.len();
            ensure!(wrong == 0, "{what}: {seen:?}");
            let high = seen.times.quantile(0.99);
            println!(
                "  {round} {what:<30} {:>7} calls, p50 {:.3}, p99 {:.3}, at most {:.0}; {} times late",
                seen.calls,
                ms(seen.times.median()),
                ms(high),
                ms(seen.times.quantile(1.0)),
                seen.late
            );
            p99.push(high.as_secs_f64());
        }
        for (ratios, high) in ratios.iter_mut().zip(&p99[1..]) {
            ratios.push(high / p99[0]);
        }
    }
    for ((what, _), ratios) in kinds[1..].iter().zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        let [middle, least, most] = [ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]];
        println!("  p99 with {what} to p99 with pins that stay: {middle:.2} ({least:.2}–{most:.2})");
    }
    Ok(())
}

async fn until_noticed() -> Result<()> {
    println!("from the end of the command to the first answer of the new version, {TRIES} times each; milliseconds");
    for max_age in ["5", "0"] {
        let desk = Desk::new(&package()?.folder);
        desk.publish(&validate(), "0.2.0");
        let host = started_with(package()?, |_| desk.environment(max_age)).await;
        let batch = host.one_photo(51);
        let mut revision = 1;
        host.state("ValidateRawAssets", batch.clone()).await;
        let changes = [("set", &["set", "ValidateRawAssets", "0.2.0"][..]), ("rollback", &["rollback"])];
        let mut times = [Times::default(), Times::default()];
        for _ in 0..TRIES {
            for ((_, change), times) in changes.iter().zip(&mut times) {
                desk.done(&[&["pins"], *change, &["--why", "a try"]].concat());
                revision += 1;
                let started = Instant::now();
                while answered(&host, &batch).await != revision {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                times.add(started.elapsed());
            }
        }
        for ((name, _), times) in changes.iter().zip(&times) {
            println!("  PINS_MAX_AGE={max_age} {name:<9} {}, at most {:.0}", times.summary(), ms(times.quantile(1.0)));
        }
    }
    Ok(())
}

async fn answered(host: &surroundings::Host, batch: &serde_json::Value) -> u64 {
    host.state("ValidateRawAssets", batch.clone()).await["revision"].as_u64().unwrap()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
