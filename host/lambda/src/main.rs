//! The `bootstrap` of the Lambda function.
//!
//! It puts the host together from the environment and then hands every event to the dispatcher, which decides all else:
//! the same dispatcher that runs on one machine. There is no compiler in here; stages come precompiled with the package.

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
        let service = service_fn(|event: LambdaEvent<Box<RawValue>>| {
            // On a worker thread: the calls that it begins then need not wake another one.
            let answer = tokio::spawn({
                let function = function.clone();
                async move { function.handle(event).await }
            });
            async { answer.await.unwrap_or_else(|broken| Err(Refusal::broken(&broken))) }
        });
        let runtime = Runtime::new(service).layer(MapRequestLayer::new(always_json));
        tokio::select! {
            ended = runtime.run() => ended.map_err(|error| anyhow::anyhow!("the runtime API: {error}")),
            _ = stop.recv() => {
                tracing::info!("SIGTERM: the host ends");
                Ok(())
            }
        }
    })
}

/// A body that is no JSON becomes a JSON text, which the dispatcher refuses by its own error name.
fn always_json(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if serde_json::from_slice::<&RawValue>(&invocation.body).is_err() {
        let begins: String = String::from_utf8_lossy(&invocation.body).chars().take(100).collect();
        invocation.body = serde_json::Value::from(begins).to_string().into();
    }
    invocation
}
