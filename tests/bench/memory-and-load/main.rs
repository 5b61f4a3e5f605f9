//! Ten thousand invocations of one process: the time of each, and the memory and descriptors that stay in use. `tests/bench/README.md` says how to run
//! it and has the results.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stagehost_tests::file;
use stagehost_tests::package::{environment, released_package, state};
use stagehost_tests::runtime_api::{Deadline, Function};
use stagehost_tests::seaweed::{CREDENTIALS, Seaweed};
use stagehost_tests::statistics::Times;

const BUCKET: &str = "medias";
const INVOCATIONS: usize = 10_000;
const SETTLED: usize = 1_000;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(load())
}

async fn load() -> Result<()> {
    let server = Seaweed::start()?;
    let client = server.bucket(BUCKET).await?;
    let key = "51/raw/project/doc/2026-01-02/description.pdf";
    let document = std::fs::read(file("samples/listing/description.pdf"))?;
    client.put_object().bucket(BUCKET).key(key).body(document.into()).send().await?;

    let batch = |assets: Value| json!({"listingId": 51, "batchId": 5, "jobId": 4, "assets": assets});
    let of_host = || -> Result<(Command, Vec<(String, String)>)> {
        let package = &released_package()?.folder;
        let mut variables = environment(package, &server.endpoint(), BUCKET);
        for (name, value) in [("AWS_ACCESS_KEY_ID", CREDENTIALS.0), ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1)] {
            variables.push((name.to_owned(), value.to_owned()));
        }
        Ok((Command::new(package.join("bootstrap")), variables))
    };
    let tiny = || {
        let mut command = Command::new("python3");
        command.arg("-B").arg(file("tests/python/tiny_function.py"));
        (command, vec![])
    };

    println!("{INVOCATIONS} invocations each, of one process\n");
    println!(
        "| Event | p50 | p99 | Resident at {SETTLED} | at {INVOCATIONS} | Descriptors | Ends after SIGTERM |\n\
         |---|---|---|---|---|---|---|"
    );
    let health = json!({"source": "stagehost.health"});
    let one = state("ValidateRawAssets", batch(json!([key])));
    let (command, variables) = tiny();
    measure("the emulation alone: a few lines of Python that echo", command, variables, &json!({"n": 1})).await?;
    let (command, variables) = of_host()?;
    measure("health", command, variables, &health).await?;
    let (command, variables) = of_host()?;
    measure("`ValidateRawAssets`, a PDF of 977 bytes in S3", command, variables, &one).await?;
    Ok(())
}

async fn measure(what: &str, command: Command, variables: Vec<(String, String)>, payload: &Value) -> Result<()> {
    let function = Function::start(command, variables).await?;
    let mut times = Times::default();
    let mut settled = (0, 0);
    for n in 1..=INVOCATIONS {
        let begun = Instant::now();
        let answer = function.invoke(payload, Deadline::USUAL).await;
        times.add(begun.elapsed());
        answer.with_context(|| format!("{what}: {:#?}", function.lines().iter().rev().take(5).collect::<Vec<_>>()))?;
        if n == SETTLED {
            settled = (function.resident_bytes()?, function.descriptors()?);
        }
        // The log would grow in this process.
        function.forget_lines();
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let (resident, descriptors) = (function.resident_bytes()?, function.descriptors()?);
    let begun = Instant::now();
    function.terminate().await?;
    let ended = begun.elapsed();
    println!(
        "| {what} | {:.0} µs | {:.0} µs | {:.1} MiB | {:.1} MiB | {} → {} | {:.1} ms |",
        us(times.median()),
        us(times.quantile(0.99)),
        mib(settled.0),
        mib(resident),
        settled.1,
        descriptors,
        us(ended) / 1e3,
    );
    Ok(())
}
