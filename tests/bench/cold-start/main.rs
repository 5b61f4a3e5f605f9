//! From the start of the process to the first answer, for ten photos to validate: the host beside a Node function that does
//! the same as it is commonly done. `tests/bench/README.md` says how to run it and has the results.

mod node_function;
mod photos;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stagehost_tests::bench::{function_command, in_turn};
use stagehost_tests::cost_durations::BenchArguments;
use stagehost_tests::package::{environment, released_package, state};
use stagehost_tests::runtime_api::{Deadline, Function};
use stagehost_tests::seaweed::{CREDENTIALS, Seaweed};
use stagehost_tests::statistics::Times;

const BUCKET: &str = "medias";
const ROUNDS: usize = 21;

/// A process to start, and its first request.
struct Contender {
    name: &'static str,
    what: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    handler: &'static str,
    payload: Value,
}

#[derive(Default)]
struct Measured {
    ready: Times,
    answer: Times,
    again: Times,
    resident: Vec<u64>,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare())
}

async fn compare() -> Result<()> {
    let rounds = BenchArguments::read(ROUNDS)?.only_rounds()?;
    let node = node_function::installed()?;
    let server = Seaweed::start()?;
    let photos = photos::make()?;
    let assets = photos::upload(&server.bucket(BUCKET).await?, BUCKET, &photos).await?;
    let sizes: Vec<_> = photos.values().map(|bytes| format!("{:.1}", bytes.len() as f64 / 1e6)).collect();
    println!("{} photos of {} × {} pixels; MB: {}", photos.len(), photos::WIDTH, photos::HEIGHT, sizes.join(" "));

    let contenders = contenders(&node, &assets)?;
    let mut measured: BTreeMap<&str, Measured> = BTreeMap::new();
    let mut answers: BTreeMap<&str, Value> = BTreeMap::new();
    for round in 0..=rounds {
        for contender in in_turn(&contenders, round) {
            let (function, answer) = first_answer(contender, &server.endpoint()).await?;
            answers.insert(contender.name, answer);
            // The first round fills the file cache.
            if round > 0 {
                let of = measured.entry(contender.name).or_default();
                of.ready.add(function.time_to_ready().unwrap_or_default());
                of.answer.add(function.time_to_first_answer().unwrap_or_default());
                of.resident.push(function.resident_bytes()?);
                let begun = Instant::now();
                function.invoke(&contender.payload, Deadline::USUAL).await?;
                of.again.add(begun.elapsed());
            }
        }
    }
    same_findings(&answers["host"], &answers["node"])?;
    report(&contenders, &measured, rounds);
    Ok(())
}

fn contenders(node: &Path, assets: &[Value]) -> Result<Vec<Contender>> {
    let batch = json!({"listingId": 51, "batchId": 5, "jobId": 4, "assets": assets});
    let validate = state("ValidateRawAssets", batch);
    let health = json!({"source": "stagehost.health"});
    let bootstrap = released_package()?.folder.join("bootstrap");
    let of_host = |name, what, payload: &Value| Contender {
        name,
        what,
        program: bootstrap.clone(),
        arguments: vec![],
        handler: "bootstrap",
        payload: payload.clone(),
    };
    let of_node = |name, what, handler, payload: &Value| Contender {
        name,
        what,
        program: "node".into(),
        arguments: vec![node.join("runtime.mjs")],
        handler,
        payload: payload.clone(),
    };
    Ok(vec![
        of_host("host", "bootstrap, ten photos", &validate),
        of_node("node", "Node, ten photos", "validate", &validate),
        of_host("host-idle", "bootstrap, a health event", &health),
        of_node("node-idle", "Node with its imports, a health event", "validate", &health),
        of_node("node-bare", "Node without imports, a health event", "bare", &health),
    ])
}

async fn first_answer(contender: &Contender, endpoint: &str) -> Result<(Function, Value)> {
    let mut command = function_command(&contender.program);
    command.args(&contender.arguments);
    let mut variables = environment(&released_package()?.folder, endpoint, BUCKET);
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", CREDENTIALS.0),
        ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1),
        ("_HANDLER", contender.handler),
    ] {
        variables.push((name.to_owned(), value.to_owned()));
    }
    let function = Function::start(command, variables).await?;
    let answer = function.invoke(&contender.payload, Deadline::USUAL).await;
    let answer = answer.with_context(|| format!("{}: {:#?}", contender.name, function.lines()))?;
    Ok((function, answer))
}

/// Both found out the same about every photo, so both did the same work.
fn same_findings(host: &Value, node: &Value) -> Result<()> {
    let assets = |batch: &Value| batch["assets"].as_array().cloned().unwrap_or_default();
    let (host, node) = (assets(host), assets(node));
    ensure!(host.len() == node.len() && !host.is_empty(), "{} and {} assets", host.len(), node.len());
    for (ours, theirs) in host.iter().zip(&node) {
        ensure!(ours["verified"] == true, "the host refused one: {ours:#}");
        for field in ["key", "contentType", "bytes", "sha256", "etag", "pixels", "orientation"] {
            ensure!(ours[field] == theirs[field], "{field}: {ours:#} and {theirs:#}");
        }
    }
    Ok(())
}

fn report(contenders: &[Contender], measured: &BTreeMap<&str, Measured>, rounds: usize) {
    println!("\n{rounds} rounds in alternation; milliseconds: median (10th–90th percentile)\n");
    println!("| First event | Ready | First answer | The same again | Resident at first |\n|---|---|---|---|---|");
    for contender in contenders {
        let Some(of) = measured.get(contender.name) else { continue };
        let mut resident = of.resident.clone();
        resident.sort_unstable();
        let mib = resident.get(resident.len() / 2).copied().unwrap_or_default() >> 20;
        let (ready, answer, again) = (of.ready.summary(), of.answer.summary(), of.again.summary());
        println!("| {} | {ready} | {answer} | {again} | {mib} MiB |", contender.what);
    }
    let median = |name: &str| measured.get(name).map(|of| of.answer.median()).unwrap_or_default();
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    println!();
    println!("Node / host, ten photos: {:.1}", ratio(median("node"), median("host")));
    println!("Node / host, a health event: {:.1}", ratio(median("node-idle"), median("host-idle")));
    let without_bare = median("node").saturating_sub(median("node-bare"));
    println!("The same for ten photos, without Node's bare start: {:.1}", ratio(without_bare, median("host")));
}
