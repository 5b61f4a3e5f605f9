//! Reads an open object: sequential reads from one stream, jumps with one exact request each.
//!
//! A stage either walks through a file or picks headers from it (the boxes of an MP4 may be at either end). The second
//! read shows which of the two it does. So the first read requests exactly its range, and a stream is opened when a
//! read begins where the last one ended and the call's budget has room for what is read ahead. Without room, reads go on
//! with one request each.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use stagehost_batch::Failure;
use stagehost_runtime::capability::{ObjectInfo, ObjectReader};
use stagehost_runtime::{Charge, HostBudget};

use crate::objects::body::{ReadAhead, ResumingBody, STREAM_BYTES};
use crate::objects::bucket::MediaBucket;
use crate::objects::in_memory;
use crate::objects::recent::{EDGES_BYTES, Edges};

/// The longest gap in bytes that is read and discarded, because that is cheaper than a new request.
const MAX_SKIP: u64 = 256 * 1024;

/// What hashing an object takes. Buffers of readers, which only make them faster, leave room for it.
pub(crate) const DIGEST_BYTES: usize = STREAM_BYTES + EDGES_BYTES;

pub(crate) struct S3Reader {
    bucket: MediaBucket,
    budget: HostBudget,
    info: ObjectInfo,
    /// The bytes that are in memory already.
    edges: Edges,
    _edges_charge: Option<Charge>,
    /// The offset at which the last read ended.
    last_end: Option<u64>,
    stream: Option<OpenStream>,
}

struct OpenStream {
    body: ReadAhead,
    /// Bytes that have arrived and are not read yet.
    rest: Bytes,
    /// The offset at which `rest` begins.
    position: u64,
}

impl S3Reader {
    /// Returns a reader that is charged to `budget`. Edges that do not fit into it are dropped.
    pub(crate) fn new(bucket: MediaBucket, budget: HostBudget, info: ObjectInfo, edges: Edges) -> Self {
        let charge = budget.try_charge(edges.len(), DIGEST_BYTES);
        let edges = if charge.is_some() { edges } else { Edges::default() };
        Self { bucket, budget, info, edges, _edges_charge: charge, last_end: None, stream: None }
    }

    /// Returns the stream to read from; `None` if the range is requested by itself. The stream is taken out, so that a
    /// failed read leaves no stream at an unknown position.
    fn stream_for(&mut self, route: Route, offset: u64) -> Option<OpenStream> {
        match route {
            Route::Range => None,
            Route::Stream { .. } => self.stream.take(),
            Route::NewStream => {
                // The earlier one frees its buffers first.
                self.stream = None;
                let buffers = self.budget.try_charge(STREAM_BYTES, DIGEST_BYTES)?;
                let range = offset..self.info.bytes;
                let body = ResumingBody::new(self.bucket.clone(), &self.info.key, &self.info.etag, range);
                Some(OpenStream { body: ReadAhead::start(body, buffers), rest: Bytes::new(), position: offset })
            }
        }
    }
}

/// How a read is served.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    /// From the open stream, after `skip` bytes are discarded.
    Stream { skip: u64 },
    /// From a new stream that begins at the read's offset.
    NewStream,
    /// With a request for exactly the read's range.
    Range,
}

fn route(offset: u64, stream: Option<u64>, last_end: Option<u64>) -> Route {
    match stream {
        Some(position) if offset >= position && offset - position <= MAX_SKIP => {
            Route::Stream { skip: offset - position }
        }
        _ if last_end == Some(offset) => Route::NewStream,
        _ => Route::Range,
    }
}

#[async_trait]
impl ObjectReader for S3Reader {
    fn info(&self) -> &ObjectInfo {
        &self.info
    }

    async fn read(&mut self, offset: u64, len: u32) -> Result<Bytes, Failure> {
        let end = offset.saturating_add(u64::from(len)).min(self.info.bytes);
        if offset >= end {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.edges.get(offset, end) {
            return Ok(bytes);
        }
        let position = self.stream.as_ref().map(|stream| stream.position);
        let bytes = match self.stream_for(route(offset, position, self.last_end), offset) {
            None => in_memory::read_range(&self.bucket, &self.info.key, &self.info.etag, offset..end).await?,
            Some(mut stream) => {
                stream.skip_to(offset).await?;
                let bytes = stream.take(end - offset).await?;
                self.stream = Some(stream);
                bytes
            }
        };
        self.last_end = Some(offset + bytes.len() as u64);
        Ok(bytes)
    }
}

impl OpenStream {
    /// Discards the bytes before `offset`.
    async fn skip_to(&mut self, offset: u64) -> Result<(), Failure> {
        while self.position < offset {
            if self.rest.is_empty() && !self.fill().await? {
                return Ok(());
            }
            self.split((offset - self.position).min(self.rest.len() as u64));
        }
        Ok(())
    }

    /// Returns the next `len` bytes, or fewer at the end of the object.
    async fn take(&mut self, len: u64) -> Result<Bytes, Failure> {
        if self.rest.is_empty() {
            self.fill().await?;
        }
        // A small read usually lies within the bytes that have arrived and needs no copy.
        if self.rest.len() as u64 >= len {
            return Ok(self.split(len));
        }
        let mut all = BytesMut::with_capacity(usize::try_from(len).unwrap_or_default());
        loop {
            let wanted = len - all.len() as u64;
            let part = self.split(wanted.min(self.rest.len() as u64));
            all.extend_from_slice(&part);
            if all.len() as u64 == len || !self.fill().await? {
                return Ok(all.freeze());
            }
        }
    }

    /// Returns the first `len` bytes of those that have arrived; the caller makes sure that there are enough.
    fn split(&mut self, len: u64) -> Bytes {
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(self.rest.len());
        self.position += len as u64;
        self.rest.split_to(len)
    }

    /// Waits for the next bytes. Returns false at the end of the object.
    async fn fill(&mut self) -> Result<bool, Failure> {
        match self.body.next().await? {
            Some(chunk) => {
                self.rest = chunk;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_adjacent_reads_opens_a_stream_and_the_third_uses_it() {
        assert_eq!(route(0, None, None), Route::Range);
        assert_eq!(route(4096, None, Some(4096)), Route::NewStream);
        assert_eq!(route(8192, Some(8192), Some(8192)), Route::Stream { skip: 0 });
    }

    #[test]
    fn a_small_gap_is_skipped_and_a_jump_requests_exactly_its_range() {
        assert_eq!(route(8292, Some(8192), Some(8192)), Route::Stream { skip: 100 });
        assert_eq!(route(50_000_000, Some(8192), Some(8192)), Route::Range);
        assert_eq!(route(0, Some(8192), Some(8192)), Route::Range);
    }

    #[test]
    fn a_walk_that_begins_behind_an_open_stream_gets_a_new_one() {
        assert_eq!(route(100, Some(8192), Some(100)), Route::NewStream);
    }
}
