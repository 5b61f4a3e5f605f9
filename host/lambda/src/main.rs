//! The `bootstrap` of the Lambda function.
//!
//! It assembles the host from the environment variables and passes every event to the dispatcher, which is the same as in a
//! local run. It has no compiler: stages come precompiled, in the package or from the registry.

mod deadline;
mod function;
mod settings;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};

use crate::function::{Function, Refusal};
use crate::settings::Settings;

fn main() -> ExitCode {
    if let Err(error) = stagehost_telemetry::init_logging() {
        eprintln!("bootstrap: {error}");
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the host cannot start");
            eprintln!("bootstrap: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut stop = signal(SignalKind::terminate()).context("no handler for SIGTERM")?;
        let function = Arc::new(Function::start(settings).await?);
        let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
            // Spawned onto a worker thread, so that the calls it begins need not wake another thread.
            let answer = tokio::spawn({
                let function = function.clone();
                async move { function.handle(event).await }
            });
            async { answer.await.unwrap_or_else(|broken| Err(Refusal::broken(&broken))) }
        });
        let runtime = Runtime::new(service).layer(MapRequestLayer::new(always_json));
        tokio::select! {
            // One invocation after the other, or as many at a time as AWS_LAMBDA_MAX_CONCURRENCY says: Lambda Managed Instances
            // set it.
            ended = runtime.run_concurrent() => ended.map_err(|error| anyhow::anyhow!("the runtime API: {error}")),
            _ = stop.recv() => {
                tracing::info!("SIGTERM: the host ends");
                Ok(())
            }
        }
    })
}

/// Turns a body that is not JSON into a JSON text, so that the dispatcher refuses it with its own error.
fn always_json(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<&RawValue>(&invocation.body).is_err() {
        let begins: String = String::from_utf8_lossy(&invocation.body).chars().take(100).collect();
        invocation.body = serde_json::Value::from(begins).to_string().into();
    }
    invocation
}
