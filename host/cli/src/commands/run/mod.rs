//! `stagehost run`: a batch from upload to callback, on this machine.

mod intake;
mod report;
mod watch;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use aws_sdk_s3::primitives::ByteStream;
use clap::Args;
use serde_json::Value;
use stagehost_asl::{Detail, Event, Execution, Status};
use stagehost_batch::Batch;

use self::intake::Intake;
use self::report::{Report, Timing};
use self::watch::{Telling, Watch};
use crate::exit::Exit;
use crate::local::pipeline::{Pipeline, PipelineArgs};

/// How long after the end of the execution a callback may still arrive: it was answered before the state ended.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 everything succeeded, 3 some files failed, 1 failure, 2 wrong usage, 130 Ctrl-C.

Examples:
  stagehost run samples/listing
  stagehost run ~/photos/house-51 --listing 51 --out /tmp/bucket
  stagehost run batch.json --media ~/photos/house-51 --json > result.json
  stagehost run samples/listing --stage GenerateThumbnails=./my_stage.wasm")]
pub struct RunArgs {
    /// A folder of photos, videos and documents, or a batch document (JSON)
    input: PathBuf,

    /// Where a batch document's files are, by key or by name; without it they must be in the bucket
    #[arg(long, value_name = "DIR")]
    media: Option<PathBuf>,

    /// The listing that a folder's files belong to
    #[arg(long, value_name = "ID", default_value = "1")]
    listing: String,

    #[command(flatten)]
    pipeline: PipelineArgs,

    /// Print one JSON document on standard output: the callback's body, and what each state took
    #[arg(long)]
    json: bool,

    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// Wrong usage, or whatever keeps the batch from being run at all.
pub async fn run(args: RunArgs) -> Result<Exit> {
    let bucket = args.pipeline.out.join("toq-listing-medias");
    let intake = intake::read(&args.input, args.media.as_deref(), &args.listing, &bucket, &today())?;
    let watch = Arc::new(Watch::new(Telling::fitting(args.quiet)));
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let pipeline = Pipeline::start(&args.pipeline, bind, false, watch.clone()).await?;

    let outcome = tokio::select! {
        outcome = process(&pipeline, intake, &watch) => outcome,
        signal = tokio::signal::ctrl_c() => {
            signal.context("waiting for Ctrl-C")?;
            watch.finish();
            eprintln!("stagehost: stopping; nothing half-written stays");
            pipeline.aws.shutdown().await;
            return Ok(Exit::Interrupted);
        }
    };
    watch.finish();
    let location = pipeline.bucket.clone();
    pipeline.aws.shutdown().await;
    let finished = outcome?;

    let body = finished.callback.as_deref().map(serde_json::from_str::<Value>).transpose()?;
    let error = finished.error();
    let report = Report {
        callback: body.as_ref(),
        batch: finished.batch.as_ref(),
        timings: &finished.timings,
        execution_status: finished.status.as_str(),
        error: error.as_deref(),
        bucket: &location,
    };
    if args.json {
        println!("{:#}", report.json());
    } else {
        println!("{}", report.text());
    }
    Ok(report.exit())
}

/// An execution that is over.
struct Finished {
    status: Status,
    error: Option<(Option<String>, Option<String>)>,
    batch: Option<Batch>,
    timings: Vec<Timing>,
    /// The body of this execution's callback.
    callback: Option<String>,
}

impl Finished {
    fn error(&self) -> Option<String> {
        let (error, cause) = self.error.as_ref()?;
        let parts: Vec<_> = [error.as_deref(), cause.as_deref()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }
}

async fn process(pipeline: &Pipeline, intake: Intake, watch: &Watch) -> Result<Finished> {
    upload(pipeline, &intake, watch).await?;
    let batch = stagehost_batch::parse(&intake.batch).map_err(|e| crate::exit::usage!("the batch document: {e}"))?;
    let started = pipeline
        .clients
        .states
        .start_execution()
        .state_machine_arn(&pipeline.state_machine)
        .name(execution_name(&batch))
        .input(intake.batch.to_string())
        .send()
        .await
        .map_err(|e| anyhow!("the execution does not start: {}", aws_sdk_sfn::error::DisplayErrorContext(e)))?;
    let execution = pipeline.aws.states().execution(started.execution_arn()).map_err(|e| anyhow!("{e}"))?;
    let mut finished = follow(&execution, watch).await;
    if finished.batch.is_some() {
        let arn = execution.info().arn.clone();
        let arrived = pipeline.aws.receiver().wait_for(move |callback| callback.body.execution_arn == arn);
        // No callback is a result, too: it is reported as such.
        finished.callback = tokio::time::timeout(GRACE, arrived).await.ok().map(|callback| callback.raw);
    }
    Ok(finished)
}

/// The name that the queue consumer would give, and the time: who runs a batch again on purpose wants a new execution, and
/// the backend's receiver remembers the old one's callback.
fn execution_name(batch: &Batch) -> String {
    let mut name = batch.execution_name();
    // The service allows 80 characters, all of them ASCII here.
    name.truncate(64);
    let now = time::OffsetDateTime::now_utc();
    format!("{name}-{}{:03}", now.unix_timestamp(), now.millisecond())
}

/// Puts the files into the bucket, save those that are there already.
async fn upload(pipeline: &Pipeline, intake: &Intake, watch: &Watch) -> Result<()> {
    let total = intake.uploads.values().filter_map(|file| file.metadata().ok()).map(|m| m.len()).sum();
    let bar = watch.bar("upload", total);
    for (key, file) in &intake.uploads {
        let stored = pipeline.bucket.join(key);
        let there = stored.is_file() && tokio::task::block_in_place(|| same_bytes(file, &stored)).unwrap_or(false);
        if !there {
            let body = ByteStream::from_path(file).await.with_context(|| format!("cannot read {}", file.display()))?;
            let put = pipeline.clients.s3.put_object().bucket(&pipeline.aws.options().bucket).key(key).body(body);
            put.send()
                .await
                .map_err(|e| anyhow!("cannot upload {key}: {}", aws_sdk_s3::error::DisplayErrorContext(e)))?;
        }
        bar.inc(file.metadata().map_or(0, |m| m.len()));
    }
    bar.finish_and_clear();
    Ok(())
}

/// Watches an execution to its end.
async fn follow(execution: &Execution, watch: &Watch) -> Finished {
    let mut events = execution.subscribe();
    let mut entered = HashMap::new();
    let mut timings = Vec::new();
    let mut last = None;
    while let Some(event) = events.next().await {
        let Event { timestamp, detail, .. } = event.as_ref();
        match detail {
            Detail::StateEntered { state, name, input } => {
                if shown(state.as_str()) {
                    watch.entered(name);
                }
                entered.insert(name.clone(), *timestamp);
                last = batch(input).or(last);
            }
            Detail::StateExited { state, name, output } => {
                if shown(state.as_str()) {
                    watch.exited(name);
                    if let Some(since) = entered.get(name) {
                        let duration = (*timestamp - *since).try_into().unwrap_or_default();
                        timings.push(Timing { state: name.clone(), duration });
                    }
                }
                last = batch(output).or(last);
            }
            _ => {}
        }
        if event.is_last() {
            break;
        }
    }
    let outcome = execution.wait().await;
    Finished {
        status: outcome.status,
        error: Some((outcome.error, outcome.cause)),
        batch: last,
        timings,
        callback: None,
    }
}

/// The states in which work is done.
fn shown(kind: &str) -> bool {
    matches!(kind, "Task" | "Map" | "Wait")
}

/// The batch in a state's input or output, once the host has written one: it carries the execution then.
fn batch(document: &Value) -> Option<Batch> {
    let places = ["/execution", "/branches/0/execution", "/0/execution"];
    let stamp = places.iter().find_map(|place| document.pointer(place))?;
    let execution = serde_json::from_value(stamp.clone()).ok()?;
    stagehost_batch::resume(document, &execution).ok()
}

/// `YYYY-MM-DD`, UTC.
fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}

/// Whether two files hold the same bytes.
fn same_bytes(a: &Path, b: &Path) -> std::io::Result<bool> {
    use std::io::Read;
    let (mut a, mut b) = (std::fs::File::open(a)?, std::fs::File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = a.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        b.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}
