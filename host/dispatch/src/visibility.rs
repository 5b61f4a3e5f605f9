//! When a failed message becomes visible in its queue again.
//!
//! The queue hides messages for six times as long as the function may run, because it cannot know whether they are still
//! being processed. The host knows that a failed one is not, and shortens the wait, which would otherwise be the queue's
//! whole visibility timeout after every receive.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use stagehost_aws::{Queues, Redelivery};

use crate::event::{FIRST_MESSAGE, QueueRecord};

/// Seconds before the second receive of a message that may succeed later. They double with every further receive.
const FIRST: u32 = 30;
/// The most seconds between two receives.
const LONGEST: u32 = 900;

/// Seconds before the next receive of a message that cannot be read: soon, but after this invocation's answer.
const UNREADABLE: u32 = 1;

/// Changes when messages become visible again.
#[async_trait]
pub trait Visibility: Send + Sync + 'static {
    /// Makes messages of the queue with this ARN visible after the time that each one names; at most [`Queues::MAX_MESSAGES`] in
    /// one call.
    ///
    /// # Errors
    /// The reason in words, for the log.
    async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), String>;

    /// Sends a message again, so that it is delivered after so many seconds like a new one. A failed receive would
    /// count, and after a few of them the message would become a dead letter.
    ///
    /// # Errors
    /// The reason in words. The message may have been sent all the same.
    async fn postpone(&self, record: &QueueRecord, seconds: u32) -> Result<(), String>;
}

#[async_trait]
impl Visibility for Queues {
    async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), String> {
        Queues::redeliver(self, queue, messages).await.map_err(|failure| failure.message)
    }

    async fn postpone(&self, record: &QueueRecord, seconds: u32) -> Result<(), String> {
        let queue = record.event_source_arn.as_deref().ok_or("the message names no queue")?;
        let mut attributes = record.message_attributes.clone();
        let first = json!({"stringValue": record.first_id(), "dataType": "String"});
        attributes.insert(FIRST_MESSAGE.to_owned(), first);
        let sent = self.send_again(queue, &record.body, &Value::Object(attributes), seconds).await;
        sent.map_err(|failure| failure.message)
    }
}

/// Does nothing, for a host without a queue.
pub struct NoQueue;

#[async_trait]
impl Visibility for NoQueue {
    async fn redeliver(&self, _: &str, _: &[Redelivery]) -> Result<(), String> {
        Ok(())
    }

    async fn postpone(&self, _: &QueueRecord, _: u32) -> Result<(), String> {
        Err("there is no queue".to_owned())
    }
}

/// Why a message did not become an execution.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The message itself is invalid.
    #[error("{0}")]
    Unreadable(String),
    /// It may succeed later.
    #[error("{0}")]
    ForNow(String),
}

impl Refused {
    /// Returns for how many seconds to hide a message that has been received `receives` times.
    pub(crate) fn again_after(&self, receives: u32) -> u32 {
        match self {
            Refused::Unreadable(_) => UNREADABLE,
            // The fifth doubling passes the longest time.
            Refused::ForNow(_) => (FIRST << receives.saturating_sub(1).min(5)).min(LONGEST),
        }
    }
}

/// The failed messages of one event, by queue.
#[derive(Default)]
pub(crate) struct Redeliveries(BTreeMap<String, Vec<Redelivery>>);

impl Redeliveries {
    pub(crate) fn add(&mut self, record: &QueueRecord, after_seconds: u32) {
        let (Some(queue), Some(receipt_handle)) = (&record.event_source_arn, &record.receipt_handle) else { return };
        self.0.entry(queue.clone()).or_default().push(Redelivery {
            message_id: record.message_id.clone(),
            receipt_handle: receipt_handle.clone(),
            after_seconds,
        });
    }

    /// Makes all of them visible again. If that fails, they come back later, with the queue's visibility timeout.
    pub(crate) async fn request(self, visibility: &dyn Visibility) {
        for (queue, messages) in self.0 {
            for messages in messages.chunks(Queues::MAX_MESSAGES) {
                if let Err(error) = visibility.redeliver(&queue, messages).await {
                    tracing::warn!(%error, "failed messages come back only with the queue's visibility timeout");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_may_succeed_later_waits_half_a_minute_then_twice_as_long_up_to_fifteen_minutes() {
        let refused = Refused::ForNow("throttled".into());
        let delays = [0, 1, 2, 3, 4, 5, 6, 7, 32, 64, u32::MAX].map(|receives| refused.again_after(receives));
        assert_eq!(delays, [30, 30, 60, 120, 240, 480, 900, 900, 900, 900, 900]);
    }

    #[test]
    fn an_unreadable_message_comes_back_after_a_second_every_time() {
        let refused = Refused::Unreadable("no JSON".into());
        assert_eq!([1, 2, 5, 100].map(|receives| refused.again_after(receives)), [1; 4]);
    }
}
