//! `stagehost serve`: the pipeline's endpoints for any AWS SDK, so that a backend can be developed against it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use clap::Args;
use serde_json::{Value, json};
use stagehost_local::CREDENTIALS;
use stagehost_local::receiver::BatchStarter;
use stagehost_states::NewExecution;

use crate::exit::Exit;
use crate::local::pipeline::{Pipeline, PipelineArgs};

#[derive(Args, Debug)]
#[command(after_help = "\
Example, with the AWS CLI:
  aws --endpoint-url http://127.0.0.1:4599 s3 cp kitchen.jpg s3://toq-listing-medias/51/raw/photo/horizontal/kitchen.jpg
  aws --endpoint-url http://127.0.0.1:4599 stepfunctions start-execution --state-machine-arn ARN --input file://batch.json

Any access key is accepted; the region does not matter. There is no authentication: keep it on loopback.")]
pub struct ServeArgs {
    /// Port; 0 takes any free one
    #[arg(long, default_value_t = 4599)]
    port: u16,

    /// Address to bind; anything but loopback needs --allow-remote
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,

    /// Let other machines in: anybody who reaches the port may read, write and run everything here
    #[arg(long)]
    allow_remote: bool,

    #[command(flatten)]
    pipeline: PipelineArgs,

    /// Print where everything is as one JSON line
    #[arg(long)]
    json: bool,
}

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// Whatever keeps the services from starting.
pub async fn serve(args: ServeArgs) -> Result<Exit> {
    let bind = SocketAddr::from((args.bind, args.port));
    let pipeline = Pipeline::start(&args.pipeline, bind, args.allow_remote, Arc::new(())).await?;
    pipeline.aws.receiver().set_starter(Arc::new(Starter {
        states: pipeline.aws.states().clone(),
        state_machine: pipeline.state_machine.clone(),
    }));
    let endpoint = pipeline.aws.endpoint();
    let facts = json!({
        "endpoint": endpoint,
        "stateMachineArn": pipeline.state_machine,
        "functionArn": pipeline.aws.function_arn(),
        "bucket": pipeline.aws.options().bucket,
        "folder": pipeline.bucket,
        "region": pipeline.aws.options().region,
        "callbackUrl": pipeline.aws.callback_url(),
        "accessKeyId": CREDENTIALS.0,
        "secretAccessKey": CREDENTIALS.1,
    });
    if args.json {
        println!("{facts}");
    } else {
        println!("stagehost serves S3, Step Functions, Lambda, MediaConvert and the backend's endpoints at {endpoint}");
        for (name, value) in facts.as_object().into_iter().flatten().skip(1) {
            println!("  {name:<16} {}", value.as_str().unwrap_or_default());
        }
        println!("Ctrl-C stops it.");
    }
    stop_signal().await?;
    eprintln!("stagehost: stopping");
    pipeline.aws.shutdown().await;
    Ok(Exit::Success)
}

async fn stop_signal() -> Result<()> {
    #[cfg(unix)]
    {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).context("waiting for SIGTERM")?;
        tokio::select! {
            signal = tokio::signal::ctrl_c() => signal.context("waiting for Ctrl-C"),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}

/// What `POST /api/v1/listings/{id}/media/batch` leads to.
struct Starter {
    states: stagehost_states::States,
    state_machine: String,
}

#[async_trait]
impl BatchStarter for Starter {
    async fn start(&self, batch: Value) -> Result<String, String> {
        let name = stagehost_batch::parse(&batch).map_err(|e| e.to_string())?.execution_name();
        let new = NewExecution { name: Some(name), input: Some(batch.to_string()), trace_header: None };
        let execution =
            self.states.start_execution(&self.state_machine, new).map_err(|e| anyhow!("{e}").to_string())?;
        Ok(execution.info().arn.clone())
    }
}
