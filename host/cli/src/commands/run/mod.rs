//! `stagehost run`: a batch from upload to callback, on this machine.

mod follow;
pub mod intake;
mod last_output;
pub mod report;
mod timing;
mod upload;
pub mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::Value;
use stagehost_batch::Batch;

pub use self::follow::Finished;
use self::follow::follow;
use self::intake::Intake;
use self::report::Report;
use self::upload::upload;
use self::watch::Watch;
use crate::exit::{Exit, usage};
use crate::local::pipeline::{Pipeline, PipelineArgs};
use crate::output::printer::Printer;
use crate::signals::Signals;

/// How long after the end of the execution its callback may still be in progress.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 everything succeeded, 3 some files failed, 1 failure or no callback, 2 wrong usage or a missing file, 130 \
stopped by Ctrl-C, 143 by SIGTERM.

Examples:

  stagehost run samples/listing
  stagehost run ~/photos/house-51 --listing 51 \\
    --out /tmp/out
  stagehost run batch.json --media ~/photos/house-51 \\
    --json > result.json
  stagehost run samples/listing \\
    --stage GenerateThumbnails=./my_stage.wasm")]
pub struct RunArgs {
    /// A folder of photos, videos and documents, or a batch document (JSON)
    input: PathBuf,

    /// The folder with a batch document's files, by key or by name; without it they must be in the bucket
    #[arg(long, value_name = "DIR")]
    media: Option<PathBuf>,

    /// The listing that a folder's files belong to
    #[arg(long, value_name = "ID", default_value = "1")]
    listing: String,

    #[command(flatten)]
    pipeline: PipelineArgs,

    /// Print one JSON document: the callback's body, whether it was delivered, and how long each state took
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the command line is wrong, or the batch cannot be started.
pub async fn run(args: RunArgs, printer: &Printer) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let bucket = args.pipeline.out.join("toq-listing-medias");
    let intake = intake::read(&args.input, args.media.as_deref(), &args.listing, &bucket, &today())?;
    for note in &intake.notes {
        printer.note(note);
    }
    let watch = Arc::new(Watch::new(printer));
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let pipeline = match signals.or(Pipeline::start(&args.pipeline, bind, false, watch.clone(), printer)).await {
        Ok(started) => started?,
        Err(stopped) => {
            printer.problem("stopping");
            return Ok(stopped);
        }
    };

    let outcome = signals.or(run_batch(&pipeline, intake, &watch, printer)).await;
    watch.finish();
    if outcome.is_err() {
        printer.problem("stopping; nothing half-written stays");
    }
    let bucket = pipeline.bucket.clone();
    // Before the services stop: a large batch is read from the bucket.
    let batch = match &outcome {
        Ok(Ok((finished, _))) => finished.batch(&pipeline.clients.documents()).await.unwrap_or_else(|error| {
            printer.problem(format_args!("the batch's document cannot be read, so there is no table: {error:#}"));
            None
        }),
        Ok(Err(_)) | Err(_) => None,
    };
    // A second signal ends at once.
    let _ = signals.or(pipeline.aws.shutdown()).await;
    let (finished, callback) = match outcome {
        Ok(processed) => processed?,
        Err(stopped) => return Ok(stopped),
    };

    let body = callback.as_deref().map(serde_json::from_str::<Value>).transpose()?;
    // Without a callback nobody else says why the backend was not told.
    let untold =
        finished.failed_call().filter(|_| body.is_none()).map(|call| format!("the last call that failed: {call}"));
    let reasons: Vec<_> = finished.error().into_iter().chain(untold).collect();
    let error = (!reasons.is_empty()).then(|| reasons.join("\n"));
    let outputs = watch.take_outputs();
    let report = Report {
        outputs: &outputs,
        callback: body.as_ref(),
        batch: batch.as_ref(),
        timings: &finished.timings,
        execution_status: finished.status.as_str(),
        error: error.as_deref(),
        bucket: &bucket,
    };
    if args.json {
        printer.document(&report.json());
    } else {
        printer.line(report.text());
    }
    Ok(report.exit())
}

/// Uploads the files, runs the execution. Returns it with its callback's body.
///
/// # Errors
/// If a file cannot be uploaded, or the execution cannot be started.
pub async fn run_batch(
    pipeline: &Pipeline,
    intake: Intake,
    watch: &Watch,
    printer: &Printer,
) -> Result<(Finished, Option<String>)> {
    upload(pipeline, &intake, printer).await?;
    let batch = stagehost_batch::parse(&intake.batch).map_err(|e| usage!("the batch document: {e}"))?;
    let started = pipeline
        .clients
        .states
        .start_execution()
        .state_machine_arn(&pipeline.state_machine)
        .name(execution_name(&batch))
        .input(intake.batch.to_string())
        .send()
        .await
        .map_err(|e| anyhow!("the execution does not start: {}", stagehost_storage::sdk_reason(&e)))?;
    let execution = pipeline.aws.states().execution(started.execution_arn()).map_err(|e| anyhow!("{e}"))?;
    let finished = follow(&execution, watch).await;
    let mut callback = None;
    if finished.was_handled() {
        let arn = execution.info().arn.clone();
        let arrived = pipeline.aws.receiver().wait_for(move |callback| callback.body.execution_arn == arn);
        callback = tokio::time::timeout(GRACE, arrived).await.ok().map(|callback| callback.raw);
    }
    Ok((finished, callback))
}

/// Returns the name that the queue consumer would give, and the time: a batch that is run again needs a new execution, because
/// the receiver keeps the old one's callback.
fn execution_name(batch: &Batch) -> String {
    let mut name = batch.execution_name();
    // The service allows 80 characters, all of them ASCII here.
    name.truncate(64);
    let now = time::OffsetDateTime::now_utc();
    format!("{name}-{}{:03}", now.unix_timestamp(), now.millisecond())
}

/// Returns today's date in UTC as `YYYY-MM-DD`.
pub fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}
