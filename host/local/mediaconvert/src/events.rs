//! The events that MediaConvert sends to EventBridge.

use async_trait::async_trait;
use serde_json::Value;

/// A state change of a job, as EventBridge delivers it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEvent {
    /// The job's identifier.
    pub job_id: String,
    /// The queue's ARN.
    pub queue: String,
    /// `detail.status`: `PROGRESSING`, `STATUS_UPDATE`, `COMPLETE`, `ERROR` or `CANCELED`.
    pub status: &'static str,
    /// The progress, 0 to 100.
    pub percent: u32,
    /// The whole event.
    pub event: Value,
}

/// Receives the events. The job waits for the call, so long work must run in a task of its own.
#[async_trait]
pub trait EventSink: Send + Sync + 'static {
    /// Receives one event. The events of a job arrive in order.
    async fn publish(&self, event: JobEvent);
}

/// A sink that ignores all events.
pub struct NoEvents;

#[async_trait]
impl EventSink for NoEvents {
    async fn publish(&self, _: JobEvent) {}
}
