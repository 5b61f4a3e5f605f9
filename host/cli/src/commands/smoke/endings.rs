//! The endings of a batch, and what is expected of each.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use serde_json::Value;

use super::deployed::Deployed;
use super::expectations::Expectations;
use crate::console::printer::Printer;

const GOOD: (&str, &[u8]) = ("kitchen.jpg", include_bytes!("../../../../../samples/listing/kitchen.jpg"));
const DAMAGED: (&str, &[u8]) =
    ("kitchen-damaged.jpg", include_bytes!("../../../../../samples/listing/kitchen-damaged.jpg"));

/// An ending that a batch of the queue can have.
struct Ending {
    about: &'static str,
    files: &'static [(&'static str, &'static [u8])],
    /// The execution's status.
    status: &'static str,
    /// The state that tells the backend.
    told_by: &'static str,
    /// The state after it, if the backend took the callback. Else the result is kept in the dead-letter queue.
    ends_in: &'static str,
    /// Files that failed.
    failed: u64,
}

const ENDINGS: [Ending; 3] = [
    Ending {
        about: "all good",
        files: &[GOOD],
        status: "SUCCEEDED",
        told_by: "FinalizeAndCallback",
        ends_in: "ProcessingSucceeded",
        failed: 0,
    },
    Ending {
        about: "one damaged",
        files: &[GOOD, DAMAGED],
        status: "SUCCEEDED",
        told_by: "FinalizeAndCallback",
        ends_in: "ProcessingSucceeded",
        failed: 1,
    },
    Ending {
        about: "none valid",
        files: &[DAMAGED],
        status: "FAILED",
        told_by: "ReportValidationFailed",
        ends_in: "ValidationFailed",
        failed: 1,
    },
];

/// Sends everything, then looks at what became of it.
///
/// # Errors
/// If something cannot be sent.
pub async fn all(deployed: &Deployed, expectations: &mut Expectations, printer: &Printer, traced: bool) -> Result<()> {
    let work = printer.begin("sending batches");
    let mut batches = Vec::new();
    for (number, ending) in (0..).zip(&ENDINGS) {
        let batch = deployed.batch(number, ending.files).await?;
        deployed.send(&batch.to_string()).await?;
        batches.push(batch);
    }
    // It is no JSON, and names this run.
    let unreadable = format!("{{\"smoke\": {}", deployed.listing(0));
    deployed.send(&unreadable).await?;
    let stopped = deployed.batch(3, &[GOOD]).await?;
    let stopped = deployed.start_and_stop(&stopped).await?;
    work.done();

    for (ending, batch) in ENDINGS.iter().zip(&batches) {
        let work = printer.begin(format!("waiting for the batch {:?}", ending.about));
        match deployed.ended(batch).await {
            Ok(end) => {
                if traced {
                    expectations.add(ending.about, "in the batch's trace", trace_of(deployed, &end));
                }
                of_batch(deployed, expectations, ending, batch, &end).await;
            }
            Err(error) => expectations.add(ending.about, ending.status, Err(error)),
        }
        work.done();
    }
    let end = deployed.end_of(&stopped).await.and_then(|end| expect(end.status().as_str(), "ABORTED"));
    expectations.add("stopped", "ABORTED", end);
    let work = printer.begin("waiting for dead letters");
    let letters = deployed.dead_letters(&[unreadable.as_str(), stopped.as_str()]).await;
    work.done();
    let kept = letters.into_iter().map(|letter| letter.map(|body| format!("{} bytes", body.len())));
    for (about, letter) in ["unreadable", "stopped"].into_iter().zip(kept) {
        expectations.add(about, "kept in the dead-letter queue", letter);
    }
    Ok(())
}

/// Returns the execution's trace header if it is in the trace of this run's batches.
fn trace_of(deployed: &Deployed, end: &DescribeExecutionOutput) -> Result<String> {
    let header = end.trace_header().context("the execution has no trace")?;
    ensure!(header.contains(&xray_id(&deployed.traceparent())), "another trace: {header}");
    Ok(header.to_owned())
}

async fn of_batch(
    deployed: &Deployed,
    expectations: &mut Expectations,
    ending: &Ending,
    batch: &Value,
    end: &DescribeExecutionOutput,
) {
    let about = ending.about;
    expectations.add(about, ending.status, expect(end.status().as_str(), ending.status));
    let told = deployed.states_of(end.execution_arn()).await.and_then(|states| {
        let last: Vec<&str> = states.iter().rev().take(2).rev().map(String::as_str).collect();
        ensure!(last == [ending.told_by, ending.ends_in], "the last states are {}", last.join(", "));
        Ok(format!("{} after {}", ending.ends_in, ending.told_by))
    });
    expectations.add(about, "the backend took the callback", told);
    let first = batch["assets"][0].as_str().unwrap_or_default();
    if ending.status != "SUCCEEDED" {
        return;
    }
    let tagged = deployed.tags(first).await.and_then(|tags| {
        ensure!(tags.iter().any(|tag| tag == "lifecycle=raw"), "the tags are {tags:?}");
        Ok(tags.join(", "))
    });
    expectations.add(about, "the upload has the tag lifecycle=raw", tagged);
    let output = end.output().context("the execution has no output");
    let output = output.and_then(|text| serde_json::from_str::<Value>(text).context("its output is no JSON"));
    match output {
        Ok(output) => {
            let failed = output["counts"]["failed"].as_u64();
            let counted = failed.context("no counts in the output").and_then(|failed| {
                ensure!(failed == ending.failed, "{failed} failed");
                Ok(format!("{failed} failed"))
            });
            expectations.add(about, format!("{} failed", ending.failed), counted);
            expectations.add(about, "thumbnails and archives exist", made(deployed, &output).await);
        }
        Err(error) => expectations.add(about, "an output", Err(error)),
    }
}

/// Looks at every file that the output names. Returns how many there are.
async fn made(deployed: &Deployed, output: &Value) -> Result<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let renditions: Vec<Value> = list(&output["assets"]).iter().flat_map(|asset| list(&asset["renditions"])).collect();
    let bundles = list(&output["bundles"]);
    ensure!(!renditions.is_empty(), "no thumbnail");
    ensure!(!bundles.is_empty(), "no archive");
    for file in renditions.iter().chain(&bundles) {
        let key = file["key"].as_str().context("a file without a key")?;
        let (there, said) = (deployed.bytes(key).await?, file["bytes"].as_i64());
        ensure!(said == Some(there), "{key} has {there} bytes, and the output says {said:?}");
    }
    Ok(format!("{} thumbnails, {} archives", renditions.len(), bundles.len()))
}

fn expect(found: &str, expected: &str) -> Result<String> {
    ensure!(found == expected, "{found}");
    Ok(found.to_owned())
}

/// Returns the trace's id in X-Ray's notation.
fn xray_id(traceparent: &str) -> String {
    stagehost_batch::TraceParent::parse(traceparent).map(|trace| trace.xray_id()).unwrap_or_default()
}
