//! How many executions the local Step Functions runs one after the other, and what a large input costs states that do not
//! read it. `tests/bench/README.md` says how to run it and has the results.
//!
//! Requests go over HTTP on loopback. The end of an execution is awaited within the process, so that no polling is measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use stagehost_asl::{Resource, Resources, Status, TaskCall, TaskError, Unsupported};
use stagehost_states::{States, StatesOptions};
use stagehost_tests::cost_durations::BenchArguments;
use stagehost_tests::statistics::Times;

const ROUNDS: usize = 10_000;
/// The size of the large input, in bytes.
const LARGE: usize = 240_000;
/// By how many states the longer machine is longer.
const MORE_STATES: u32 = 100;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let arguments = BenchArguments::read(ROUNDS)?;
    let rounds = arguments.rounds;
    let service = Service::start().await?;
    let small = json!({"listingId": 51});
    let large = large();
    let short = service.create("short", &passing(1)).await?;
    let long = service.create("long", &passing(1 + MORE_STATES)).await?;
    let task = service.create("task", &with_task()).await?;

    println!(
        "\n| Executions in a row | A second | ms: median (10th–90th percentile) | Resident after them |\n|---|---|---|---|"
    );
    for (what, machine, input, rounds) in [
        ("Pass, Choice, Succeed", &short, &small, rounds),
        ("the same with a Task that answers at once", &task, &small, rounds),
        ("Pass, Choice, Succeed, with 240 kB of input", &short, &large, rounds / 10),
    ] {
        let (times, took) = service.run(machine, input, rounds).await?;
        // The rounds of a benchmark are few.
        #[allow(clippy::cast_precision_loss)]
        let a_second = rounds as f64 / took.as_secs_f64();
        println!("| {what} | {a_second:.0} | {} | {} |", times.summary(), resident());
    }
    let (few, _) = service.run(&short, &large, rounds / 100).await?;
    let (many, _) = service.run(&long, &large, rounds / 100).await?;
    let each = many.median().saturating_sub(few.median()) / MORE_STATES;
    println!("\nA state that does not read its 240 kB of input takes {:.1} µs.", each.as_secs_f64() * 1e6);
    arguments.write(&json!({}))
}

/// The service on loopback.
struct Service {
    states: States,
    client: reqwest::Client,
    url: String,
}

impl Service {
    async fn start() -> Result<Self> {
        let states = States::new(StatesOptions::new("eu-west-1", "111122223333", Arc::new(Echo)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let router = states.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { states, client: reqwest::Client::builder().no_proxy().build()?, url })
    }

    async fn call(&self, operation: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(&self.url).header("x-amz-target", format!("AWSStepFunctions.{operation}"));
        let response = request.body(body.to_string()).send().await?;
        let (status, body) = (response.status(), response.bytes().await?);
        ensure!(status.is_success(), "{operation} was answered with {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    async fn create(&self, name: &str, definition: &Value) -> Result<String> {
        let role = "arn:aws:iam::111122223333:role/bench";
        let request = json!({"name": name, "definition": definition.to_string(), "roleArn": role});
        let made = self.call("CreateStateMachine", &request).await?;
        Ok(made["stateMachineArn"].as_str().context("a machine without an ARN")?.to_owned())
    }

    /// Runs executions one after the other. Returns how long each took, and all of them together.
    async fn run(&self, machine: &str, input: &Value, rounds: usize) -> Result<(Times, Duration)> {
        let request = json!({"stateMachineArn": machine, "input": input.to_string()});
        let mut times = Times::new();
        let begun = Instant::now();
        for _ in 0..rounds.max(1) {
            let one = Instant::now();
            let started = self.call("StartExecution", &request).await?;
            let arn = started["executionArn"].as_str().context("an execution without an ARN")?;
            let outcome = self.states.execution(arn)?.wait().await;
            ensure!(outcome.status == Status::Succeeded, "an execution ended as {outcome:?}");
            times.add(one.elapsed());
        }
        Ok((times, begun.elapsed()))
    }
}

/// Answers every task with its parameters.
struct Echo;

#[async_trait]
impl Resources for Echo {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        Ok(call.parameters)
    }
}

/// Returns a machine of this many Pass states, a Choice and a Succeed state.
fn passing(count: u32) -> Value {
    let mut states = Map::new();
    for at in 0..count {
        let next = if at + 1 < count { format!("Pass{}", at + 1) } else { "Choose".to_owned() };
        states.insert(format!("Pass{at}"), json!({"Type": "Pass", "Next": next}));
    }
    let rule = json!({"Variable": "$.listingId", "NumericGreaterThan": 0, "Next": "Done"});
    states.insert("Choose".into(), json!({"Type": "Choice", "Choices": [rule], "Default": "Done"}));
    states.insert("Done".into(), json!({"Type": "Succeed"}));
    json!({"StartAt": "Pass0", "States": states})
}

fn with_task() -> Value {
    let mut machine = passing(1);
    machine["States"]["Choose"]["Choices"][0]["Next"] = "Work".into();
    machine["States"]["Work"] = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Done",
        "Parameters": {"FunctionName": "f", "Payload.$": "$"}
    });
    machine
}

/// Returns an input like the document of a large batch.
fn large() -> Value {
    let asset =
        |at: usize| json!({"key": format!("51/raw/photo/vertical/2026-01-02/{at}.jpg"), "bytes": at, "valid": true});
    let one = asset(1_000).to_string().len() + 1;
    json!({"listingId": 51, "assets": (0..LARGE / one).map(asset).collect::<Vec<_>>()})
}

/// Returns the resident memory of this process as text.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.map_or("unknown".to_owned(), |kib| format!("{} MiB", kib / 1024))
}
