//! What MediaConvert needs of its surroundings: S3 for the files, the function for the events.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use stagehost_mediaconvert::{EventSink, JobEvent, Storage, StorageError};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Mutex, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lambda::Functions;

/// Files by the S3 API, as the service itself has them: nothing here knows how the store keeps them.
pub(crate) struct S3Files(pub(crate) Client);

#[async_trait]
impl Storage for S3Files {
    async fn fetch(&self, bucket: &str, key: &str, scratch: &Path) -> Result<PathBuf, StorageError> {
        let object = self
            .0
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| storage_error(bucket, key, error))?;
        let path = scratch.join("input");
        let failed = |error: std::io::Error| StorageError::Failed(format!("s3://{bucket}/{key}: {error}"));
        let mut file = tokio::fs::File::create(&path).await.map_err(failed)?;
        let mut body = object.body.into_async_read();
        tokio::io::copy(&mut body, &mut file).await.map_err(failed)?;
        file.flush().await.map_err(failed)?;
        Ok(path)
    }

    async fn store(&self, file: &Path, bucket: &str, key: &str, content_type: &str) -> Result<(), StorageError> {
        // One request: an upload that breaks off leaves nothing.
        let body = ByteStream::from_path(file)
            .await
            .map_err(|error| StorageError::Failed(format!("s3://{bucket}/{key}: {error}")))?;
        let put = self.0.put_object().bucket(bucket).key(key).content_type(content_type).body(body);
        put.send().await.map_err(|error| storage_error(bucket, key, error))?;
        Ok(())
    }
}

fn storage_error<E: ProvideErrorMetadata + std::error::Error + 'static, R>(
    bucket: &str,
    key: &str,
    error: SdkError<E, R>,
) -> StorageError
where
    R: std::fmt::Debug + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let reason = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => error.to_string(),
    };
    let text = format!("s3://{bucket}/{key}: {reason}");
    match code.as_str() {
        "NoSuchKey" | "NoSuchBucket" | "NotFound" => StorageError::NotFound(text),
        "AccessDenied" => StorageError::Denied(text),
        _ => StorageError::Failed(text),
    }
}

/// EventBridge's part: what the rule of the deployed template matches goes to the function, in order, tried again when it
/// fails; everything goes to whoever watches.
pub(crate) struct EventBus {
    /// Taken at shutdown: then nothing more is delivered.
    queue: Mutex<Option<mpsc::UnboundedSender<JobEvent>>>,
    watchers: broadcast::Sender<JobEvent>,
}

impl EventBus {
    /// Delivers to the function of this name in a task of `tasks`, until `stop`.
    pub(crate) fn start(functions: Functions, name: String, tasks: &TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let (queue, mut events) = mpsc::unbounded_channel::<JobEvent>();
        let (watchers, _) = broadcast::channel(256);
        tasks.spawn(async move {
            let deliver = async {
                while let Some(event) = events.recv().await {
                    let payload = Bytes::from(event.event.to_string());
                    if event.status == "STATUS_UPDATE" {
                        // The next one says it better; no need to insist.
                        if let Ok(Err(error)) = functions.invoke(&name, payload).await {
                            tracing::warn!(job = event.job_id, %error, "a status update was not taken");
                        }
                    } else if !functions.deliver(&name, payload).await {
                        tracing::error!(job = event.job_id, status = event.status, "nobody heard how the job ended");
                    }
                }
            };
            let _ = stop.run_until_cancelled(deliver).await;
        });
        Arc::new(Self { queue: Mutex::new(Some(queue)), watchers })
    }

    /// Every event from now on. Whoever is too slow misses the oldest.
    pub(crate) fn watch(&self) -> broadcast::Receiver<JobEvent> {
        self.watchers.subscribe()
    }

    /// Takes no more events; those that are queued are delivered until the bus is stopped.
    pub(crate) async fn close(&self) {
        self.queue.lock().await.take();
    }
}

#[async_trait]
impl EventSink for EventBus {
    async fn publish(&self, event: JobEvent) {
        let _ = self.watchers.send(event.clone());
        // The state that waits for the job hears of progress, too, as its heartbeat.
        if matches!(event.status, "STATUS_UPDATE" | "COMPLETE" | "ERROR" | "CANCELED")
            && let Some(queue) = &*self.queue.lock().await
        {
            let _ = queue.send(event);
        }
    }
}
