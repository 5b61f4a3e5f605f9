//! The job queue with its dead-letter queue, and Lambda's poller between it and the function.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use stagehost_local::Function as _;

use super::plan::Delivery;
use super::pool::Pool;
use super::shared::Shared;

/// After how many receives a message goes to the dead-letter queue, as in the template.
const RECEIVES: u32 = 5;

/// The queue.
#[derive(Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    pool: Pool,
    dead: Arc<Mutex<Vec<String>>>,
}

impl Queue {
    pub(super) fn new(shared: Arc<Shared>, pool: Pool) -> Self {
        Self { shared, pool, dead: Arc::default() }
    }

    /// Returns the messages that went to the dead-letter queue.
    pub(super) fn dead(&self) -> Vec<String> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Delivers a message until the function has taken it, or it has been received too often.
    pub(super) async fn send(&self, id: &str, message: &Value, delivery: Delivery) {
        match delivery {
            Delivery::Once => self.deliver(id, message).await,
            Delivery::Beside => {
                tokio::join!(self.deliver(id, message), self.receive(id, message, 2));
            }
            Delivery::Again => {
                self.deliver(id, message).await;
                self.receive(id, message, 2).await;
            }
        }
    }

    async fn deliver(&self, id: &str, message: &Value) {
        for receive in 1..=RECEIVES {
            if self.receive(id, message, receive).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).push(message.to_string());
    }

    /// Passes the message to the function once. Returns whether it was taken.
    async fn receive(&self, id: &str, message: &Value, receive: u32) -> bool {
        let event = json!({"Records": [{
            "messageId": id, "receiptHandle": format!("{id}-{receive}"), "body": message.to_string(),
            "attributes": {"ApproximateReceiveCount": receive.to_string()}, "messageAttributes": {},
            "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:listing-media-processing-test",
        }]});
        match self.pool.invoke(Bytes::from(event.to_string())).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
                answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty)
            }
            Err(error) => {
                self.shared.log.note(0, None, format!("receive {receive} of {id} failed: {}", error.error_type));
                false
            }
        }
    }
}
