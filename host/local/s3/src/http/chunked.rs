//! A decoder of the `aws-chunked` body encoding with bounded memory.
//!
//! AWS SDKs send streamed uploads in chunks, so that a checksum can follow the bytes as a trailer. `s3s` decodes them
//! as well, but only for requests whose signature it verifies, and it collects a whole chunk (up to 4 GiB in the
//! format) before it passes it on. Signatures of chunks are skipped: this decoder is for requests whose credentials are
//! not checked.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use hyper::HeaderMap;
use parking_lot::Mutex;
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{Body, StdError};

use super::chunk_decoder::{ChunkedError, Decoder};

/// The trailers of a body, once it has been read to its end.
#[derive(Clone, Debug, Default)]
pub struct Trailers(Arc<Mutex<HeaderMap>>);

impl Trailers {
    /// Returns the value of a trailer.
    pub fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock();
        trailers.get(name)?.to_str().ok().map(str::to_owned)
    }

    fn set(&self, trailers: HeaderMap) {
        *self.0.lock() = trailers;
    }
}

/// A decoded body.
pub struct Dechunked {
    body: Body,
    decoder: Decoder,
    decoded: VecDeque<Bytes>,
    declared: u64,
    given: u64,
    trailers: Trailers,
    ended: bool,
}

impl Dechunked {
    /// Returns the decoded body and its trailers. `declared` is `x-amz-decoded-content-length`.
    pub fn new(body: Body, declared: u64) -> (Self, Trailers) {
        let trailers = Trailers::default();
        let this = Self {
            body,
            decoder: Decoder::new(),
            decoded: VecDeque::new(),
            declared,
            given: 0,
            trailers: trailers.clone(),
            ended: false,
        };
        (this, trailers)
    }
}

impl Stream for Dechunked {
    type Item = Result<Bytes, StdError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.decoded.pop_front() {
                this.given += bytes.len() as u64;
                return Poll::Ready(Some(Ok(bytes)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let step = match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                Some(Ok(bytes)) => match this.decoder.push(bytes, &mut this.decoded) {
                    Ok(()) if this.decoder.decoded() > this.declared => Err(ChunkedError::Length),
                    pushed => pushed,
                },
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.ended = true;
                    this.decoder.finish(this.declared).map(|trailers| this.trailers.set(trailers))
                }
            };
            if let Err(error) = step {
                this.ended = true;
                this.decoded.clear();
                return Poll::Ready(Some(Err(error.into())));
            }
        }
    }
}

impl ByteStream for Dechunked {
    fn remaining_length(&self) -> RemainingLength {
        let left = self.declared.saturating_sub(self.given);
        usize::try_from(left).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
