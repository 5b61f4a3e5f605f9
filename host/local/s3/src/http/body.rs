//! Bodies between the network and the disk, in buffers of 256 KiB.
//!
//! Files are read, hashed and written on the blocking pool, one buffer ahead of the network. A request holds at most
//! two buffers, whatever the size of the object.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use s3s::dto::StreamingBlob;
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3ErrorCode, S3Result, StdError};
use tokio::task::JoinHandle;

use crate::digest::{BUFFER, Digests, Hasher, WantedAlgorithms};
use crate::error::{custom_error, io_error, refuse};
use crate::http::chunk_decoder::ChunkedError;

/// The largest body of one request, in bytes: S3's limit for an object or a part.
pub const BODY_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// Runs `work` on a thread that may block.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> S3Result<T> + Send + 'static) -> S3Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(S3Error::internal_error(error)),
    }
}

/// Writes a request's body to a file and hashes it. `declared` is the length in the request, if it gives one.
///
/// # Errors
/// The body is too large, incomplete or malformed, or the file cannot be written.
pub async fn receive(
    body: Option<StreamingBlob>,
    declared: Option<i64>,
    file: File,
    wanted: WantedAlgorithms,
) -> S3Result<Digests> {
    let too_large = || refuse(S3ErrorCode::EntityTooLarge, "Your proposed upload exceeds the maximum allowed size");
    let declared = declared.and_then(|declared| u64::try_from(declared).ok());
    if declared.is_some_and(|declared| declared > BODY_MAX) {
        return too_large();
    }
    let sink = Sink { file, hasher: Hasher::new(wanted) };
    let mut writing: JoinHandle<io::Result<Sink>> = tokio::task::spawn_blocking(move || Ok(sink));
    let (mut pending, mut pending_bytes, mut total) = (Vec::new(), 0, 0_u64);
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(broken_body)?;
            total += bytes.len() as u64;
            if total > BODY_MAX {
                return too_large();
            }
            pending_bytes += bytes.len();
            pending.push(bytes);
            if pending_bytes >= BUFFER {
                let sink = written(writing).await?;
                let batch = std::mem::take(&mut pending);
                pending_bytes = 0;
                writing = tokio::task::spawn_blocking(move || sink.write(&batch));
            }
        }
    }
    if declared.is_some_and(|declared| declared != total) {
        return refuse(S3ErrorCode::IncompleteBody, format!("{total} bytes arrived instead of the declared number"));
    }
    let sink = written(writing).await?;
    let sink = written(tokio::task::spawn_blocking(move || sink.write(&pending))).await?;
    Ok(sink.hasher.finish())
}

/// A file that is hashed as it is written.
struct Sink {
    file: File,
    hasher: Hasher,
}

impl Sink {
    fn write(mut self, batch: &[Bytes]) -> io::Result<Self> {
        for bytes in batch {
            self.hasher.update(bytes);
            self.file.write_all(bytes)?;
        }
        Ok(self)
    }
}

async fn written(writing: JoinHandle<io::Result<Sink>>) -> S3Result<Sink> {
    let result = writing.await.map_err(S3Error::internal_error)?;
    result.map_err(|error| io_error("the body could not be written", error))
}

/// Returns the error for a body that could not be read to its end, or that does not match its headers.
fn broken_body(error: StdError) -> S3Error {
    let text = error.to_string();
    let message = format!("the body cannot be used: {text}");
    match error.downcast_ref::<ChunkedError>() {
        Some(ChunkedError::Malformed(_)) => S3Error::with_message(S3ErrorCode::InvalidRequest, message),
        // `s3s` makes only the text of its errors public.
        None if text.contains("Sha256Mismatch") => {
            custom_error("XAmzContentSHA256Mismatch", hyper::StatusCode::BAD_REQUEST, message)
        }
        None if text.contains("SignatureMismatch") => {
            S3Error::with_message(S3ErrorCode::SignatureDoesNotMatch, message)
        }
        _ => S3Error::with_message(S3ErrorCode::IncompleteBody, message),
    }
}

/// A range of an open file, read one step ahead of the network.
pub struct FileStream {
    file: Arc<File>,
    next: u64,
    /// The end of the range.
    end: u64,
    /// The bytes that have not been returned yet.
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileStream {
    /// Returns the bytes from `start` up to but not including `end`, which must be within the file.
    pub fn new(file: File, start: u64, end: u64) -> Self {
        Self { file: Arc::new(file), next: start, end, left: end - start, reading: None }
    }

    fn read_next(&mut self) -> Option<JoinHandle<io::Result<Bytes>>> {
        let length = usize::try_from(self.end - self.next).unwrap_or(usize::MAX).min(BUFFER);
        if length == 0 {
            return None;
        }
        let (file, offset) = (self.file.clone(), self.next);
        self.next += length as u64;
        Some(tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; length];
            file.read_exact_at(&mut buffer, offset)?;
            Ok(buffer.into())
        }))
    }
}

impl Stream for FileStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut reading = match this.reading.take().or_else(|| this.read_next()) {
            Some(reading) => reading,
            None => return Poll::Ready(None),
        };
        let Poll::Ready(result) = Pin::new(&mut reading).poll(cx) else {
            this.reading = Some(reading);
            return Poll::Pending;
        };
        match result.map_err(StdError::from).and_then(|read| read.map_err(StdError::from)) {
            Ok(bytes) => {
                this.left -= bytes.len() as u64;
                this.reading = this.read_next();
                Poll::Ready(Some(Ok(bytes)))
            }
            Err(error) => {
                this.next = this.end;
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

impl ByteStream for FileStream {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.left).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Seek;

    use super::*;

    #[tokio::test]
    async fn a_file_is_streamed_between_any_offsets() {
        let bytes: Vec<u8> = (0..BUFFER * 2 + 77).map(|at| (at % 251) as u8).collect();
        for (start, end) in [(0, bytes.len()), (5, 5), (BUFFER - 1, BUFFER + 1), (BUFFER, bytes.len()), (9, 10)] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let mut stream = FileStream::new(file, start as u64, end as u64);
            assert_eq!(stream.remaining_length().exact(), Some(end - start));
            let mut read = Vec::new();
            while let Some(piece) = stream.next().await {
                read.extend_from_slice(&piece.unwrap());
            }
            assert!(read == bytes[start..end], "{start}..{end}");
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_while_it_is_sent_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let mut stream = FileStream::new(file, 0, 20);
        assert!(stream.next().await.unwrap().is_err());
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_received_body_is_written_and_hashed() {
        let bytes = vec![7_u8; BUFFER * 3 + 1];
        let mut file = tempfile::tempfile().unwrap();
        let pieces: Vec<Result<Bytes, io::Error>> = bytes.chunks(1000).map(|b| Ok(Bytes::copy_from_slice(b))).collect();
        let body = StreamingBlob::wrap(futures::stream::iter(pieces));
        let digests = receive(Some(body), None, file.try_clone().unwrap(), WantedAlgorithms::default()).await.unwrap();
        assert_eq!(digests.crc32, crc32fast::hash(&bytes));
        assert_eq!(digests.size, bytes.len() as u64);
        file.rewind().unwrap();
        assert!(io::Read::bytes(file).count() == bytes.len());
    }

    #[tokio::test]
    async fn a_body_of_another_length_than_declared_is_incomplete() {
        let body = StreamingBlob::wrap(futures::stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"abc"))]));
        let error =
            receive(Some(body), Some(4), tempfile::tempfile().unwrap(), WantedAlgorithms::default()).await.unwrap_err();
        assert_eq!(error.code(), &S3ErrorCode::IncompleteBody);
    }
}
