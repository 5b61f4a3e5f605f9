//! Messages of the job queue become executions. A duplicate delivery starts nothing; a bad message is reported as the
//! one that failed, so that SQS brings it to the dead-letter queue.

use async_trait::async_trait;
use aws_sdk_sfn::error::DisplayErrorContext;
use serde_json::{Value, json};
use stagehost_aws::Documents;
use stagehost_batch::{Attributes, parse_with_attributes};

use crate::event::QueueRecord;

/// What StartExecution said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// An execution began.
    Now,
    /// One of that name is or was there already.
    Before,
}

/// Starts executions of the state machine.
#[async_trait]
pub trait Executions: Send + Sync + 'static {
    /// Starts an execution under `name`. An equal name is [`Started::Before`], not an error.
    async fn start(&self, name: &str, input: &Value) -> Result<Started, String>;
}

/// The executions of one state machine, by the SDK.
pub struct StateMachineExecutions {
    client: aws_sdk_sfn::Client,
    state_machine: String,
}

impl StateMachineExecutions {
    /// Starts executions of the state machine with this ARN.
    pub fn new(client: aws_sdk_sfn::Client, state_machine: impl Into<String>) -> Self {
        Self { client, state_machine: state_machine.into() }
    }
}

#[async_trait]
impl Executions for StateMachineExecutions {
    async fn start(&self, name: &str, input: &Value) -> Result<Started, String> {
        let request =
            self.client.start_execution().state_machine_arn(&self.state_machine).name(name).input(input.to_string());
        match request.send().await {
            Ok(_) => Ok(Started::Now),
            Err(error) => match error.into_service_error() {
                error if error.is_execution_already_exists() => Ok(Started::Before),
                error => Err(format!("StartExecution of {name}: {}", DisplayErrorContext(error))),
            },
        }
    }
}

/// Handles an SQS batch; the answer names the messages that failed (`ReportBatchItemFailures`).
pub(crate) async fn consume(executions: &dyn Executions, documents: &Documents, records: Vec<QueueRecord>) -> Value {
    let mut failures = Vec::new();
    for record in records {
        match start(executions, documents, &record).await {
            Ok((name, started)) => {
                tracing::info!(message_id = %record.message_id, execution = %name, ?started, "job taken")
            }
            Err(reason) => {
                tracing::warn!(message_id = %record.message_id, %reason, "job refused; it goes back to the queue");
                failures.push(json!({"itemIdentifier": record.message_id}));
            }
        }
    }
    json!({ "batchItemFailures": failures })
}

async fn start(
    executions: &dyn Executions,
    documents: &Documents,
    record: &QueueRecord,
) -> Result<(String, Started), String> {
    let body: Value = serde_json::from_str(&record.body).map_err(|e| format!("the body is not JSON: {e}"))?;
    // A result that came back from the dead-letter queue may be one that was spilled.
    let body = documents.unpack(body).await.map_err(|e| e.to_string())?;
    let texts = record
        .message_attributes
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.get("stringValue").and_then(Value::as_str)?)));
    let attributes = Attributes::from_iter(texts);
    let batch = parse_with_attributes(&body, &attributes).map_err(|e| e.to_string())?;
    let name = batch.execution_name();
    let input = documents.pack(&batch).await.map_err(|e| e.to_string())?;
    let started = executions.start(&name, &input).await?;
    Ok((name, started))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Machine(Mutex<BTreeMap<String, Value>>);

    #[async_trait]
    impl Executions for Machine {
        async fn start(&self, name: &str, input: &Value) -> Result<Started, String> {
            match self.0.lock().unwrap().insert(name.to_owned(), input.clone()) {
                None => Ok(Started::Now),
                Some(_) => Ok(Started::Before),
            }
        }
    }

    fn record(id: &str, body: &str) -> QueueRecord {
        serde_json::from_value(json!({
            "messageId": id, "body": body,
            "messageAttributes": {
                "Traceparent": {"stringValue": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "dataType": "String"},
                "BatchId": {"stringValue": "5", "dataType": "String"}
            }
        }))
        .unwrap()
    }

    /// For messages that need no bucket.
    fn nowhere() -> Documents {
        let config = aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        stagehost_aws::Clients::new(&config, stagehost_aws::AwsOptions::default()).documents()
    }

    const JOB: &str =
        r#"{"jobId":4,"listingId":51,"assets":["51/raw/photo/vertical/2025-11-27/photo-001.jpg"],"retry":0}"#;

    /// Failures 5 and 6 of the system before.
    #[tokio::test]
    async fn a_duplicate_delivery_starts_one_execution_and_a_malformed_message_is_reported() {
        let machine = Machine::default();
        let records = vec![record("a", JOB), record("b", JOB), record("c", "{oops"), record("d", "{}")];
        let answer = consume(&machine, &nowhere(), records).await;
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "d"}]}));
        let started = machine.0.into_inner().unwrap();
        assert_eq!(started.len(), 1);
        let input = started.values().next().unwrap();
        assert_eq!(input["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(input["batchId"], 5);
    }
}
