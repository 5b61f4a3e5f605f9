//! A burst: one listing sends hundreds of batches at once. They share the calls that the function may have at the same time, and
//! the batches of other listings begin beside them. The state machine and the admission of jobs are the real ones; the queue,
//! Step Functions' list of executions and the function's limit are simulated, in virtual time.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use stagehost_asl::{
    Execution, Resource, Resources, StartRequest, StateMachine, TaskCall, TaskError, TokenBoard, Unsupported,
};
use tokio::time::{Instant, sleep};

use super::scenario::definition;
use stagehost_dispatch::JobAdmission;

/// The function's reserved concurrency, as in the template.
const CALLS: usize = 50;
const BURST: usize = 500;
const OTHERS: usize = 20;
/// As in the template.
const RUNNING: usize = 100;
const CONSUMERS: usize = 5;
/// After how many seconds Step Functions lists that an execution has begun or ended.
const LISTED_AFTER: Duration = Duration::from_secs(3);
/// How long a batch takes alone: see `takes`, and the transcoder.
const ALONE: f64 = 10.0 + 92.0 + 20.0 + 2.0;

/// The function, behind Lambda's limit of concurrent calls.
struct Limited {
    tokens: TokenBoard,
    running: Arc<AtomicUsize>,
    most: AtomicUsize,
    throttled: AtomicUsize,
    dead_letters: AtomicUsize,
    /// Every execution: when it began, and when it ended.
    executions: Mutex<BTreeMap<String, (Instant, Option<Instant>)>>,
    /// One for each process that takes messages of the queue.
    admissions: Vec<JobAdmission>,
}

impl Limited {
    /// The running executions, as they are listed.
    fn listed(&self) -> Vec<String> {
        let executions = self.executions.lock().unwrap();
        let runs = |(begun, ended): &(Instant, Option<Instant>)| {
            begun.elapsed() >= LISTED_AFTER && ended.is_none_or(|ended| ended.elapsed() < LISTED_AFTER)
        };
        executions.iter().filter(|(_, times)| runs(times)).map(|(name, _)| name.clone()).collect()
    }

    /// Waits until a job is admitted.
    async fn admit(&self, name: &str, number: usize) {
        for delivery in 0.. {
            let admission = &self.admissions[(number + delivery) % CONSUMERS];
            let (listed, now) = (self.listed(), Instant::now().into_std());
            if admission.admits(name, listed.iter().map(String::as_str), now) {
                return admission.started(name, now);
            }
            sleep(Duration::from_secs(JobAdmission::wait(&format!("{name} {delivery}")).into())).await;
        }
    }
}

/// How long a call of a state takes.
fn takes(state: &str) -> Duration {
    Duration::from_secs(match state {
        "GenerateThumbnails" => 40,
        "CreateZipBundle" => 20,
        "ValidateRawAssets" => 10,
        _ => 2,
    })
}

#[async_trait]
impl Resources for Limited {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        if matches!(&call.resource, Resource::Service { service, .. } if service == "sqs") {
            self.dead_letters.fetch_add(1, Ordering::Relaxed);
            return Ok(json!({"MessageId": "1", "MD5OfMessageBody": "0"}));
        }
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        if running > CALLS {
            self.running.fetch_sub(1, Ordering::Relaxed);
            self.throttled.fetch_add(1, Ordering::Relaxed);
            return Err(TaskError::new("Lambda.TooManyRequestsException", "Rate Exceeded."));
        }
        self.most.fetch_max(running, Ordering::Relaxed);
        sleep(takes(&call.state)).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        let payload = &call.parameters["Payload"];
        let mut batch = match payload["batch"]["branches"].as_array() {
            Some(branches) => branches[0].clone(),
            None => payload["batch"].clone(),
        };
        if call.state == "ValidateRawAssets" {
            batch["counts"] = json!({"total": 2, "valid": 2, "videos": 1});
        }
        if let Some(token) = payload["taskToken"].as_str().map(str::to_owned) {
            let tokens = self.tokens.clone();
            let answer = batch.clone();
            tokio::spawn(async move {
                sleep(Duration::from_secs(90)).await;
                let _ = tokens.send_success(&token, answer);
            });
        }
        Ok(json!({"ExecutedVersion": "1", "Payload": batch, "StatusCode": 200}))
    }
}

/// Runs one job that is sent after so many milliseconds. Returns its status, and how many seconds it took with its time in the
/// queue.
async fn run(
    parsed: Arc<StateMachine>,
    function: Arc<Limited>,
    number: usize,
    name: String,
    after: u64,
) -> (String, f64) {
    sleep(Duration::from_millis(after)).await;
    let begun = Instant::now();
    function.admit(&name, number).await;
    function.executions.lock().unwrap().insert(name.clone(), (Instant::now(), None));
    let request = StartRequest {
        arn: format!("arn:aws:states:us-east-1:000000000000:execution:media:{name}"),
        name: name.clone(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:media".into(),
        state_machine_name: "media".into(),
        role_arn: "arn:aws:iam::000000000000:role/any".into(),
        input: json!({"listingId": 51, "assets": []}),
        ..StartRequest::default()
    };
    let tokens = function.tokens.clone();
    let outcome = Execution::start(parsed, request, function.clone(), tokens).wait().await;
    if let Some((_, ended)) = function.executions.lock().unwrap().get_mut(&name) {
        *ended = Some(Instant::now());
    }
    (outcome.error.unwrap_or_else(|| outcome.status.as_str().into()), begun.elapsed().as_secs_f64())
}

#[test]
fn five_hundred_batches_that_share_fifty_calls_all_succeed_and_hardly_delay_those_of_other_listings() {
    let parsed = Arc::new(StateMachine::parse(&definition().unwrap().to_string()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let tokens = TokenBoard::new();
    let function = Arc::new(Limited {
        tokens,
        running: Arc::default(),
        most: AtomicUsize::default(),
        throttled: AtomicUsize::default(),
        dead_letters: AtomicUsize::default(),
        executions: Mutex::default(),
        admissions: (0..CONSUMERS).map(|_| JobAdmission::new(RUNNING, CONSUMERS)).collect(),
    });
    let (burst, others, whole) = runtime.block_on(async {
        let begun = Instant::now();
        let start = |number: usize, listing: usize, after: usize| {
            let name = format!("listing-{listing}_batch-{number}_job-1_retry-0");
            tokio::spawn(run(parsed.clone(), function.clone(), number, name, after as u64))
        };
        let burst: Vec<_> = (0..BURST).map(|n| start(n, 50, 4 * n)).collect();
        // Other listings send a batch each while the burst is at its height.
        let others: Vec<_> = (0..OTHERS).map(|n| start(n, 100 + n, 60_000 + 5_000 * n)).collect();
        let (mut of_burst, mut of_others) = (Vec::new(), Vec::new());
        for one in burst {
            of_burst.push(one.await.unwrap());
        }
        let whole = begun.elapsed().as_secs_f64();
        for one in others {
            of_others.push(one.await.unwrap());
        }
        (of_burst, of_others, whole)
    });
    let mean = |all: &[(String, f64)]| all.iter().map(|(_, seconds)| seconds).sum::<f64>() / all.len() as f64;
    let slowest = others.iter().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
    println!(
        "{BURST} batches: {whole:.0} s, {:.0} s each; others: {:.0} s each, {slowest:.0} s at most; {} calls throttled",
        mean(&burst),
        mean(&others),
        function.throttled.load(Ordering::Relaxed)
    );
    let failed: Vec<_> = burst.iter().chain(&others).filter(|(status, _)| status != "SUCCEEDED").collect();
    assert!(failed.is_empty(), "{} of them: {:?}", failed.len(), &failed[..failed.len().min(5)]);
    assert_eq!(function.dead_letters.load(Ordering::Relaxed), 0);
    assert_eq!(function.most.load(Ordering::Relaxed), CALLS, "the burst is large enough to fill the function");
    assert!(mean(&others) < 1.5 * ALONE, "batches of other listings took {} s each, alone {ALONE} s", mean(&others));
    assert!(slowest < whole / 2.0, "a batch of another listing took {slowest} s, the whole burst {whole} s");
}
