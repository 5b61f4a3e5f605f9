//! The end of a guest's standard output and error, kept for the failure's message and the log.
//!
//! wasmtime-wasi's own pipe ends when it is full, and a Rust guest panics when it cannot print. This one takes everything
//! and drops the oldest bytes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::lock::lock;

/// The most bytes that are kept.
const KEPT: usize = 8 << 10;

/// The last bytes that were written. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct OutputTail(Arc<Mutex<VecDeque<u8>>>);

impl OutputTail {
    /// Returns the last bytes as text.
    pub(crate) fn text(&self) -> String {
        let kept = lock(&self.0);
        let (a, b) = kept.as_slices();
        String::from_utf8_lossy(&[a, b].concat()).trim().to_owned()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = lock(&self.0);
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let overflow = (kept.len() + bytes.len()).saturating_sub(KEPT);
        kept.drain(..overflow);
        kept.extend(bytes);
    }
}

impl IsTerminal for OutputTail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputTail {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for OutputTail {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait::async_trait]
impl Pollable for OutputTail {
    async fn ready(&mut self) {}
}

impl AsyncWrite for OutputTail {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_bytes_are_kept() {
        let tail = OutputTail::default();
        for line in 0..10_000 {
            tail.push(format!("line {line}\n").as_bytes());
        }
        assert!(tail.text().ends_with("line 9999"));
        assert!(tail.text().len() <= KEPT);
        tail.push(&[b'x'; 3 * KEPT]);
        assert_eq!(tail.text(), "x".repeat(KEPT));
    }
}
