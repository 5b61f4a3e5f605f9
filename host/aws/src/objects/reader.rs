//! An open object: forward reads come from one stream, jumps cost one exact request each.
//!
//! A stage either walks through a file or picks its headers here and there (an MP4's boxes may be at either end). Which
//! of the two it does shows with the second read, so the first one asks for exactly its range and a stream is opened
//! when a read goes on where the last one ended.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use stagehost_batch::Failure;
use stagehost_runtime::capability::{ObjectInfo, ObjectReader};

use crate::objects::body::{ReadAhead, ResumingBody};
use crate::objects::bucket::Store;
use crate::objects::recent::Edges;

/// A gap up to this long is read over: cheaper than a new request.
const MAX_SKIP: u64 = 256 * 1024;

pub(crate) struct S3Reader {
    store: Store,
    info: ObjectInfo,
    /// What of it is here already.
    edges: Edges,
    /// Where the last read ended.
    last_end: Option<u64>,
    stream: Option<Stream>,
}

struct Stream {
    body: ReadAhead,
    /// Arrived, not read yet.
    rest: Bytes,
    /// Where `rest` begins.
    position: u64,
}

impl S3Reader {
    pub(crate) fn new(store: Store, info: ObjectInfo, edges: Edges) -> Self {
        Self { store, info, edges, last_end: None, stream: None }
    }
}

/// How a read is served.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    /// From the open stream, after reading over so many bytes.
    Stream { skip: u64 },
    /// From a new stream that begins here.
    NewStream,
    /// By a request of its own.
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
        let bytes = match route(offset, position, self.last_end) {
            Route::Range => self.store.fetch(&self.info.key, &self.info.etag, offset..end).await?,
            route => {
                // Taken out, so that a failed read leaves no stream in an unknown position.
                let mut stream = match (route, self.stream.take()) {
                    (Route::Stream { .. }, Some(stream)) => stream,
                    _ => {
                        let range = offset..self.info.bytes;
                        let body = ResumingBody::new(self.store.clone(), &self.info.key, &self.info.etag, range);
                        Stream { body: ReadAhead::start(body), rest: Bytes::new(), position: offset }
                    }
                };
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

impl Stream {
    async fn skip_to(&mut self, offset: u64) -> Result<(), Failure> {
        while self.position < offset {
            if self.rest.is_empty() && !self.fill().await? {
                return Ok(());
            }
            self.split((offset - self.position).min(self.rest.len() as u64));
        }
        Ok(())
    }

    async fn take(&mut self, len: u64) -> Result<Bytes, Failure> {
        if self.rest.is_empty() {
            self.fill().await?;
        }
        // The usual small read is a part of what is there: no copy.
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

    /// The first `len` bytes of what has arrived; the caller has made sure that there are so many.
    fn split(&mut self, len: u64) -> Bytes {
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(self.rest.len());
        self.position += len as u64;
        self.rest.split_to(len)
    }

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
    fn a_small_gap_is_read_over_and_a_jump_asks_for_its_range() {
        assert_eq!(route(8292, Some(8192), Some(8192)), Route::Stream { skip: 100 });
        assert_eq!(route(50_000_000, Some(8192), Some(8192)), Route::Range);
        assert_eq!(route(0, Some(8192), Some(8192)), Route::Range);
    }

    #[test]
    fn a_walk_that_begins_behind_an_open_stream_gets_a_new_one() {
        assert_eq!(route(100, Some(8192), Some(100)), Route::NewStream);
    }
}
