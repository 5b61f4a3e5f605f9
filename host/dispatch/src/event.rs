//! The kinds of events, recognised by their shape. Anything else is refused.

use serde::Deserialize;
use serde_json::Value;
use stagehost_batch::{Execution, TraceParent};

use crate::error::DispatchError;

/// An event of a kind that the host handles.
#[derive(Debug)]
pub enum Event {
    /// A state of the state machine wants its stage to run.
    State(Box<Envelope>),
    /// Messages of the job queue.
    Queue(Vec<QueueRecord>),
    /// A change of a transcoding job, as EventBridge delivers it.
    Transcoding(Box<Value>),
    /// The schedule of the sweep over open tickets.
    Sweep,
    /// A health check, or a schedule that keeps the function warm.
    Health,
}

/// The payload of a Task state.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// `$$.State.Name`: the state whose pin decides which stage runs.
    pub state: String,
    /// `$$.Execution`
    pub execution: Execution,
    /// `$$.State.RetryCount`
    #[serde(default)]
    pub retry: u32,
    /// The batch document; an array of them after a Parallel state; for the first state, the input in any shape.
    pub batch: Value,
    /// `$$.Task.Token`, if the state waits for it.
    #[serde(default)]
    pub task_token: Option<String>,
}

/// The attribute of a message that the host has sent again: the id of the first.
pub(crate) const FIRST_MESSAGE: &str = "FirstMessage";

/// One message of an SQS batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueRecord {
    /// The message's id in `batchItemFailures`.
    pub message_id: String,
    /// The handle of this receive.
    #[serde(default)]
    pub receipt_handle: Option<String>,
    /// The queue's ARN.
    #[serde(default, rename = "eventSourceARN")]
    pub event_source_arn: Option<String>,
    /// SQS's own attributes, such as `ApproximateReceiveCount`. All values are text.
    #[serde(default)]
    pub attributes: serde_json::Map<String, Value>,
    /// The job as JSON text.
    #[serde(default)]
    pub body: String,
    /// `{Name: {stringValue, dataType}}`
    #[serde(default)]
    pub message_attributes: serde_json::Map<String, Value>,
}

impl QueueRecord {
    /// Returns the trace that the message was sent in, which SQS keeps for senders that X-Ray traces (Amazon SQS Developer Guide,
    /// "Message system attributes": `AWSTraceHeader`).
    pub(crate) fn sent_in(&self) -> Option<TraceParent> {
        self.attributes.get("AWSTraceHeader").and_then(Value::as_str).and_then(TraceParent::from_xray_header)
    }

    /// Returns the id of the message; of one that the host has sent again, the id of the first.
    pub(crate) fn first_id(&self) -> &str {
        let first = self.message_attributes.get(FIRST_MESSAGE).and_then(|value| value.get("stringValue"));
        first.and_then(Value::as_str).unwrap_or(&self.message_id)
    }

    /// Returns how often the message has been received, this time included.
    pub(crate) fn receives(&self) -> u32 {
        let count = self.attributes.get("ApproximateReceiveCount").and_then(Value::as_str);
        count.and_then(|count| count.parse().ok()).unwrap_or(1)
    }
}

impl Event {
    /// Reads `payload` as one of the known kinds.
    ///
    /// # Errors
    /// `Host.BadEvent`, which names the expected kinds.
    pub fn parse(payload: &[u8]) -> Result<Self, DispatchError> {
        let value: Value = serde_json::from_slice(payload)
            .map_err(|e| DispatchError::bad_event(format!("the event is not JSON: {e}")))?;
        let Some(object) = value.as_object() else {
            return Err(DispatchError::bad_event("the event is not a JSON object"));
        };
        if object.contains_key("state") {
            let envelope: Envelope = serde_json::from_value(value)
                .map_err(|e| DispatchError::bad_event(format!("the envelope of a state is broken: {e}")))?;
            return Ok(Event::State(Box::new(envelope)));
        }
        if let Some(records) = object.get("Records").and_then(Value::as_array) {
            let of_queue = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
            if !records.iter().all(of_queue) {
                return Err(DispatchError::bad_event("the event has Records which are not from SQS"));
            }
            let records = records.iter().cloned().map(serde_json::from_value).collect::<Result<_, _>>();
            return records
                .map(Event::Queue)
                .map_err(|e| DispatchError::bad_event(format!("a broken SQS record: {e}")));
        }
        match object.get("source").and_then(Value::as_str) {
            Some("aws.mediaconvert") => return Ok(Event::Transcoding(Box::new(value))),
            Some("stagehost.sweep") => return Ok(Event::Sweep),
            // A scheduled rule of EventBridge, which keeps the function warm.
            Some("aws.events" | "stagehost.health") => return Ok(Event::Health),
            _ => {}
        }
        let fields: Vec<_> = object.keys().take(8).map(String::as_str).collect();
        Err(DispatchError::bad_event(format!(
            "unknown event with the fields [{}]; known are a state's {{state, execution, batch}}, SQS Records, and \
             EventBridge events of aws.mediaconvert, and the schedules stagehost.sweep and stagehost.health",
            fields.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(value: serde_json::Value) -> Result<Event, DispatchError> {
        Event::parse(value.to_string().as_bytes())
    }

    #[test]
    fn each_kind_is_recognised_by_its_shape() {
        let state = serde_json::json!({"state": "S", "execution": {"arn": "a", "name": "n", "startedAt": "2026-01-01T00:00:00Z"}, "batch": {}});
        assert!(matches!(parse(state), Ok(Event::State(_))));
        let queue = serde_json::json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": "{}"}]});
        assert!(matches!(parse(queue), Ok(Event::Queue(_))));
        assert!(matches!(parse(serde_json::json!({"source": "aws.mediaconvert"})), Ok(Event::Transcoding(_))));
        assert!(matches!(parse(serde_json::json!({"source": "stagehost.health"})), Ok(Event::Health)));
        assert!(matches!(parse(serde_json::json!({"source": "stagehost.sweep"})), Ok(Event::Sweep)));
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            serde_json::json!({"hello": 1}),
            serde_json::json!([]),
            serde_json::json!({"Records": [{"eventSource": "aws:s3"}]}),
            serde_json::json!({"state": 7}),
        ] {
            let error = parse(value).unwrap_err();
            assert_eq!(error.error_type, "Host.BadEvent");
        }
        assert!(Event::parse(b"not json").unwrap_err().error_message.contains("not JSON"));
    }
}
