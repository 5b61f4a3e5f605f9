//! `stagehost serve`: the pipeline's endpoints on this machine, to develop a backend against.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use clap::Args;
use serde_json::{Value, json};
use stagehost_console::{
    AcceptedHosts, ConsoleOptions, ConsoleParts, PinsDesk, S3MediaFiles, StateMachineSource, WebConsole,
};
use stagehost_local::CREDENTIALS;
use stagehost_local::receiver::BatchStarter;
use stagehost_states::NewExecution;
use stagehost_storage::Location;

use crate::exit::{Exit, usage};
use crate::local::pipeline::{Pipeline, PipelineArgs};
use crate::output::printer::Printer;
use crate::signals::Signals;
use crate::signing::args::KeyArgs;
use crate::web::bench::LocalBench;
use crate::web::calls::RecentCalls;
use crate::web::candidates::HostReports;
use crate::web::desk::{FileDesk, StoreDesk};
use crate::web::intake::PostedBatches;
use crate::web::receiver::StoredByReceiver;

/// How often the services are asked for news while a page of the console is open.
const POLL: Duration = Duration::from_millis(400);

#[derive(Args, Debug)]
#[command(after_help = "\
Any access key is accepted, in any region. There is no authentication: keep it on loopback.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 failure, 2 wrong usage or a missing file.

Examples:

  stagehost serve
  stagehost serve --port 0 --json
  stagehost serve \\
    --callback-url http://127.0.0.1:8000/callback \\
    --webhook-secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
  stagehost serve \\
    --pins pins --registry registry --allow-changes

The console, in a browser: http://127.0.0.1:4599

From another terminal, with the AWS CLI:

  export AWS_ENDPOINT_URL=http://127.0.0.1:4599
  aws s3 cp hall.jpg \\
    s3://toq-listing-medias/51/raw/photo/horizontal/hall.jpg
  aws stepfunctions start-execution \\
    --state-machine-arn ARN --input file://batch.json")]
pub struct ServeArgs {
    /// Port; 0 takes any free one
    #[arg(long, default_value_t = 4599)]
    port: u16,

    /// Address to bind; any address except loopback needs --allow-remote
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,

    /// Accept other machines: everybody who reaches the port may read, write and run everything here
    #[arg(long)]
    allow_remote: bool,

    #[command(flatten)]
    pipeline: PipelineArgs,

    /// Let the console change the pins of --pins, with the operator's key and the checks of `stagehost pins`; not with
    /// --allow-remote, because the console has no login
    #[arg(long, requires = "followed_pins", conflicts_with = "allow_remote")]
    allow_changes: bool,

    #[command(flatten)]
    key: KeyArgs,

    /// Print the endpoint, names, credentials and the callbacks' secret as one JSON line
    #[arg(long)]
    json: bool,
}

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// If a service does not start.
pub async fn serve(args: ServeArgs, printer: &Printer) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    if !args.bind.is_loopback() && !args.allow_remote {
        return Err(usage!(
            "other machines can reach --bind {}, and there is no authentication; add --allow-remote if that is wanted, or \
             leave --bind out",
            args.bind
        ));
    }
    let bind = SocketAddr::from((args.bind, args.port));
    let calls = Arc::new(RecentCalls::default());
    let starting = Pipeline::start(&args.pipeline, bind, args.allow_remote, calls.clone(), printer);
    let pipeline = match signals.or(starting).await {
        Ok(started) => started?,
        Err(stopped) => {
            printer.problem("stopping");
            return Ok(stopped);
        }
    };
    pipeline.aws.receiver().set_starter(Arc::new(Starter {
        states: pipeline.aws.states().clone(),
        state_machine: pipeline.state_machine.clone(),
    }));
    let pins = desk(&args, &pipeline, printer).await?;
    let console = pages(&pipeline, calls, pins, args.allow_remote)?;
    pipeline.aws.set_pages(console.router());
    let endpoint = pipeline.aws.endpoint();
    let facts = json!({
        "endpoint": endpoint,
        "console": format!("{endpoint}/console"),
        "stateMachineArn": pipeline.state_machine,
        "functionArn": pipeline.aws.function_arn(),
        "bucket": pipeline.aws.options().bucket,
        "folder": pipeline.bucket,
        "region": pipeline.aws.options().region,
        "callbackUrl": args.pipeline.callback_url.clone().unwrap_or_else(|| pipeline.aws.callback_url()),
        "webhookSecret": pipeline.aws.webhook_secret(),
        "accessKeyId": CREDENTIALS.0,
        "secretAccessKey": CREDENTIALS.1,
    });
    if args.json {
        printer.line(&facts);
    } else {
        printer.line(format_args!(
            "stagehost serves S3, Step Functions, Lambda, MediaConvert and the backend's endpoints at {endpoint}"
        ));
        for (name, value) in facts.as_object().into_iter().flatten().skip(1) {
            printer.line(format_args!("  {name:<16} {}", value.as_str().unwrap_or_default()));
        }
        printer.line("Ctrl-C stops it.");
    }
    // The program that started it reads the port in these lines, so without them the command ends.
    let shown = printer.finish();
    if shown.is_ok() {
        signals.stopped().await;
        printer.note("stagehost: stopping");
    }
    console.close();
    // A second signal ends at once.
    let _ = signals.or(pipeline.aws.shutdown()).await;
    shown.map(|()| Exit::Success)
}

/// Returns the pins that the pipeline runs with: those of the store that it follows, or those of the components that were built.
async fn desk(args: &ServeArgs, pipeline: &Pipeline, printer: &Printer) -> Result<Arc<dyn PinsDesk>> {
    let means = args.pipeline.follow.means(args.key.clone(), args.pipeline.state_machine.clone());
    let Some(means) = means else { return Ok(Arc::new(FileDesk(pipeline.pins.clone()))) };
    let reports = HostReports {
        canaries: Location::Folder(pipeline.canaries.clone()),
        media: Location::Folder(pipeline.bucket.clone()),
    };
    let fixed = (!args.allow_changes).then(|| {
        "Pins are shown and not changed here. Start serve with --allow-changes, and with a key that may sign pins, to change them."
            .to_owned()
    });
    Ok(Arc::new(StoreDesk::open(means, Some(reports), fixed, printer).await?))
}

/// Returns the console over the services of this machine.
fn pages(pipeline: &Pipeline, calls: Arc<RecentCalls>, pins: Arc<dyn PinsDesk>, remote: bool) -> Result<WebConsole> {
    let (aws, clients) = (&pipeline.aws, &pipeline.clients);
    let receiver = Arc::new(StoredByReceiver(aws.receiver().clone()));
    let bucket = &aws.options().bucket;
    let parts = ConsoleParts {
        executions: Arc::new(StateMachineSource::new(clients.states.clone(), &pipeline.state_machine)),
        media: Arc::new(S3MediaFiles::new(clients.s3.clone(), bucket, clients.documents(), None)),
        calls: Some(calls),
        callbacks: Some(receiver.clone()),
        dead_letters: Some(receiver),
        pins: Some(pins.clone()),
        intake: Some(Arc::new(PostedBatches(aws.receiver().clone()))),
        bench: Some(Arc::new(LocalBench { host: pipeline.host.clone(), pins })),
    };
    let options = ConsoleOptions {
        title: "this machine".to_owned(),
        allow_changes: true,
        hosts: if remote { AcceptedHosts::Addresses } else { AcceptedHosts::Loopback },
        poll: POLL,
        endpoint: Some(aws.endpoint()),
        region: aws.options().region.clone(),
    };
    Ok(WebConsole::new(parts, options)?)
}

/// Starts an execution for `POST /api/v1/listings/{id}/media/batch`.
struct Starter {
    states: stagehost_states::States,
    state_machine: String,
}

#[async_trait]
impl BatchStarter for Starter {
    async fn start(&self, batch: Value) -> Result<String, String> {
        let name = stagehost_batch::parse(&batch).map_err(|e| e.to_string())?.execution_name();
        let arn = format!("{}:{name}", self.state_machine.replacen(":stateMachine:", ":execution:", 1));
        let new = NewExecution { name: Some(name), input: Some(batch.to_string()), trace_header: None };
        match self.states.start_execution(&self.state_machine, new) {
            Ok(execution) => Ok(execution.info().arn.clone()),
            // The name follows from the job, so this is its execution.
            Err(error) if error.name == "ExecutionAlreadyExists" => Ok(arn),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn exists(&self, execution_arn: &str) -> bool {
        self.states.execution(execution_arn).is_ok()
    }
}
