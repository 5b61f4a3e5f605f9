//! Reads a stored object's bytes in order, over a network that breaks.
//!
//! Long reads break off now and then. To read again from the start would cost the whole object once more, and would
//! make a digest wrong. So a body that breaks off is resumed at the byte where it broke, from the same version.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::Charge;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::objects::bucket::MediaBucket;

/// How often one body may break before the read fails. The SDK retries each request in addition.
const MAX_BREAKS: u32 = 6;

/// The most bytes of a chunk: what the HTTP client reads at once (hyper's largest buffer).
pub(crate) const MAX_CHUNK: usize = 8192 + 100 * 4096;

/// How many chunks are read ahead: enough for a connection to S3, whose bandwidth times round trip is below a megabyte.
const READ_AHEAD: usize = 2;

/// What a body that is read ahead holds in memory: the chunks that wait, one that is about to, and one in use.
pub(crate) const STREAM_BYTES: usize = (READ_AHEAD + 2) * MAX_CHUNK;

/// The bytes of one range of one version of an object, in order.
pub(crate) struct ResumingBody {
    bucket: MediaBucket,
    key: String,
    etag: String,
    position: u64,
    end: u64,
    body: Option<ByteStream>,
    breaks: u32,
}

impl ResumingBody {
    pub(crate) fn new(bucket: MediaBucket, key: &str, etag: &str, range: Range<u64>) -> Self {
        Self {
            bucket,
            key: key.to_owned(),
            etag: etag.to_owned(),
            position: range.start,
            end: range.end,
            body: None,
            breaks: 0,
        }
    }

    /// Continues with the `body` of a request that has been made already.
    pub(crate) fn begun(bucket: MediaBucket, key: &str, etag: &str, range: Range<u64>, body: ByteStream) -> Self {
        Self { body: Some(body), ..Self::new(bucket, key, etag, range) }
    }

    /// Returns the next bytes; `None` after the last one. Errors: if the range ends early.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let body = match &mut self.body {
                Some(body) => body,
                None if self.position >= self.end => return Ok(None),
                None => {
                    let range = self.position..self.end;
                    let output = self.bucket.get(&self.key, Some(&self.etag), Some(range)).await?;
                    self.body.insert(output.body)
                }
            };
            match body.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    let left = self.end - self.position;
                    if chunk.len() as u64 > left {
                        return Err(self.failed("S3 sent more bytes than were requested"));
                    }
                    self.position += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None if self.position == self.end => {
                    self.body = None;
                    return Ok(None);
                }
                // All bytes have been returned, but they do not match the checksum.
                Some(Err(error)) if self.position == self.end => return Err(self.failed(&error.to_string())),
                broken => {
                    let why = match broken {
                        Some(Err(error)) => error.to_string(),
                        _ => "the connection closed early".to_owned(),
                    };
                    self.body = None;
                    self.breaks += 1;
                    if self.breaks > MAX_BREAKS {
                        return Err(self.failed(&format!("broke off {} times, the last time with: {why}", self.breaks)));
                    }
                    tracing::debug!(key = %self.key, position = self.position, %why, "a read broke off and is resumed there");
                    tokio::time::sleep(Duration::from_millis(50 << self.breaks)).await;
                }
            }
        }
    }

    fn failed(&self, why: &str) -> Failure {
        Failure::new(Case::Transient, format!("reading {} at byte {} of {}: {why}", self.key, self.position, self.end))
    }
}

/// A body that is read ahead while the consumer works. Dropping it stops the reading.
pub(crate) struct ReadAhead {
    chunks: mpsc::Receiver<Result<Bytes, Failure>>,
    _reading: JoinSet<()>,
    _buffers: Charge,
}

impl ReadAhead {
    /// Starts to read ahead. `buffers` are [`STREAM_BYTES`] of the call's budget.
    pub(crate) fn start(body: ResumingBody, buffers: Charge) -> Self {
        let (chunks, reading) = spawn(body);
        Self { chunks, _reading: reading, _buffers: buffers }
    }

    /// Returns the next bytes; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.chunks.recv().await.transpose()
    }
}

/// Starts to read ahead. The task ends when the returned set is dropped.
pub(crate) fn spawn(mut body: ResumingBody) -> (mpsc::Receiver<Result<Bytes, Failure>>, JoinSet<()>) {
    let (sender, chunks) = mpsc::channel(READ_AHEAD);
    let mut reading = JoinSet::new();
    reading.spawn(async move {
        loop {
            let next = body.next().await.transpose();
            let Some(next) = next else { return };
            let failed = next.is_err();
            if sender.send(next).await.is_err() || failed {
                return;
            }
        }
    });
    (chunks, reading)
}
