//! Starts an execution for every message of the job queue. A duplicate delivery starts nothing. A bad message is reported
//! as failed and becomes visible again at once, so that SQS soon moves it to the dead-letter queue.

use async_trait::async_trait;
use aws_sdk_sfn::error::DisplayErrorContext;
use serde_json::{Value, json};
use stagehost_aws::Documents;
use stagehost_batch::{Attributes, Case, Failure, parse_with_attributes};

use crate::event::QueueRecord;
use crate::visibility::{Redeliveries, Refused, Visibility};

/// The result of StartExecution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// A new execution began.
    Now,
    /// An execution of that name exists already.
    Before,
}

/// Starts executions of the state machine.
#[async_trait]
pub trait Executions: Send + Sync + 'static {
    /// Starts an execution under `name`. A name that is taken gives [`Started::Before`].
    ///
    /// # Errors
    /// The reason in words; the message is tried again later.
    async fn start(&self, name: &str, input: &Value) -> Result<Started, String>;
}

/// The executions of one state machine, started with the SDK.
pub struct StateMachineExecutions {
    client: aws_sdk_sfn::Client,
    state_machine: String,
}

impl StateMachineExecutions {
    /// Returns a starter for the state machine with this ARN.
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

/// Handles an SQS batch. The answer names the failed messages (`ReportBatchItemFailures`).
pub(crate) async fn consume(
    executions: &dyn Executions,
    visibility: &dyn Visibility,
    documents: &Documents,
    records: Vec<QueueRecord>,
) -> Value {
    let (mut failures, mut redeliveries) = (Vec::new(), Redeliveries::default());
    for record in records {
        match start(executions, documents, &record).await {
            Ok((name, started)) => {
                tracing::info!(message_id = %record.message_id, execution = %name, ?started, "job taken")
            }
            Err(reason) => {
                let (receives, seconds) = (record.receives(), reason.again_after(record.receives()));
                tracing::warn!(
                    message_id = %record.message_id, %reason, receives, again_after_seconds = seconds,
                    "job refused; it goes back to the queue"
                );
                failures.push(json!({"itemIdentifier": record.message_id}));
                redeliveries.add(&record, seconds);
            }
        }
    }
    redeliveries.request(visibility).await;
    json!({ "batchItemFailures": failures })
}

async fn start(
    executions: &dyn Executions,
    documents: &Documents,
    record: &QueueRecord,
) -> Result<(String, Started), Refused> {
    let body: Value = serde_json::from_str(&record.body)
        .map_err(|error| Refused::Unreadable(format!("the body is not JSON: {error}")))?;
    // A message that was moved back from the dead-letter queue may refer to a stored document.
    let body = documents.unpack(body).await.map_err(of_document)?;
    let texts = record
        .message_attributes
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.get("stringValue").and_then(Value::as_str)?)));
    let attributes = Attributes::from_iter(texts);
    let batch = parse_with_attributes(&body, &attributes).map_err(|error| Refused::Unreadable(error.to_string()))?;
    let name = batch.execution_name();
    let input = documents.pack(&batch).await.map_err(of_document)?;
    let started = executions.start(&name, &input).await.map_err(Refused::ForNow)?;
    Ok((name, started))
}

/// An invalid document stays invalid; storage errors are retryable.
fn of_document(failure: Failure) -> Refused {
    match failure.case {
        Case::InvalidInput => Refused::Unreadable(failure.to_string()),
        _ => Refused::ForNow(failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use stagehost_aws::Redelivery;

    use crate::visibility::NoQueue;

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

    /// Documents in no bucket, for messages that need none.
    fn nowhere() -> Documents {
        let config = aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        stagehost_aws::Clients::new(&config, stagehost_aws::AwsOptions::default()).documents()
    }

    const JOB: &str =
        r#"{"jobId":4,"listingId":51,"assets":["51/raw/photo/vertical/2025-11-27/photo-001.jpg"],"retry":0}"#;

    #[tokio::test]
    async fn a_duplicate_delivery_starts_one_execution_and_a_malformed_message_is_reported() {
        let machine = Machine::default();
        let records = vec![record("a", JOB), record("b", JOB), record("c", "{oops"), record("d", "{}")];
        let answer = consume(&machine, &NoQueue, &nowhere(), records).await;
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "d"}]}));
        let started = machine.0.into_inner().unwrap();
        assert_eq!(started.len(), 1);
        let input = started.values().next().unwrap();
        assert_eq!(input["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(input["batchId"], 5);
    }

    /// A state machine that is throttled.
    struct Busy;

    #[async_trait]
    impl Executions for Busy {
        async fn start(&self, _: &str, _: &Value) -> Result<Started, String> {
            Err("ThrottlingException".to_owned())
        }
    }

    /// A queue that notes the requests and may refuse them.
    #[derive(Default)]
    struct Queue {
        refuses: bool,
        asked: Mutex<Vec<(String, Vec<Redelivery>)>>,
    }

    #[async_trait]
    impl Visibility for Queue {
        async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), String> {
            self.asked.lock().unwrap().push((queue.to_owned(), messages.to_vec()));
            if self.refuses { Err("AccessDenied".to_owned()) } else { Ok(()) }
        }
    }

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:jobs";

    /// A record as Lambda passes it to a function.
    fn received(id: &str, body: &str, receives: u32) -> QueueRecord {
        serde_json::from_value(json!({
            "messageId": id, "receiptHandle": format!("handle of {id}"), "body": body,
            "attributes": {"ApproximateReceiveCount": receives.to_string(), "SentTimestamp": "1767312000000"},
            "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": QUEUE, "awsRegion": "eu-west-1"
        }))
        .unwrap()
    }

    fn redelivery(id: &str, after_seconds: u32) -> Redelivery {
        Redelivery { message_id: id.into(), receipt_handle: format!("handle of {id}"), after_seconds }
    }

    #[tokio::test]
    async fn only_failed_messages_come_back_and_unreadable_ones_sooner_than_others() {
        let queue = Queue::default();
        let missing = r#"{"listingId": 51, "spilled": {"sha256": "../other", "bytes": 7}}"#;
        let records = vec![received("a", "{oops", 4), received("b", JOB, 1), received("c", missing, 1)];
        consume(&Machine::default(), &queue, &nowhere(), records).await;
        let asked = queue.asked.into_inner().unwrap();
        assert_eq!(asked, [(QUEUE.to_owned(), vec![redelivery("a", 1), redelivery("c", 1)])]);

        let queue = Queue::default();
        let records = vec![received("a", "{}", 1), received("b", JOB, 1), received("c", JOB, 3)];
        consume(&Busy, &queue, &nowhere(), records).await;
        let asked = queue.asked.into_inner().unwrap();
        assert_eq!(asked[0].1, [redelivery("a", 1), redelivery("b", 30), redelivery("c", 120)]);
    }

    #[tokio::test]
    async fn a_queue_that_refuses_does_not_change_the_answer_and_gets_ten_messages_per_request() {
        let queue = Queue { refuses: true, ..Queue::default() };
        let records: Vec<_> = (0..23).map(|n| received(&n.to_string(), "{oops", 1)).collect();
        let answer = consume(&Machine::default(), &queue, &nowhere(), records).await;
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 23);
        let asked = queue.asked.into_inner().unwrap();
        assert_eq!(asked.iter().map(|(_, messages)| messages.len()).collect::<Vec<_>>(), [10, 10, 3]);
    }

    #[tokio::test]
    async fn a_record_without_a_receipt_or_a_queue_is_only_reported() {
        let queue = Queue::default();
        let answer = consume(&Machine::default(), &queue, &nowhere(), vec![record("a", "{oops")]).await;
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
        assert!(queue.asked.into_inner().unwrap().is_empty());
    }
}
