//! Ten photos through validation and thumbnails, with their objects in an S3 server: the host beside a Node function with the SDK
//! for S3 and Sharp, behind the same Runtime API. `tests/bench/README.md` says how to run it and has the results.

#[path = "../cold-start/node_function.rs"]
mod node_function;
#[path = "../cold-start/photos.rs"]
mod photos;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::Client;
use serde_json::{Value, json};
use stagehost_tests::bench::{function_command, in_turn};
use stagehost_tests::cost_durations::BenchArguments;
use stagehost_tests::package::{environment, released_package, state};
use stagehost_tests::runtime_api::{Deadline, Function};
use stagehost_tests::seaweed::{CREDENTIALS, Seaweed};
use stagehost_tests::statistics::Times;

const BUCKET: &str = "medias";
const ROUNDS: usize = 9;
const STATES: [&str; 2] = ["ValidateRawAssets", "GenerateThumbnails"];
const DEADLINE: Deadline = Deadline::In(Duration::from_secs(300));

/// A function, and how it is called in the tables.
struct Contender {
    name: &'static str,
    what: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    variables: &'static [(&'static str, &'static str)],
}

#[derive(Default)]
struct Measured {
    /// From the start of the process to the end of its first batch.
    first: Times,
    /// The same batch once more, in the same process.
    again: Times,
    /// The second state alone, in the second batch.
    thumbnails: Times,
    /// The most memory that the process ever had, in MiB.
    peak: Vec<u64>,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare())
}

async fn compare() -> Result<()> {
    let rounds = BenchArguments::read(ROUNDS)?.only_rounds()?;
    let contenders = contenders()?;
    let server = Seaweed::start()?;
    let client = server.bucket(BUCKET).await?;
    let assets = photos::upload(&client, BUCKET, &photos::make()?).await?;
    let batch = json!({"listingId": 51, "batchId": 5, "jobId": 4, "assets": assets});

    let mut measured: BTreeMap<&str, Measured> = BTreeMap::new();
    let mut answers: BTreeMap<&str, Value> = BTreeMap::new();
    for round in 0..=rounds {
        for contender in in_turn(&contenders, round) {
            remove_renditions(&client).await?;
            let begun = Instant::now();
            let function = Function::start(contender.command(), contender.environment(&server)?).await?;
            let (_, answer) = run(&function, contender, batch.clone()).await?;
            let first = begun.elapsed();
            remove_renditions(&client).await?;
            let begun = Instant::now();
            let (thumbnails, _) = run(&function, contender, batch.clone()).await?;
            let again = begun.elapsed();
            answers.insert(contender.name, answer);
            // The first round fills the file cache.
            if round > 0 {
                let of = measured.entry(contender.name).or_default();
                of.first.add(first);
                of.again.add(again);
                of.thumbnails.add(thumbnails);
                of.peak.push(function.peak_bytes()?.div_ceil(1 << 20));
            }
        }
    }
    for node in ["pipelines", "cascade"] {
        same_renditions(&answers["host"], &answers[node])?;
    }
    report(&contenders, &measured, rounds);
    Ok(())
}

fn contenders() -> Result<Vec<Contender>> {
    let node = node_function::installed()?;
    let of_node = |name, what, variables| Contender {
        name,
        what,
        program: "node".into(),
        arguments: vec![node.join("runtime.mjs")],
        variables,
    };
    let bootstrap = released_package()?.folder.join("bootstrap");
    Ok(vec![
        Contender { name: "host", what: "bootstrap", program: bootstrap, arguments: vec![], variables: &[] },
        of_node("pipelines", "Node, a photo decoded for each size", &[("_HANDLER", "pipeline")]),
        of_node("cascade", "Node, a photo decoded once", &[("_HANDLER", "pipeline"), ("SHARP_CASCADE", "1")]),
    ])
}

impl Contender {
    fn command(&self) -> Command {
        let mut command = function_command(&self.program);
        command.args(&self.arguments);
        command
    }

    fn environment(&self, server: &Seaweed) -> Result<Vec<(String, String)>> {
        let mut variables = environment(&released_package()?.folder, &server.endpoint(), BUCKET);
        let credentials = [("AWS_ACCESS_KEY_ID", CREDENTIALS.0), ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1)];
        for (name, value) in credentials.iter().chain(self.variables) {
            variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        Ok(variables)
    }
}

/// Runs the states one after the other. Returns how long the last one took, and its answer.
async fn run(function: &Function, contender: &Contender, mut batch: Value) -> Result<(Duration, Value)> {
    let mut took = Duration::ZERO;
    for name in STATES {
        let begun = Instant::now();
        let answer = function.invoke(&state(name, batch), DEADLINE).await;
        batch = answer.with_context(|| format!("{}, {name}: {:#?}", contender.name, function.lines()))?;
        took = begun.elapsed();
    }
    Ok((took, batch))
}

/// Removes the host's renditions, because it makes none that are up to date. The Node function replaces its own.
async fn remove_renditions(client: &Client) -> Result<()> {
    let listed = client.list_objects_v2().bucket(BUCKET).prefix("51/thumb/").send().await?;
    for object in listed.contents() {
        client.delete_object().bucket(BUCKET).key(object.key().unwrap_or_default()).send().await?;
    }
    Ok(())
}

/// Both made the same sizes of every photo.
fn same_renditions(host: &Value, node: &Value) -> Result<()> {
    let assets = |batch: &Value| batch["assets"].as_array().cloned().unwrap_or_default();
    let sizes = |asset: &Value| -> BTreeMap<String, Value> {
        let renditions = asset["renditions"].as_array().cloned().unwrap_or_default();
        let named = |one: Value| (one["name"].as_str().unwrap_or_default().to_owned(), one["pixels"].clone());
        renditions.into_iter().map(named).collect()
    };
    let (host, node) = (assets(host), assets(node));
    ensure!(host.len() == node.len() && !host.is_empty(), "{} and {} assets", host.len(), node.len());
    for (ours, theirs) in host.iter().zip(&node) {
        ensure!(sizes(ours).len() == 3, "{ours:#}");
        ensure!(sizes(ours) == sizes(theirs), "{ours:#} and {theirs:#}");
    }
    Ok(())
}

fn report(contenders: &[Contender], measured: &BTreeMap<&str, Measured>, rounds: usize) {
    println!("\n{rounds} rounds in alternation; milliseconds: median (10th–90th percentile)\n");
    println!(
        "| Ten photos | From the start | The same again | Of which thumbnails | Most memory |\n|---|---|---|---|---|"
    );
    let peak = |of: &Measured| {
        let mut all = of.peak.clone();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    for contender in contenders {
        let Some(of) = measured.get(contender.name) else { continue };
        let (first, again, thumbnails) = (of.first.summary(), of.again.summary(), of.thumbnails.summary());
        println!("| {} | {first} | {again} | {thumbnails} | {} MiB |", contender.what, peak(of));
    }
    println!(
        "\n| Host / | From the start | The same again | Of which thumbnails | Most memory |\n|---|---|---|---|---|"
    );
    let Some(host) = measured.get("host") else { return };
    for contender in contenders.iter().filter(|contender| contender.name != "host") {
        let Some(of) = measured.get(contender.name) else { continue };
        let ratio = |a: &Times, b: &Times| a.median().as_secs_f64() / b.median().as_secs_f64();
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} |",
            contender.what,
            ratio(&host.first, &of.first),
            ratio(&host.again, &of.again),
            ratio(&host.thumbnails, &of.thumbnails),
            peak(host) as f64 / peak(of) as f64
        );
    }
}
