//! What the host itself takes for the calls that mostly wait for others: the callback, a video's submission, an event of its job,
//! and a sweep. `tests/bench/README.md` says how to run it and has the results; `--json FILE` writes them for `stagehost cost`.
//!
//! S3, the backend, Secrets Manager and MediaConvert are on loopback and answer at once, so their own time has to be added.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use stagehost_aws::ticket_id;
use stagehost_local::{LocalAws, LocalOptions};
use stagehost_tests::cost_durations::{BenchArguments, duration_and_waits};
use stagehost_tests::file;
use stagehost_tests::package::{ACCOUNT, environment, released_package, state};
use stagehost_tests::runtime_api::{Deadline, Function};
use stagehost_tests::statistics::Times;

const ROUNDS: usize = 101;
const VIDEO: &str = "51/raw/video/horizontal/2026-01-02/walk-through.mp4";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let arguments = BenchArguments::read(ROUNDS)?;
    let rounds = arguments.rounds;
    let folder = tempfile::tempdir()?;
    let aws = LocalAws::start(LocalOptions::new(folder.path().join("out"))).await?;
    let bucket = folder.path().join("out").join(&aws.options().bucket);
    let place = bucket.join(VIDEO);
    std::fs::create_dir_all(place.parent().context("a key without a folder")?)?;
    std::fs::copy(file("samples/listing/walk-through.mp4"), &place)?;
    let secret = json!({"SecretString": aws.webhook_secret()});
    let secrets = serve(Router::new().fallback(move || async move { Json(secret) })).await?;
    let submitted = Arc::new(AtomicU64::new(0));
    let transcoder = transcoder(submitted.clone()).await?;

    let package = &released_package()?.folder;
    let mut variables = environment(package, &aws.endpoint(), &aws.options().bucket);
    for (name, value) in [
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets),
        ("AWS_ENDPOINT_URL_MEDIACONVERT", transcoder),
        ("MEDIACONVERT_ROLE", format!("arn:aws:iam::{ACCOUNT}:role/mediaconvert")),
        ("CALLBACK_URL", aws.callback_url()),
    ] {
        variables.push((name.to_owned(), value));
    }
    let function = Function::start(Command::new(package.join("bootstrap")), variables).await?;
    let invoke = async |payload: &Value| -> Result<(Value, std::time::Duration)> {
        let begun = Instant::now();
        let answer = function.invoke(payload, Deadline::USUAL).await;
        let answer = answer.with_context(|| format!("{:#?}", function.lines()))?;
        Ok((answer, begun.elapsed()))
    };

    let [mut submission, mut event, mut callback, mut sweep] = [const { Times::new() }; 4];
    // No state waits yet, as in most sweeps.
    for round in 0..=rounds {
        let (swept, took) = invoke(&json!({"source": "stagehost.sweep"})).await?;
        ensure!(swept["swept"]["tickets"] == 0, "the sweep found {swept}");
        if round > 0 {
            sweep.add(took);
        }
    }
    // The first round fills caches and opens connections.
    for round in 0..=rounds {
        let batch = json!({"listingId": 51, "batchId": 5, "jobId": round, "assets": [VIDEO]});
        let (valid, _) = invoke(&of_execution(state("ValidateRawAssets", batch), round)).await?;
        ensure!(valid["counts"]["valid"] == 1, "the video was refused: {valid:#}");
        let mut waiting = of_execution(state("ProcessVideos", valid.clone()), round);
        waiting["taskToken"] = json!(format!("token-{round}"));
        let (_, took) = invoke(&waiting).await?;
        let (heard, heard_in) = invoke(&progress(&waiting, round)).await?;
        // Nobody waits with these tokens, which the host learns from Step Functions' answer to the heartbeat.
        ensure!(heard["outcome"] == "Gone", "the event ended as {heard}");
        let (_, told) = invoke(&of_execution(state("FinalizeAndCallback", valid), round)).await?;
        if round > 0 {
            submission.add(took);
            event.add(heard_in);
            callback.add(told);
        }
    }
    // Each execution submitted its own job, or something else was measured.
    let (jobs, told) = (submitted.load(Ordering::Relaxed), *aws.receiver().arrivals().borrow());
    ensure!(jobs == rounds as u64 + 1, "{jobs} jobs were submitted in {} executions", rounds + 1);
    ensure!(told == rounds as u64 + 1, "{told} callbacks of {} executions", rounds + 1);
    println!("\n{rounds} rounds; milliseconds: median (10th–90th percentile)\n\n| Call | ms |\n|---|---|");
    println!("| a video's submission: its headers, records, job, ticket | {} |", submission.summary());
    println!("| an event of its job: the ticket, a heartbeat | {} |", event.summary());
    println!("| the callback: signed, sent, answered | {} |", callback.summary());
    println!("| a sweep without tickets | {} |", sweep.summary());
    // What AWS and the backend take is not in these; the cost model assumes it.
    arguments.write(&json!({"host": {
        "submitVideo": duration_and_waits(submission.median(), "waits: headers, records, CreateJob, ticket", 240),
        "videoEvent": duration_and_waits(event.median(), "waits: the ticket, a heartbeat", 60),
        "callback": duration_and_waits(callback.median(), "waits: signed, sent, answered", 250),
        "sweep": duration_and_waits(sweep.median(), "waits: one listing of the bucket", 40),
    }}))
}

/// Returns MediaConvert's event that the job of a round goes on.
fn progress(waiting: &Value, round: usize) -> Value {
    let ticket = ticket_id(waiting["execution"]["arn"].as_str().unwrap_or_default(), "ProcessVideos");
    json!({
        "source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change",
        "detail": {"jobId": job_id(round as u64), "status": "STATUS_UPDATE", "userMetadata": {"ticket": ticket}}
    })
}

fn job_id(number: u64) -> String {
    format!("{}-waits1", 1_767_312_000_000 + number)
}

/// Every round is an execution of its own; within one, a job is submitted once.
fn of_execution(mut payload: Value, round: usize) -> Value {
    let arn = format!("arn:aws:states:us-east-1:{ACCOUNT}:execution:listing-media-processing-sm-test:batch-{round}");
    payload["execution"]["arn"] = json!(arn);
    payload["execution"]["name"] = json!(format!("batch-{round}"));
    payload
}

/// Starts a MediaConvert that accepts every job at once and never runs one.
async fn transcoder(submitted: Arc<AtomicU64>) -> Result<String> {
    let take = move || {
        let number = submitted.fetch_add(1, Ordering::Relaxed);
        let job = json!({"id": job_id(number), "status": "SUBMITTED"});
        async move { (StatusCode::CREATED, Json(json!({"job": job}))) }
    };
    serve(Router::new().route("/2017-08-29/jobs", post(take))).await
}

async fn serve(answer: Router) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, answer).await });
    Ok(format!("http://{address}"))
}
