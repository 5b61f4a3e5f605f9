//! Delivery of MediaConvert's events: the local counterpart of EventBridge.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_mediaconvert::{EventSink, JobEvent};
use tokio::sync::{Mutex, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lambda::functions::Functions;

/// Delivers events that match the rule of the deployed template to the function, in order and with retries, and all
/// events to subscribers.
pub(crate) struct EventBus {
    /// `None` after shutdown: no more events are accepted.
    queue: Mutex<Option<mpsc::UnboundedSender<JobEvent>>>,
    subscribers: broadcast::Sender<JobEvent>,
}

impl EventBus {
    /// Starts delivery to the function of this name in a task of `tasks`, until `stop`.
    pub(crate) fn start(functions: Functions, name: String, tasks: &TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let (queue, mut events) = mpsc::unbounded_channel::<JobEvent>();
        let (subscribers, _) = broadcast::channel(256);
        tasks.spawn(async move {
            let deliver = async {
                while let Some(event) = events.recv().await {
                    let payload = Bytes::from(event.event.to_string());
                    if event.status == "STATUS_UPDATE" {
                        // Not retried: the next update is newer.
                        if let Ok(Err(error)) = functions.invoke(&name, payload).await {
                            tracing::warn!(job = event.job_id, %error, "the function failed on a status update");
                        }
                    } else if !functions.deliver(&name, payload).await {
                        tracing::error!(
                            job = event.job_id,
                            status = event.status,
                            "the final event of a job could not be delivered"
                        );
                    }
                }
            };
            let _ = stop.run_until_cancelled(deliver).await;
        });
        Arc::new(Self { queue: Mutex::new(Some(queue)), subscribers })
    }

    /// Returns a receiver of all later events. Slow receivers lose the oldest events.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<JobEvent> {
        self.subscribers.subscribe()
    }

    /// Accepts no more events. Queued events are delivered until the bus is stopped.
    pub(crate) async fn close(&self) {
        self.queue.lock().await.take();
    }
}

#[async_trait]
impl EventSink for EventBus {
    async fn publish(&self, event: JobEvent) {
        let _ = self.subscribers.send(event.clone());
        // Progress is delivered as well: it becomes the heartbeat of the waiting state.
        if matches!(event.status, "STATUS_UPDATE" | "COMPLETE" | "ERROR" | "CANCELED")
            && let Some(queue) = &*self.queue.lock().await
        {
            let _ = queue.send(event);
        }
    }
}
