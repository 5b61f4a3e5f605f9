//! What the host itself costs, in one process: dispatching to stages that do nothing, making their instances, and getting a
//! stage ready with and without a compiler. `tests/bench/README.md` says how to run it and has the results.

#[path = "../../fixtures/dispatching.rs"]
mod dispatching;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_trait::async_trait;
use serde_json::json;
use stagehost_dispatch::{PackagedStages, StageSource};
use stagehost_pins::{PinError, PinSource, Pins};
use stagehost_runtime::{AssetEvent, Observer, Stage, StageEngine, StageIdentity, World};
use stagehost_tests::package::{package, state};
use stagehost_tests::statistics::Times;
use stagehost_tests::{binary, guest};

const CALLS: usize = 5_000;
const LOADS: usize = 31;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // On a worker thread, as the function does.
    runtime.block_on(async {
        tokio::spawn(async {
            calling().await?;
            loading().await
        })
        .await?
    })
}

/// Pins that never change, and how long instances took.
struct Fixed(Arc<Pins>);

#[async_trait]
impl PinSource for Fixed {
    async fn current(&self) -> Result<Arc<Pins>, PinError> {
        Ok(self.0.clone())
    }
}

#[derive(Default)]
struct Instances(Mutex<Times>);

impl Observer for Instances {
    fn on(&self, event: AssetEvent<'_>) {
        if let AssetEvent::Ended { report, .. } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).add(report.instantiate);
        }
    }
}

async fn calling() -> Result<()> {
    let folder = package_of_empty_stages()?;
    let pins = Pins::parse(&std::fs::read(folder.join("pins.json"))?, "pins.json")?;
    let instances = Arc::new(Instances::default());
    let stages = PackagedStages::open(StageEngine::new()?, folder.join("stages"))?;
    let dispatcher = dispatching::dispatcher(
        Arc::new(Fixed(Arc::new(pins))),
        Arc::new(stages),
        instances.clone(),
        Arc::new(|_| {}),
    )?;
    println!("{CALLS} calls each, one after the other; milliseconds: median (tenth–ninetieth percentile)");
    let one = json!({"listingId": 51, "assets": ["51/raw/photo/vertical/2025-11-27/a.jpg"]});
    for name in ["Asset", "Batch"] {
        let payload = state(name, one.clone()).to_string();
        let (mut times, deadline) = (Times::default(), Instant::now() + Duration::from_secs(600));
        for call in 0..CALLS + 100 {
            let started = Instant::now();
            dispatcher.handle(payload.as_bytes(), Some(deadline)).await?;
            if call >= 100 {
                times.add(started.elapsed());
            }
        }
        let instances = std::mem::take(&mut *instances.0.lock().unwrap_or_else(PoisonError::into_inner));
        println!(
            "  empty {:<6} stage {:>28}, p99 {:.3}",
            name.to_lowercase(),
            precise(&times),
            ms(times.quantile(0.99))
        );
        println!("  its instance       {:>28}", precise(&instances));
    }
    Ok(())
}

/// Makes a package with two states, pinned to stages that do nothing.
fn package_of_empty_stages() -> Result<PathBuf> {
    let task = |next: Option<&str>| {
        let mut task = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "${HostFunctionArn}", "Payload": {"state.$": "$$.State.Name"}},
        });
        task[if next.is_some() { "Next" } else { "End" }] = next.map_or(json!(true), |next| json!(next));
        task
    };
    let machine = json!({"StartAt": "Asset", "States": {"Asset": task(Some("Batch")), "Batch": task(None)}});
    let folder = binary().parent().context("no target folder")?.join("empty-package");
    std::fs::create_dir_all(&folder)?;
    let definition = folder.join("machine.asl.json");
    std::fs::write(&definition, machine.to_string())?;
    let mut command = std::process::Command::new(binary());
    command.args(["package", "--json", "--out"]).arg(&folder).arg("--state-machine").arg(&definition);
    command.arg("--bootstrap").arg(binary().with_file_name("bootstrap"));
    for (state, stage) in [("Asset", "empty_asset"), ("Batch", "empty_batch")] {
        command.arg("--stage").arg(format!("{state}={}", guest(stage)?.display()));
    }
    let output = command.output()?;
    anyhow::ensure!(output.status.success(), "stagehost package: {}", String::from_utf8_lossy(&output.stderr));
    Ok(folder)
}

/// Measures the way from a file in the page cache to a stage that can be called.
async fn loading() -> Result<()> {
    let package = package()?;
    let pins = Pins::parse(&std::fs::read(package.folder.join("pins.json"))?, "pins.json")?;
    let engine = StageEngine::new()?;
    let by_name: BTreeMap<_, _> = pins.states.values().map(|pin| (pin.stage.clone(), pin)).collect();
    println!("getting a stage ready, {LOADS} times each, compiling once; milliseconds");
    for (name, pin) in by_name {
        let mut verified = Times::default();
        for _ in 0..LOADS {
            // A new store each time, because the same one would keep the stage in memory.
            let stages = PackagedStages::open(engine.clone(), package.folder.join("stages"))?;
            let started = Instant::now();
            stages.stage(pin).await?;
            verified.add(started.elapsed());
        }
        let compiled = compile(&engine, &name, pin.world)?;
        println!("  {name:<11} verified and mapped {}, compiled {:.0}", precise(&verified), ms(compiled));
    }
    Ok(())
}

fn compile(engine: &StageEngine, name: &str, world: World) -> Result<Duration> {
    let folder = binary().parent().context("no target folder")?.join("../stages/wasm32-wasip2/stage");
    let bytes = std::fs::read(Path::new(&folder).join(format!("stage_{name}.wasm")))
        .with_context(|| format!("{name} in {}", folder.display()))?;
    let identity = StageIdentity { name: name.to_owned(), version: String::new(), digest: String::new() };
    let started = Instant::now();
    Stage::compile(engine, identity, world, &bytes)?;
    Ok(started.elapsed())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn precise(times: &Times) -> String {
    format!("{:.3} ({:.3}–{:.3})", ms(times.median()), ms(times.quantile(0.1)), ms(times.quantile(0.9)))
}
