//! `stagehost console`: the console's pages over a deployed stack.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use stagehost_aws::{AwsOptions, Clients};
use stagehost_console::{
    AcceptedHosts, CallJournal, ConsoleOptions, ConsoleParts, DeadLetterQueue, ExecutionSource, LoggedCalls, PinsDesk,
    S3MediaFiles, SqsDeadLetters, StateMachineSource, WebConsole,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::exit::{Exit, usage};
use crate::output::printer::Printer;
use crate::pinning::change::ChangeMeans;
use crate::signals::Signals;
use crate::stack_outputs::{StackOutputs, region_of};
use crate::web::candidates::HostReports;
use crate::web::desk::StoreDesk;
use crate::web::intake::StartedBatches;

/// How often Step Functions is asked for news while a page is open, so that an event is on the page within a second. It allows some
/// five such requests a second (Step Functions Developer Guide, "Service quotas").
const POLL: Duration = Duration::from_millis(800);

/// How long requests may go on after a signal.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Args)]
#[command(after_help = "\
The console reads with the rights of the AWS CLI's credentials and is read-only unless --allow-changes is given. Only this \
machine can open it.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 failure, 2 wrong usage or a missing file.

Examples:

  stagehost console --stack listing-media-staging
  stagehost console \\
    --state-machine-arn \"$ARN\" \\
    --bucket toq-listing-medias \\
    --pins s3://toq-listing-medias/pipeline/pins \\
    --allow-changes")]
pub struct ConsoleArgs {
    /// The deployed stack; its outputs are read with `aws cloudformation describe-stacks`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["stack_outputs", "state_machine_arn", "bucket"])]
    stack: Option<String>,

    /// The answer of `aws cloudformation describe-stacks`, as JSON; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["state_machine_arn", "bucket"])]
    stack_outputs: Option<std::path::PathBuf>,

    /// The ARN of the state machine, instead of a stack
    #[arg(long, value_name = "ARN", requires = "bucket")]
    state_machine_arn: Option<String>,

    /// The media bucket, instead of that of a stack
    #[arg(long, value_name = "NAME", requires = "state_machine_arn")]
    bucket: Option<String>,

    /// Start and stop batches, upload files and change pins
    #[arg(long)]
    allow_changes: bool,

    /// Port of 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 4600)]
    port: u16,

    #[command(flatten)]
    means: ChangeMeans,
}

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// If no stack is named, its outputs cannot be read, or the port is in use.
pub async fn console(args: ConsoleArgs, printer: &Printer) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let Place { title, machine, bucket, dead_letters, logs } = place(&args).await?;
    let region = region_of(&machine)?;
    let address = SocketAddr::from((IpAddr::V4(Ipv4Addr::LOCALHOST), args.port));
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot use {address}"))?;
    let address = listener.local_addr()?;

    let kms_key = std::env::var("MEDIA_KMS_KEY_ID").ok().filter(|key| !key.trim().is_empty());
    let options = AwsOptions { bucket: bucket.clone(), kms_key_id: kms_key.clone(), ..AwsOptions::default() };
    let clients = Clients::from_env(options).await;
    let executions: Arc<dyn ExecutionSource> = Arc::new(StateMachineSource::new(clients.states.clone(), &machine));
    let pins: Option<Arc<dyn PinsDesk>> = match args.means.pins.is_named() {
        true => {
            let reports = args.means.pins.bucket().map(HostReports::of_bucket);
            Some(Arc::new(StoreDesk::open(args.means.clone(), reports, None, printer).await?))
        }
        false => None,
    };
    let parts = ConsoleParts {
        executions: executions.clone(),
        media: Arc::new(S3MediaFiles::new(clients.s3.clone(), &bucket, clients.documents(), kms_key)),
        calls: logs
            .map(|group| Arc::new(LoggedCalls::new(clients.logs(), group, executions.clone())) as Arc<dyn CallJournal>),
        callbacks: None,
        dead_letters: dead_letters
            .map(|queue| Arc::new(SqsDeadLetters::new(clients.queues(), queue)) as Arc<dyn DeadLetterQueue>),
        pins,
        intake: Some(Arc::new(StartedBatches(executions))),
        bench: None,
    };
    let endpoint = std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty());
    let options = ConsoleOptions {
        title,
        allow_changes: args.allow_changes,
        hosts: AcceptedHosts::Loopback,
        poll: POLL,
        endpoint,
        region,
    };
    let console = WebConsole::new(parts, options)?;
    let url = format!("http://{address}/console");
    if args.means.pins.json {
        printer.line(json!({"url": url, "stateMachineArn": machine, "bucket": bucket}));
    } else {
        printer.line(format_args!("The console is at {url}. Ctrl-C stops it."));
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    let router = console.router();
    let serving = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
    signals.stopped().await;
    printer.note("stagehost: stopping");
    console.close();
    let _ = stop.send(());
    // A change of the pins has several steps, so requests have some time to end. A second signal ends at once.
    let _ = signals.or(timeout(GRACE, serving)).await;
    Ok(Exit::Success)
}

/// What is shown.
struct Place {
    title: String,
    /// ARN of the state machine.
    machine: String,
    bucket: String,
    /// ARN of the dead-letter queue.
    dead_letters: Option<String>,
    /// The log group of the host's function.
    logs: Option<String>,
}

/// Returns what the command line names.
async fn place(args: &ConsoleArgs) -> Result<Place> {
    if let (Some(machine), Some(bucket)) = (&args.state_machine_arn, &args.bucket) {
        let title = machine.split(':').nth(6).unwrap_or(machine).to_owned();
        return Ok(Place { title, machine: machine.clone(), bucket: bucket.clone(), dead_letters: None, logs: None });
    }
    let outputs = match (&args.stack, &args.stack_outputs) {
        (Some(stack), _) => StackOutputs::of_stack(stack).await?,
        (None, Some(file)) => StackOutputs::read(file)?,
        (None, None) => {
            return Err(usage!(
                "name the deployed stack with --stack or --stack-outputs, or its parts with --state-machine-arn and \
                 --bucket; `stagehost serve` has the console of this machine"
            ));
        }
    };
    Ok(Place {
        title: outputs.name(),
        machine: outputs.value("StateMachineArn")?,
        bucket: outputs.value("MediaBucketName")?,
        dead_letters: Some(outputs.queue_arn("DeadLetterQueueUrl")?),
        logs: Some(format!("/aws/lambda/{}", outputs.value("HostFunctionName")?)),
    })
}
