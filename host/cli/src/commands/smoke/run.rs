//! Sends everything, then checks the results.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use serde_json::Value;

use super::batches::{self, DAMAGED_ONE, Sent, compare, expect};
use super::deployed::Deployed;
use super::expectations::{Expectations, Expected, listed};
use crate::output::printer::Printer;

/// The errors of a task whose host died, or could not be called.
const HOST_DIED: [&str; 8] = [
    "Lambda.Unknown",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
];

/// How long the command that kills the host has before the batch is started.
const ARMED: Duration = Duration::from_secs(2);

/// How to look.
#[derive(Clone, Copy, Debug)]
pub struct Looks<'a> {
    /// The command that kills the host.
    pub kill_host: Option<&'a str>,
    /// Leave out what emulators have not.
    pub emulator: bool,
}

/// Everything that was sent.
struct Everything {
    batches: Vec<(Sent, Value)>,
    unreadable: String,
    stopped: String,
}

/// Sends everything, then checks the results.
///
/// # Errors
/// If something cannot be sent.
pub async fn all(
    deployed: &Deployed,
    expectations: &mut Expectations,
    printer: &Printer,
    looks: Looks<'_>,
) -> Result<()> {
    let work = printer.begin("sending batches");
    let Everything { batches, unreadable, stopped } = send(deployed).await?;
    work.done();

    for (sent, batch) in &batches {
        let work = printer.begin(format!("waiting for the batch {:?}", sent.about));
        match deployed.ended(batch).await {
            Ok(end) => {
                if !looks.emulator {
                    expectations.add(Expected::Trace, sent.about, "in the batch's trace", trace_of(deployed, &end));
                }
                compare(deployed, expectations, sent, batch, &end).await;
                if sent.about == DAMAGED_ONE {
                    metrics(deployed, expectations, &end, looks).await;
                }
            }
            Err(error) => expectations.add(Expected::End, sent.about, sent.status, Err(error)),
        }
        work.done();
    }
    let end = deployed.end_of(&stopped).await.and_then(|end| expect(end.status().as_str(), "ABORTED"));
    expectations.add(Expected::End, "stopped", "ABORTED", end);
    // Before the dead letters are deleted, because no alarm goes off for a queue that is emptied within a minute.
    let work = printer.begin("looking at the alarms");
    alarms(deployed, expectations, looks).await;
    work.done();
    let work = printer.begin("waiting for dead letters");
    let letters = deployed.dead_letters(&[unreadable.as_str(), stopped.as_str()]).await;
    work.done();
    let kept = letters.into_iter().map(|letter| letter.map(|body| format!("{} bytes", body.len())));
    for (about, letter) in ["unreadable", "stopped"].into_iter().zip(kept) {
        expectations.add(Expected::DeadLetters, about, "kept in the dead-letter queue", letter);
    }
    // Last: a message that the killed host was working on comes back only after the queue's visibility timeout, 90 minutes.
    if let Some(command) = looks.kill_host {
        let work = printer.begin("waiting for the batch whose host is killed");
        killed_host(deployed, expectations, command).await?;
        work.done();
    }
    Ok(())
}

async fn send(deployed: &Deployed) -> Result<Everything> {
    let mut batches = Vec::new();
    for sent in batches::of_the_queue() {
        let batch = deployed.batch(&sent.files).await?;
        deployed.send(&batch.to_string()).await?;
        batches.push((sent, batch));
    }
    // It is not JSON, and names this run.
    let unreadable = format!("{{\"smoke\": {}", deployed.first_listing());
    deployed.send(&unreadable).await?;
    let stopped = deployed.batch(&batches::of_the_stopped()).await?;
    let stopped = deployed.start(&stopped).await?;
    deployed.stop(&stopped).await?;
    Ok(Everything { batches, unreadable, stopped })
}

/// Has the host killed while it works on a batch: the call is made again, and the batch ends well.
async fn killed_host(deployed: &Deployed, expectations: &mut Expectations, command: &str) -> Result<()> {
    let sent = batches::of_the_killed_host();
    let batch = deployed.batch(&sent.files).await?;
    let mut killing = tokio::process::Command::new("sh").args(["-c", command]).kill_on_drop(true).spawn();
    tokio::time::sleep(ARMED).await;
    deployed.start(&batch).await?;
    match deployed.ended(&batch).await {
        Ok(end) => {
            let again = deployed.errors_of(end.execution_arn()).await.and_then(|errors| {
                let died = errors.iter().find(|error| HOST_DIED.contains(&error.as_str()));
                died.cloned().with_context(|| {
                    format!("no call failed because its host died; the errors of the tasks: {}", listed(&errors))
                })
            });
            expectations.add(Expected::KilledHost, sent.about, "a call failed and was made again", again);
            compare(deployed, expectations, &sent, &batch, &end).await;
        }
        Err(error) => expectations.add(Expected::KilledHost, sent.about, sent.status, Err(error)),
    }
    let ran = match &mut killing {
        Ok(child) => match tokio::time::timeout(deployed.patience, child.wait()).await {
            Ok(ended) => ended.context("waiting for it").and_then(|status| {
                ensure!(status.success(), "{status}");
                Ok(status.to_string())
            }),
            Err(_) => Err(anyhow::anyhow!("it still runs after {} s", deployed.patience.as_secs())),
        },
        Err(error) => Err(anyhow::anyhow!("{error}")),
    };
    expectations.add(Expected::KilledHost, sent.about, "the command of --kill-host succeeds", ran);
    Ok(())
}

/// Returns the execution's trace header if it is in the trace of this run's batches.
fn trace_of(deployed: &Deployed, end: &DescribeExecutionOutput) -> Result<String> {
    let header = end.trace_header().context("the execution has no trace")?;
    ensure!(header.contains(&xray_id(&deployed.traceparent())), "another trace: {header}");
    Ok(header.to_owned())
}

/// Returns the trace's id in X-Ray's notation.
fn xray_id(traceparent: &str) -> String {
    stagehost_batch::TraceParent::parse(traceparent).map(|trace| trace.xray_id()).unwrap_or_default()
}

async fn alarms(deployed: &Deployed, expectations: &mut Expectations, looks: Looks<'_>) {
    const ABOUT: &str = "alarms";
    expectations.add(Expected::Alarms, ABOUT, "each exists and notifies the topic", deployed.check_alarms().await);
    if !looks.emulator {
        let went_off = deployed.wait_for_alarms().await;
        expectations.add(Expected::Alarms, ABOUT, "those for dead letters and failed executions go off", went_off);
    }
}

async fn metrics(
    deployed: &Deployed,
    expectations: &mut Expectations,
    end: &DescribeExecutionOutput,
    looks: Looks<'_>,
) {
    let line = deployed.failure_in_log(end.execution_arn()).await;
    let stage = line.as_ref().ok().cloned();
    let found = line.map(|stage| format!("a failure of the stage {stage}"));
    expectations.add(Expected::Metrics, DAMAGED_ONE, "the damaged file is a metric in the log", found);
    if let (Some(stage), false) = (stage, looks.emulator) {
        let counted = deployed.failures_counted(&stage).await;
        expectations.add(Expected::Metrics, DAMAGED_ONE, format!("CloudWatch counts failures of {stage}"), counted);
    }
}
