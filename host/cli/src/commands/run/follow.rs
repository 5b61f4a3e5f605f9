//! An execution, followed to its end.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use serde_json::Value;
use stagehost_asl::{Detail, Event, Execution, Status};
use stagehost_aws::Documents;
use stagehost_batch::{Batch, message_of_cause};

use super::timing::Timing;
use super::watch::Watch;

/// An execution that has ended.
pub struct Finished {
    pub status: Status,
    error: Option<String>,
    cause: Option<String>,
    /// The last call that failed, also one that the state machine went on after.
    failed_call: Option<String>,
    /// The batch as the last state left it: the document itself, or the head of one that is in the bucket.
    document: Option<Value>,
    pub timings: Vec<Timing>,
    /// Input and output of the states that did work, by their names; of a state that ran several times, the last ones.
    passed: HashMap<String, (Value, Value)>,
}

impl Finished {
    /// Returns why it failed.
    pub fn error(&self) -> Option<String> {
        let parts: Vec<_> = [self.error.as_deref(), self.cause.as_deref()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }

    /// Returns the failure of the last call that failed; `None` if every call succeeded.
    pub fn failed_call(&self) -> Option<&str> {
        self.failed_call.as_deref()
    }

    /// Returns whether the host has accepted the batch, so that there is something to report to the backend.
    pub fn was_handled(&self) -> bool {
        self.document.is_some()
    }

    /// Returns the batch as the last state left it, read from the bucket if it was too large for Step Functions. `None` if
    /// the host never wrote one.
    ///
    /// # Errors
    /// If its document in the bucket cannot be read.
    pub async fn batch(&self, documents: &Documents) -> Result<Option<Batch>> {
        match &self.document {
            Some(document) => batch_of(document, documents).await,
            None => Ok(None),
        }
    }

    /// Returns the batch before and after a state; `None` if the state did not run to its end.
    ///
    /// # Errors
    /// As [`batch`](Self::batch).
    pub async fn around(&self, state: &str, documents: &Documents) -> Result<Option<(Batch, Batch)>> {
        let Some((input, output)) = self.passed.get(state) else { return Ok(None) };
        Ok(batch_of(input, documents).await?.zip(batch_of(output, documents).await?))
    }
}

/// Reads the batch in a document; `None` if the host has not written the document.
async fn batch_of(document: &Value, documents: &Documents) -> Result<Option<Batch>> {
    let whole = documents.unpack(document.clone()).await.map_err(|failure| anyhow!("{}", failure.message))?;
    let Some(execution) = stamp(&whole) else { return Ok(None) };
    let execution = serde_json::from_value(execution.clone())?;
    Ok(Some(stagehost_batch::resume(&whole, &execution)?))
}

/// Follows an execution to its end.
pub async fn follow(execution: &Execution, watch: &Watch) -> Finished {
    let mut events = execution.subscribe();
    let mut entered = HashMap::new();
    let (mut timings, mut passed) = (Vec::new(), HashMap::new());
    let (mut last, mut failed_call) = (None, None);
    while let Some(event) = events.next().await {
        let Event { timestamp, detail, .. } = event.as_ref();
        match detail {
            Detail::StateEntered { state, name, input } => {
                if does_work(state.as_str()) {
                    watch.entered(name);
                }
                let input = input.value();
                remember(&mut last, input.clone());
                entered.insert(name.clone(), (*timestamp, input));
            }
            Detail::StateExited { state, name, output, .. } => {
                let output = output.value();
                if does_work(state.as_str()) {
                    watch.exited(name);
                    if let Some((since, input)) = entered.get(name) {
                        let duration = (*timestamp - *since).try_into().unwrap_or_default();
                        timings.push(Timing { state: name.clone(), duration });
                        passed.insert(name.clone(), (Value::clone(input), output.clone()));
                    }
                }
                remember(&mut last, output);
            }
            Detail::TaskFailed { error, cause, .. } => failed_call = Some(failure(error, cause.as_deref())),
            _ => {}
        }
        if event.is_last() {
            break;
        }
    }
    let outcome = execution.wait().await;
    let (status, error, cause) = (outcome.status, outcome.error, outcome.cause);
    Finished { status, error, cause, failed_call, document: last, timings, passed }
}

/// Returns a call's failure as a sentence. The cause of one that Lambda reports is a document with the message.
fn failure(error: &str, cause: Option<&str>) -> String {
    let message = cause.map_or_else(|| "it says no more".to_owned(), message_of_cause);
    format!("{error}: {message}")
}

/// Returns whether work is done in a state of this type.
fn does_work(kind: &str) -> bool {
    matches!(kind, "Task" | "Map" | "Wait")
}

/// Keeps a state's input or output, once the host has written one. Only the newest is kept.
fn remember(last: &mut Option<Value>, document: Value) {
    if stamp(&document).is_some() {
        *last = Some(document);
    }
}

/// Returns the stamp of the execution that the host leaves in every document, also in the head of a large one.
fn stamp(document: &Value) -> Option<&Value> {
    let places = ["/execution", "/branches/0/execution", "/0/execution"];
    places.iter().find_map(|place| document.pointer(place))
}

#[cfg(test)]
mod tests {
    use super::failure;

    #[test]
    fn a_call_that_failed_is_said_with_the_message_of_its_host() {
        let cause = r#"{"errorType":"Stage.InvalidInput","errorMessage":"the backend refused the callback with 400"}"#;
        assert_eq!(
            failure("Stage.InvalidInput", Some(cause)),
            "Stage.InvalidInput: the backend refused the callback with 400"
        );
        assert_eq!(failure("States.Timeout", Some("910 s are over")), "States.Timeout: 910 s are over");
        assert_eq!(failure("States.Timeout", None), "States.Timeout: it says no more");
    }
}
