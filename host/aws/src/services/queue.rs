//! Changes when SQS delivers a message again, or sends it again; looks at what is kept.
//!
//! The host's operations are `ChangeMessageVisibilityBatch` and `SendMessage`; its role needs `sqs:ChangeMessageVisibility` and
//! `sqs:SendMessage` (Amazon SQS API Reference). Operators receive and delete.

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stagehost_batch::{Case, Failure};
use zeroize::Zeroizing;

use crate::services::arn::Arn;
use crate::services::endpoints::{Endpoints, configured_endpoint};
use crate::services::signed_json::{CallError, Operation, SignedJson, with_retries};

/// A received message, and how long it stays hidden from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redelivery {
    /// The message's id, for logs.
    pub message_id: String,
    /// The handle of this receive; SQS returns another one with every receive.
    pub receipt_handle: String,
    /// Seconds until the message is delivered again; at most 43,200, counted from the receive.
    pub after_seconds: u32,
}

/// The queues that messages come from.
#[derive(Debug)]
pub struct Queues {
    /// The endpoint of all queues; `None` means AWS's own.
    endpoint: Option<String>,
    fips: bool,
    json: SignedJson,
}

impl Queues {
    /// The most messages of one request.
    pub const MAX_MESSAGES: usize = 10;

    pub(crate) fn new(config: &SdkConfig, endpoints: &Endpoints) -> Self {
        Self {
            endpoint: configured_endpoint(config, endpoints.sqs.as_ref(), "AWS_ENDPOINT_URL_SQS"),
            fips: config.use_fips().unwrap_or_default(),
            json: SignedJson::new(config),
        }
    }

    /// Changes when at most [`MAX_MESSAGES`](Self::MAX_MESSAGES) messages of a queue are delivered again; `queue` is
    /// its ARN. A transient failure is retried for some seconds.
    ///
    /// # Errors
    /// The failure names the queue and the reason, and the messages if only some of them could not be changed. Those
    /// are delivered again after the queue's own visibility timeout.
    pub async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), Failure> {
        let name = queue_arn(queue)?;
        with_retries(|| self.attempt(&name, messages)).await
    }

    /// Sends a message to the queue with the ARN `queue` that it came from. It is delivered after so many seconds, at most 900;
    /// `attributes` are its own as Lambda passes them on, `{Name: {stringValue, dataType}}`.
    ///
    /// # Errors
    /// The failure names the queue and the reason. If there was no answer, the message may have been sent.
    pub async fn send_again(
        &self,
        queue: &str,
        body: &str,
        attributes: &Value,
        after_seconds: u32,
    ) -> Result<(), Failure> {
        let queue = queue_arn(queue)?;
        let (endpoint, url) = (self.endpoint_of(&queue), self.url(&queue));
        let texts = attributes.as_object().into_iter().flatten().filter_map(|(name, value)| {
            let text = value.get("stringValue")?.as_str()?;
            let kind = value.get("dataType").and_then(Value::as_str).unwrap_or("String");
            Some((name.clone(), json!({"StringValue": text, "DataType": kind})))
        });
        let attributes: Map<String, Value> = texts.collect();
        let mut message = json!({"QueueUrl": url, "MessageBody": body, "DelaySeconds": after_seconds.min(900)});
        if !attributes.is_empty() {
            message["MessageAttributes"] = Value::Object(attributes);
        }
        let operation = operation(&endpoint, &queue, "AmazonSQS.SendMessage");
        self.json.call(&operation, &message).await.map(|_| ()).map_err(|error| {
            let hint = match &error {
                CallError::Refused(error) if !error.is_transient() => "; the host's role needs sqs:SendMessage on it",
                _ => "",
            };
            Failure::new(error.case(), format!("SendMessage to {queue}: {error}{hint}"))
        })
    }

    fn url(&self, queue: &Arn) -> String {
        format!("{}/{}/{}", self.endpoint_of(queue).trim_end_matches('/'), queue.account, queue.resource)
    }

    fn endpoint_of(&self, queue: &Arn) -> String {
        self.endpoint.clone().unwrap_or_else(|| queue.aws_endpoint(self.fips))
    }

    async fn attempt(&self, queue: &Arn, messages: &[Redelivery]) -> Result<(), Failure> {
        let failed = |case, why: &str| Failure::new(case, format!("ChangeMessageVisibilityBatch of {queue}: {why}"));
        let (endpoint, url) = (self.endpoint_of(queue), self.url(queue));
        let operation = operation(&endpoint, queue, "AmazonSQS.ChangeMessageVisibilityBatch");
        // The entries are numbered: the ids of messages come from the event and may be invalid as ids of entries.
        let entries: Vec<_> = (0..)
            .zip(messages)
            .map(|(id, message): (usize, _)| {
                json!({
                    "Id": id.to_string(),
                    "ReceiptHandle": message.receipt_handle,
                    "VisibilityTimeout": message.after_seconds,
                })
            })
            .collect();
        let answer =
            self.json.call(&operation, &json!({"QueueUrl": url, "Entries": entries})).await.map_err(|error| {
                let hint = match &error {
                    CallError::Refused(error) if !error.is_transient() => {
                        "; the host's role needs sqs:ChangeMessageVisibility on it"
                    }
                    _ => "",
                };
                failed(error.case(), &format!("{error}{hint}"))
            })?;
        let answer: ChangeVisibilityResponse = serde_json::from_slice(&answer)
            .map_err(|error| failed(Case::Internal, &format!("the response cannot be read: {error}")))?;
        if answer.failed.is_empty() {
            return Ok(());
        }
        let refused: Vec<_> = answer.failed.iter().map(|entry| entry.describe(messages)).collect();
        Err(failed(Case::InvalidInput, &refused.join("; ")))
    }
}

/// Returns one of SQS's operations.
fn operation<'a>(endpoint: &'a str, queue: &'a Arn, target: &'a str) -> Operation<'a> {
    Operation { endpoint, service: "sqs", region: &queue.region, target, content_type: "application/x-amz-json-1.0" }
}

/// Reads the ARN of a queue.
fn queue_arn(text: &str) -> Result<Arn, Failure> {
    Arn::parse(text).filter(|arn| arn.service == "sqs" && is_queue_name(&arn.resource)).ok_or_else(|| {
        let why = format!("{text:?} is not the ARN of a queue; expected arn:aws:sqs:REGION:ACCOUNT:NAME");
        Failure::new(Case::InvalidInput, why)
    })
}

/// Returns whether `name` may be a queue's name: letters, digits, `-`, `_` and the ending `.fifo` (Amazon SQS API
/// Reference, `CreateQueue`).
fn is_queue_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[derive(Deserialize)]
struct ChangeVisibilityResponse {
    #[serde(rename = "Failed", default)]
    failed: Vec<FailedEntry>,
}

/// `BatchResultErrorEntry` of the API.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    code: String,
    #[serde(default)]
    message: String,
}

impl FailedEntry {
    /// Returns the text for this entry, with the id of its message.
    fn describe(&self, messages: &[Redelivery]) -> String {
        let message = self.id.parse().ok().and_then(|id: usize| messages.get(id));
        let id = message.map_or(self.id.as_str(), |message| &message.message_id);
        format!("message {id}: {} ({})", self.message, self.code)
    }
}

/// A message that waits in a queue, as a person looks at it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeptMessage {
    /// Its text.
    pub body: String,
    /// The handle of this receive, for [`Queues::delete`].
    pub receipt_handle: String,
}

#[derive(Deserialize)]
struct ReceiveResponse {
    #[serde(rename = "Messages", default)]
    messages: Option<Vec<KeptMessage>>,
}

impl Queues {
    /// Receives at most one message of the queue with the ARN `queue`, and hides it from others for so many seconds. One at a
    /// time, because the largest message nearly fills the largest answer that is read.
    ///
    /// # Errors
    /// The failure names the queue and the reason.
    pub async fn receive(&self, queue: &str, hidden_seconds: u32) -> Result<Vec<KeptMessage>, Failure> {
        let queue = queue_arn(queue)?;
        let wanted = json!({"MaxNumberOfMessages": 1, "VisibilityTimeout": hidden_seconds, "WaitTimeSeconds": 1});
        let answer = with_retries(|| self.ask(&queue, "ReceiveMessage", &wanted)).await?;
        let answer: ReceiveResponse = serde_json::from_slice(&answer).map_err(|error| {
            Failure::new(Case::Internal, format!("ReceiveMessage of {queue}: the response cannot be read: {error}"))
        })?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Deletes a received message of the queue with the ARN `queue`.
    ///
    /// # Errors
    /// The failure names the queue and the reason.
    pub async fn delete(&self, queue: &str, receipt_handle: &str) -> Result<(), Failure> {
        let queue = queue_arn(queue)?;
        let wanted = json!({"ReceiptHandle": receipt_handle});
        with_retries(|| self.ask(&queue, "DeleteMessage", &wanted)).await.map(|_| ())
    }

    async fn ask(&self, queue: &Arn, name: &str, wanted: &Value) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let (endpoint, target) = (self.endpoint_of(queue), format!("AmazonSQS.{name}"));
        let mut body = wanted.clone();
        body["QueueUrl"] = self.url(queue).into();
        let answer = self.json.call(&operation(&endpoint, queue, &target), &body).await;
        answer.map_err(|error| Failure::new(error.case(), format!("{name} of {queue}: {error}")))
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
