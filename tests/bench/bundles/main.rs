//! A gigabyte into two archives, as sixty videos and as one film: the host beside the Python function that did it before; and sixty
//! files that are too small for S3 to copy them. `tests/bench/README.md` says how to run it and has the results; `--json FILE` writes
//! them for `stagehost cost`, which wants them on one core.
//!
//! The S3 server is SeaweedFS, which copies parts by itself. Both go through a door that counts their bytes.

mod counted;
mod videos;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::Client;
use serde_json::{Value, json};
use stagehost_needs::{PYTHON, python_with};
use stagehost_tests::bench::{function_command, in_turn};
use stagehost_tests::cost_durations::{BenchArguments, duration};
use stagehost_tests::package::{environment, released_package_with, state};
use stagehost_tests::runtime_api::{Deadline, Function};
use stagehost_tests::seaweed::{CREDENTIALS, Seaweed};
use stagehost_tests::statistics::Times;
use stagehost_tests::{cache, file};

use crate::counted::Counted;

const BUCKET: &str = "medias";
const LISTING: u32 = 51;
const ROUNDS: usize = 3;
/// The most that a batch may have by default: 60 files, a gigabyte.
const FILES: usize = 60;
const BATCH_BYTES: usize = 1 << 30;
/// As large as a photo of the cost model. S3 copies parts from 5 MiB on, so these pass through the function.
const SMALL_BYTES: usize = 4_000_000;
/// By default a file may have 256 MiB.
const SETTINGS: &str = r#"{"states": {"ValidateRawAssets": {"config": {"maxFileBytes": 1073741824}}}}"#;
/// As long as Lambda's longest call.
const PATIENCE: Deadline = Deadline::In(Duration::from_secs(900));

/// Files to bundle.
struct Workload {
    title: &'static str,
    /// How their names begin.
    name: &'static str,
    files: usize,
    file_bytes: usize,
}

const VIDEOS: Workload = Workload {
    title: "Two archives of 60 videos, a GiB",
    name: "video",
    files: FILES,
    file_bytes: BATCH_BYTES / FILES,
};
const FILM: Workload =
    Workload { title: "Two archives of one film of 1 GiB", name: "film", files: 1, file_bytes: BATCH_BYTES };
const SMALL: Workload =
    Workload { title: "Two archives of 60 files of 4 MB", name: "small", files: FILES, file_bytes: SMALL_BYTES };
const WORKLOADS: [Workload; 3] = [VIDEOS, FILM, SMALL];

/// A function to measure.
struct Contender {
    name: &'static str,
    /// How the Python function compresses; `None` for the host.
    compression: Option<&'static str>,
}

const CONTENDERS: [Contender; 3] = [
    Contender { name: "the host", compression: None },
    Contender { name: "zipfile, deflated", compression: Some("deflated") },
    Contender { name: "zipfile, stored", compression: Some("stored") },
];

/// What all contenders are run with.
struct Bench {
    package: PathBuf,
    python: PathBuf,
    /// The way to S3.
    door: Counted,
}

#[derive(Default)]
struct Measured {
    times: Times,
    /// Bytes between the function and S3 in the last round.
    traffic: u64,
    /// The most memory that the process ever had resident, in the last round.
    peak_mib: u64,
    archives: Vec<Value>,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compare())
}

async fn compare() -> Result<()> {
    let arguments = BenchArguments::read(ROUNDS)?;
    let rounds = arguments.rounds;
    let made = cache()?.join("venv/bin/python");
    let python = python_with(&PYTHON, "STAGEHOST_PYTHON", &made, "boto3").context("there is no Python with boto3")?;
    let server = Seaweed::start()?;
    let client = server.bucket(BUCKET).await?;
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("settings.json");
    std::fs::write(&settings, SETTINGS)?;
    let settings = settings.display().to_string();
    let package = released_package_with("package-for-films", &["--config", &settings])?.folder;
    let bench = Bench { package, python, door: Counted::before(&server.endpoint()).await? };
    println!("{rounds} rounds in alternation");

    let mut all = BTreeMap::new();
    for workload in &WORKLOADS {
        all.insert(workload.name, measure(workload, &bench, &client, rounds).await?);
    }
    arguments.write(&for_the_cost_model(&all[VIDEOS.name], &all[SMALL.name]))
}

/// Runs all contenders, prints what they took, and returns it by their names.
async fn measure(
    workload: &Workload,
    bench: &Bench,
    client: &Client,
    rounds: usize,
) -> Result<BTreeMap<&'static str, Measured>> {
    let keys = upload(client, workload).await?;
    let mut measured: BTreeMap<&'static str, Measured> = BTreeMap::new();
    let mut found = Vec::new();
    for round in 0..rounds {
        for contender in in_turn(&CONTENDERS, round) {
            let of = measured.entry(contender.name).or_default();
            bundle(contender, bench, &keys, of).await?;
            if round + 1 == rounds {
                found.push(contents(client, of).await.with_context(|| contender.name.to_owned())?);
            }
            delete_archives(client).await?;
        }
    }
    // All contenders did the same work.
    let whole = |files: &BTreeMap<String, (u32, u64)>| {
        files.len() == workload.files && files.values().all(|(_, bytes)| *bytes == workload.file_bytes as u64)
    };
    ensure!(found.iter().flatten().all(whole), "an archive is not whole: {found:#?}");
    ensure!(found.windows(2).all(|two| two[0] == two[1]), "the archives differ: {found:#?}");
    report(workload.title, &measured);
    if workload.files > 1 {
        // A quarter of the files: memory that grows with the batch would show.
        let mut quarter = Measured::default();
        bundle(&CONTENDERS[0], bench, &keys[..workload.files / 4], &mut quarter).await?;
        delete_archives(client).await?;
        println!("of a quarter of the files the host had {} MiB at most", quarter.peak_mib);
    }
    Ok(measured)
}

/// Runs a contender once, in a new process.
async fn bundle(contender: &Contender, bench: &Bench, keys: &[String], measured: &mut Measured) -> Result<()> {
    let Bench { package, python, door } = bench;
    let (program, arguments) = match contender.compression {
        None => (package.join("bootstrap"), vec![]),
        Some(_) => (python.clone(), vec!["-B".into(), file("tests/bench/bundles/bundle.py")]),
    };
    let mut command = function_command(&program);
    command.args(arguments);
    let mut variables = environment(package, &door.endpoint(), BUCKET);
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", CREDENTIALS.0),
        ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1),
        ("COMPRESSION", contender.compression.unwrap_or_default()),
    ] {
        variables.push((name.to_owned(), value.to_owned()));
    }
    let function = Function::start(command, variables).await?;
    let assets: Vec<_> = keys.iter().map(|key| json!({"key": key, "contentType": "video/mp4"})).collect();
    let mut batch = json!({"listingId": LISTING, "batchId": 5, "jobId": 4, "assets": assets});
    if contender.compression.is_none() {
        // The stage bundles what was verified. Versions and checksums of the files come from here; it is not measured.
        batch = function.invoke(&state("ValidateRawAssets", batch), PATIENCE).await?;
        ensure!(batch["counts"]["valid"] == keys.len(), "the host refused some: {batch:#}");
    }
    door.take();
    let begun = Instant::now();
    let answer = function.invoke(&state("CreateZipBundle", batch), PATIENCE).await;
    let answer = answer.with_context(|| format!("{}: {:#?}", contender.name, function.lines()))?;
    measured.times.add(begun.elapsed());
    measured.traffic = door.take();
    measured.peak_mib = function.peak_bytes()? >> 20;
    measured.archives = answer["bundles"].as_array().cloned().unwrap_or_default();
    ensure!(measured.archives.len() == 2, "{}: {answer:#}", contender.name);
    ensure!(measured.archives.iter().all(|archive| archive["reused"] != true), "an archive was there already");
    Ok(())
}

/// Returns the name, the checksum and the size of every file in a contender's archives.
async fn contents(client: &Client, measured: &Measured) -> Result<Vec<BTreeMap<String, (u32, u64)>>> {
    let mut all = Vec::new();
    for archive in &measured.archives {
        let key = archive["key"].as_str().context("an archive without a key")?;
        let mut body = client.get_object().bucket(BUCKET).key(key).send().await.context("reading an archive")?.body;
        let mut copy = tempfile::tempfile()?;
        while let Some(bytes) = body.next().await {
            copy.write_all(&bytes?)?;
        }
        let mut opened = zip::ZipArchive::new(copy)?;
        let mut files = BTreeMap::new();
        for index in 0..opened.len() {
            let entry = opened.by_index_raw(index)?;
            let name = entry.name()?.rsplit('/').next().unwrap_or_default().to_owned();
            let (found, stored) =
                ((entry.crc32(), entry.size()), entry.compression() == zip::CompressionMethod::Stored);
            drop(entry);
            if stored {
                // Reading an entry to its end compares its checksum.
                std::io::copy(&mut opened.by_index(index)?, &mut std::io::sink())
                    .with_context(|| format!("{name} in {key}"))?;
            }
            files.insert(name, found);
        }
        all.push(files);
    }
    Ok(all)
}

fn report(title: &str, measured: &BTreeMap<&str, Measured>) {
    let of = |name: &str| measured.get(name);
    println!("\n| {title} | ms, median (10th–90th percentile) | Through the function | Peak |\n|---|---|---|---|");
    for contender in &CONTENDERS {
        let Some(of) = of(contender.name) else { continue };
        let mib = of.traffic >> 20;
        println!("| {} | {} | {mib} MiB | {} MiB |", contender.name, of.times.summary(), of.peak_mib);
    }
    let Some(host) = of("the host") else { return };
    for contender in &CONTENDERS[1..] {
        let Some(other) = of(contender.name) else { continue };
        let time = host.times.median().as_secs_f64() / other.times.median().as_secs_f64();
        let bytes = 100.0 * host.traffic as f64 / other.traffic as f64;
        println!("host / {}: {time:.3} of its time, {bytes:.2} % of its bytes", contender.name);
    }
}

/// Returns the durations of a file, and of a megabyte that is deflated. Every file is in two archives.
fn for_the_cost_model(large: &BTreeMap<&str, Measured>, small: &BTreeMap<&str, Measured>) -> Value {
    let median =
        |of: &BTreeMap<&str, Measured>, name: &str| of.get(name).map(|one| one.times.median()).unwrap_or_default();
    let files = 2 * FILES as u32;
    let [deflated, stored] = ["zipfile, deflated", "zipfile, stored"].map(|name| median(small, name));
    let megabytes = f64::from(files) * SMALL_BYTES as f64 / 1e6;
    json!({
        "host": {
            "copyFile": duration(median(large, "the host") / files, "bundles: 17.9 MB, copied by SeaweedFS"),
            "zipFile": duration(median(small, "the host") / files, "bundles: 4 MB, from SeaweedFS on loopback"),
        },
        "functions": {
            "zipFile": duration(stored / files, "bundles: 4 MB, from SeaweedFS on loopback, stored"),
            "deflateMb": duration(deflated.saturating_sub(stored).div_f64(megabytes), "bundles: deflated less stored"),
        },
    })
}

async fn upload(client: &Client, workload: &Workload) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for number in 0..workload.files {
        let key = format!("{LISTING}/raw/video/horizontal/2026-01-02/{}-{number:02}.mp4", workload.name);
        let body = videos::make(number as u64, workload.file_bytes)?;
        let put = client.put_object().bucket(BUCKET).key(&key).content_type("video/mp4").body(body.into());
        put.send().await.with_context(|| format!("uploading {key}"))?;
        keys.push(key);
    }
    Ok(keys)
}

/// Deletes the archives, so that the next contender makes them again.
async fn delete_archives(client: &Client) -> Result<()> {
    let listed = client.list_objects_v2().bucket(BUCKET).prefix(format!("{LISTING}/zip/")).send().await?;
    for key in listed.contents().iter().filter_map(|object| object.key()) {
        client.delete_object().bucket(BUCKET).key(key).send().await.with_context(|| format!("deleting {key}"))?;
    }
    Ok(())
}
