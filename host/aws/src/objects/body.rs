//! Reading a stored object's bytes in order, whatever the network does.
//!
//! A long read is cut now and then. Reading again from the start would cost the whole object once more and, for a
//! digest, be wrong; so a broken body is taken up again where it broke, from the same version.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::objects::bucket::Store;

/// How often one body may break before it is given up. The SDK's own retries of each request come on top.
const MAX_BREAKS: u32 = 6;

/// How many chunks are read ahead of the consumer. A chunk is at most what the HTTP client reads at once (400 KiB).
pub(crate) const READ_AHEAD: usize = 12;

/// The bytes of one range of one version of an object, in order.
pub(crate) struct ResumingBody {
    store: Store,
    key: String,
    etag: String,
    position: u64,
    end: u64,
    body: Option<ByteStream>,
    breaks: u32,
}

impl ResumingBody {
    pub(crate) fn new(store: Store, key: &str, etag: &str, range: Range<u64>) -> Self {
        Self {
            store,
            key: key.to_owned(),
            etag: etag.to_owned(),
            position: range.start,
            end: range.end,
            body: None,
            breaks: 0,
        }
    }

    /// Goes on with the body of a request that was made already.
    pub(crate) fn begun(store: Store, key: &str, etag: &str, range: Range<u64>, body: ByteStream) -> Self {
        Self { body: Some(body), ..Self::new(store, key, etag, range) }
    }

    /// The next bytes; `None` after the last one. Fewer bytes than the range has are an error, never a silent end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let body = match &mut self.body {
                Some(body) => body,
                None if self.position >= self.end => return Ok(None),
                None => {
                    let range = self.position..self.end;
                    let output = self.store.get(&self.key, Some(&self.etag), Some(range)).await?;
                    self.body.insert(output.body)
                }
            };
            match body.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    let left = self.end - self.position;
                    if chunk.len() as u64 > left {
                        return Err(self.failed("the store sent more bytes than were asked for"));
                    }
                    self.position += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None if self.position == self.end => {
                    self.body = None;
                    return Ok(None);
                }
                // All bytes are there and handed on, but they do not add up to the checksum.
                Some(Err(error)) if self.position == self.end => return Err(self.failed(&error.to_string())),
                broken => {
                    let why = match broken {
                        Some(Err(error)) => error.to_string(),
                        _ => "the connection closed early".to_owned(),
                    };
                    self.body = None;
                    self.breaks += 1;
                    if self.breaks > MAX_BREAKS {
                        return Err(self.failed(&format!("broke {} times, the last time: {why}", self.breaks)));
                    }
                    tracing::debug!(key = %self.key, position = self.position, %why, "a read broke; going on from there");
                    tokio::time::sleep(Duration::from_millis(50 << self.breaks)).await;
                }
            }
        }
    }

    fn failed(&self, why: &str) -> Failure {
        Failure::new(Case::Transient, format!("reading {} at byte {} of {}: {why}", self.key, self.position, self.end))
    }
}

/// A body that is read ahead, so that the network works while the consumer does. Dropping it stops the reading.
pub(crate) struct ReadAhead {
    chunks: mpsc::Receiver<Result<Bytes, Failure>>,
    _reading: JoinSet<()>,
}

impl ReadAhead {
    pub(crate) fn start(body: ResumingBody) -> Self {
        let (chunks, reading) = spawn(body);
        Self { chunks, _reading: reading }
    }

    /// The next bytes; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.chunks.recv().await.transpose()
    }
}

/// Starts to read ahead. The task ends with the set that it is given back in.
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
