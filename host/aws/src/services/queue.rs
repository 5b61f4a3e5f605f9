//! When SQS hands a message out again, by the one request that is needed of it.
//!
//! `ChangeMessageVisibilityBatch`, for which a role needs `sqs:ChangeMessageVisibility` (Amazon SQS API Reference).

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::json;
use stagehost_batch::{Case, Failure};

use crate::options::Endpoints;
use crate::services::arn::Arn;
use crate::services::signed_json::{CallError, Operation, SignedJson, configured_endpoint, patiently};

/// A message that was received, and how long it stays hidden from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redelivery {
    /// For people and logs.
    pub message_id: String,
    /// Names this receive of it; SQS gives another one with every receive.
    pub receipt_handle: String,
    /// Seconds until it is handed out again; at most 43,200, counted from the receive.
    pub after_seconds: u32,
}

/// The queues that messages come from.
#[derive(Debug)]
pub struct Queues {
    /// Where all queues are, if not at AWS.
    endpoint: Option<String>,
    fips: bool,
    json: SignedJson,
}

impl Queues {
    /// How many messages one request may name.
    pub const MOST: usize = 10;

    pub(crate) fn new(config: &SdkConfig, endpoints: &Endpoints) -> Self {
        Self {
            endpoint: configured_endpoint(config, endpoints.sqs.as_ref(), "AWS_ENDPOINT_URL_SQS"),
            fips: config.use_fips().unwrap_or_default(),
            json: SignedJson::new(config),
        }
    }

    /// Has at most [`MOST`](Self::MOST) messages of the queue with this ARN handed out again when they say. A passing
    /// fault is tried again, for some seconds in all.
    ///
    /// # Errors
    /// Names the queue and the reason, and the messages if only some of them are not changed. What is not changed comes
    /// back when the queue's own visibility timeout is over.
    pub async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), Failure> {
        let name = Arn::parse(queue).filter(|arn| arn.service == "sqs" && plain(&arn.resource)).ok_or_else(|| {
            Failure::new(
                Case::InvalidInput,
                format!("{queue:?} is no ARN of a queue (arn:aws:sqs:REGION:ACCOUNT:NAME)"),
            )
        })?;
        patiently(|| self.attempt(&name, messages)).await
    }

    async fn attempt(&self, queue: &Arn, messages: &[Redelivery]) -> Result<(), Failure> {
        let failed = |case, why: &str| Failure::new(case, format!("ChangeMessageVisibilityBatch of {queue}: {why}"));
        let endpoint = self.endpoint.clone().unwrap_or_else(|| queue.aws_endpoint(self.fips));
        let operation = Operation {
            endpoint: &endpoint,
            service: "sqs",
            region: &queue.region,
            target: "AmazonSQS.ChangeMessageVisibilityBatch",
            content_type: "application/x-amz-json-1.0",
        };
        // Ids of messages are no ids of entries: they may be given by whoever made the event.
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
        let url = format!("{}/{}/{}", endpoint.trim_end_matches('/'), queue.account, queue.resource);
        let answer =
            self.json.call(&operation, &json!({"QueueUrl": url, "Entries": entries})).await.map_err(|error| {
                let hint = match &error {
                    CallError::Refused(refusal) if !refusal.passes() => {
                        "; the host's role needs sqs:ChangeMessageVisibility on it"
                    }
                    _ => "",
                };
                failed(error.case(), &format!("{error}{hint}"))
            })?;
        let answer: Answer = serde_json::from_slice(&answer)
            .map_err(|error| failed(Case::Internal, &format!("the answer is not understood: {error}")))?;
        if answer.failed.is_empty() {
            return Ok(());
        }
        let refused: Vec<_> = answer.failed.iter().map(|entry| entry.told_of(messages)).collect();
        Err(failed(Case::InvalidInput, &refused.join("; ")))
    }
}

/// Letters, digits, `-`, `_`, and the end `.fifo` (Amazon SQS API Reference, `CreateQueue`).
fn plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Failed", default)]
    failed: Vec<FailedEntry>,
}

/// `BatchResultErrorEntry`
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    code: String,
    #[serde(default)]
    message: String,
}

impl FailedEntry {
    fn told_of(&self, messages: &[Redelivery]) -> String {
        let message = self.id.parse().ok().and_then(|id: usize| messages.get(id));
        let id = message.map_or(self.id.as_str(), |message| &message.message_id);
        format!("message {id}: {} ({})", self.message, self.code)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
