//! The results of the child executions of a distributed Map state: its output, or files in a bucket.

use std::sync::Arc;

use serde_json::{Value, json};

use super::items::Place;
use crate::clock;
use crate::definition::distributed::{Transformation, Writer};
use crate::error::{StateError, names};
use crate::execution::{Execution, Outcome, Status};
use crate::limits::{PAYLOAD_BYTES, RESULT_FILE_BYTES, json_bytes};
use crate::tasks::storage::ItemStorage;

/// The results so far.
pub(super) struct Results {
    form: Option<(Transformation, bool)>,
    target: Option<Target>,
    /// The outputs in the order of the child executions, if they are not written.
    outputs: Vec<Option<Value>>,
    /// Their size. Once it is larger than a payload may be, they are not kept any more.
    bytes: usize,
}

/// Where results are written.
struct Target {
    storage: Arc<dyn ItemStorage>,
    place: Place,
    map_run: String,
    succeeded: Files,
    failed: Files,
}

/// The files of one outcome.
struct Files {
    name: &'static str,
    open: Vec<String>,
    bytes: usize,
    written: Vec<Value>,
}

impl Files {
    fn new(name: &'static str) -> Self {
        Self { name, open: Vec::new(), bytes: 0, written: Vec::new() }
    }
}

impl Results {
    /// Returns an empty collection. `place` is the bucket and the prefix for the results, if they are written.
    pub fn new(writer: Option<&Writer>, place: Option<(Arc<dyn ItemStorage>, Place)>, map_run: &str) -> Self {
        let target = place.map(|(storage, mut place)| {
            let id = map_run.rsplit(':').next().unwrap_or_default();
            let prefix = place.key.trim_end_matches('/');
            place.key = if prefix.is_empty() { id.to_owned() } else { format!("{prefix}/{id}") };
            let (succeeded, failed) = (Files::new("SUCCEEDED"), Files::new("FAILED"));
            Target { storage, place, map_run: map_run.to_owned(), succeeded, failed }
        });
        let form = writer.map(|writer| (writer.transformation, writer.lines));
        Self { form, target, outputs: Vec::new(), bytes: 0 }
    }

    /// Adds the result of the child execution of this index.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`
    pub async fn add(&mut self, index: usize, child: &Execution, outcome: &Outcome) -> Result<(), StateError> {
        let succeeded = outcome.status == Status::Succeeded;
        let value = match (self.form, &outcome.output) {
            (None | Some((Transformation::Compact | Transformation::Flatten, _)), Some(output)) => output.clone(),
            (None, None) => json!({"Error": outcome.error, "Cause": outcome.cause}),
            _ => described(child, outcome),
        };
        let flat = succeeded && self.form.is_some_and(|(transformation, _)| transformation == Transformation::Flatten);
        let lines = self.form.is_some_and(|(_, lines)| lines);
        let Some(target) = &mut self.target else {
            self.bytes = self.bytes.saturating_add(json_bytes(&value));
            if self.bytes > PAYLOAD_BYTES {
                self.outputs = Vec::new();
                return Ok(());
            }
            if self.outputs.len() <= index {
                self.outputs.resize(index + 1, None);
            }
            if let Some(place) = self.outputs.get_mut(index) {
                *place = Some(value);
            }
            return Ok(());
        };
        let files = if succeeded { &mut target.succeeded } else { &mut target.failed };
        let values = match value {
            Value::Array(items) if flat => items,
            value => vec![value],
        };
        for text in values.iter().map(Value::to_string) {
            files.bytes = files.bytes.saturating_add(text.len());
            files.open.push(text);
        }
        if files.bytes > RESULT_FILE_BYTES {
            write(&target.storage, &target.place, files, lines).await?;
        }
        Ok(())
    }

    /// Writes what is left and returns the state's result. `state` is its name.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`; `States.DataLimitExceeded`, if the outputs are too large together.
    pub async fn finish(mut self, state: &str) -> Result<Value, StateError> {
        let Some(target) = &mut self.target else {
            if self.bytes > PAYLOAD_BYTES {
                return Err(StateError::data_limit(state));
            }
            let values = self.outputs.into_iter().flatten();
            return Ok(match self.form {
                Some((Transformation::Flatten, _)) => values
                    .flat_map(|value| match value {
                        Value::Array(items) => items,
                        value => vec![value],
                    })
                    .collect(),
                _ => values.collect(),
            });
        };
        let lines = self.form.is_some_and(|(_, lines)| lines);
        let Target { storage, place, map_run, succeeded, failed } = target;
        for files in [&mut *succeeded, &mut *failed] {
            if !files.open.is_empty() {
                write(storage, place, files, lines).await?;
            }
        }
        let manifest = json!({
            "DestinationBucket": place.bucket, "MapRunArn": map_run,
            "ResultFiles": {"FAILED": failed.written, "PENDING": [], "SUCCEEDED": succeeded.written}
        });
        let key = format!("{}/manifest.json", place.key);
        put(storage, &place.bucket, &key, manifest.to_string().into_bytes()).await?;
        Ok(json!({"MapRunArn": map_run, "ResultWriterDetails": {"Bucket": place.bucket, "Key": key}}))
    }
}

/// Writes the results that wait for a file.
async fn write(
    storage: &Arc<dyn ItemStorage>,
    place: &Place,
    files: &mut Files,
    lines: bool,
) -> Result<(), StateError> {
    let open = std::mem::take(&mut files.open);
    files.bytes = 0;
    let (text, extension) = match lines {
        true => (open.join("\n"), "jsonl"),
        false => (format!("[{}]", open.join(",")), "json"),
    };
    let key = format!("{}/{}_{}.{extension}", place.key, files.name, files.written.len());
    files.written.push(json!({"Key": key, "Size": text.len()}));
    put(storage, &place.bucket, &key, text.into_bytes()).await
}

async fn put(storage: &Arc<dyn ItemStorage>, bucket: &str, key: &str, body: Vec<u8>) -> Result<(), StateError> {
    let written = storage.put(bucket, key, body).await;
    written.map_err(|failure| StateError::reported(names::RESULT_WRITER_FAILED, Some(failure.0)))
}

/// Returns the description of an ended child execution.
fn described(child: &Execution, outcome: &Outcome) -> Value {
    let info = child.info();
    let mut value = json!({
        "ExecutionArn": info.arn, "Input": info.input.to_string(), "InputDetails": {"Included": true},
        "Name": info.name, "RedriveCount": 0, "StartDate": clock::text(info.started_at),
        "StateMachineArn": info.state_machine_arn, "Status": outcome.status.as_str(),
        "StopDate": clock::text(outcome.stopped_at)
    });
    let redrivable = outcome.status != Status::Succeeded;
    value["RedriveStatus"] = if redrivable { "REDRIVABLE" } else { "NOT_REDRIVABLE" }.into();
    if let Some(output) = &outcome.output {
        value["RedriveStatusReason"] = "Execution is SUCCEEDED and cannot be redriven".into();
        value["Output"] = output.to_string().into();
        value["OutputDetails"] = json!({"Included": true});
    }
    if let Some(error) = &outcome.error {
        value["Error"] = error.as_str().into();
    }
    if let Some(cause) = &outcome.cause {
        value["Cause"] = cause.as_str().into();
    }
    value
}
