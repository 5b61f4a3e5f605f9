//! When a message that failed is handed out again.
//!
//! A queue hides messages for six times as long as the function may run, because it cannot know whether somebody is
//! still at work on them. Of those that failed, the host knows that nobody is. Left alone, each of their receives would
//! cost the queue's whole visibility timeout.

use std::collections::BTreeMap;

use async_trait::async_trait;
use stagehost_aws::{Queues, Redelivery};

use crate::event::QueueRecord;

/// Seconds before the second receive of a message that may work later; they double with every further one.
const FIRST: u32 = 30;
const LONGEST: u32 = 900;

/// Seconds before a message comes back that nobody will ever read: at once, but not before this invocation's answer.
const UNREADABLE: u32 = 1;

/// Changes how long messages stay hidden.
#[async_trait]
pub trait Visibility: Send + Sync + 'static {
    /// Has messages of the queue with this ARN handed out again when they say; at most [`Queues::MAX_MESSAGES`] at once.
    /// An error is the reason in words: whoever asks can but log it.
    async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), String>;
}

#[async_trait]
impl Visibility for Queues {
    async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), String> {
        Queues::redeliver(self, queue, messages).await.map_err(|failure| failure.message)
    }
}

/// For a host that no queue calls: what is posted to it in a queue's shape comes back from nowhere.
pub struct NoQueue;

#[async_trait]
impl Visibility for NoQueue {
    async fn redeliver(&self, _: &str, _: &[Redelivery]) -> Result<(), String> {
        Ok(())
    }
}

/// Why a message did not become an execution.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It is the message's own fault, and stays so.
    #[error("{0}")]
    Unreadable(String),
    /// It may work later.
    #[error("{0}")]
    ForNow(String),
}

impl Refused {
    /// For how long to hide a message that has been received so often.
    pub(crate) fn again_after(&self, receives: u32) -> u32 {
        match self {
            Refused::Unreadable(_) => UNREADABLE,
            // At the fifth doubling the longest is passed.
            Refused::ForNow(_) => (FIRST << receives.saturating_sub(1).min(5)).min(LONGEST),
        }
    }
}

/// The messages of one event that failed, by their queue.
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

    /// Asks for all of them. Where that fails, the messages come back all the same, but late.
    pub(crate) async fn ask(self, visibility: &dyn Visibility) {
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
    fn what_may_work_later_waits_half_a_minute_and_twice_as_long_every_time_up_to_a_quarter_of_an_hour() {
        let refused = Refused::ForNow("throttled".into());
        let delays = [0, 1, 2, 3, 4, 5, 6, 7, 32, 64, u32::MAX].map(|receives| refused.again_after(receives));
        assert_eq!(delays, [30, 30, 60, 120, 240, 480, 900, 900, 900, 900, 900]);
    }

    #[test]
    fn what_nobody_can_read_comes_back_at_once_however_often_it_has() {
        let refused = Refused::Unreadable("no JSON".into());
        assert_eq!([1, 2, 5, 100].map(|receives| refused.again_after(receives)), [1; 4]);
    }
}
