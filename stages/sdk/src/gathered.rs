//! Small writes, gathered for one call of the host.

use std::io;

use crate::bindings::toq::media::types::Failure;
use crate::failure::io_error;

/// How many bytes are gathered for one call of the host, which takes and returns at most 4 MiB.
pub(crate) const BUFFER: usize = 1 << 20;

/// Bytes that the host does not have yet.
#[derive(Default)]
pub(crate) struct Gathered(Vec<u8>);

impl Gathered {
    /// Takes what there is room for, and sends what was gathered once it fills the buffer. Returns how many bytes it took.
    pub(crate) fn write(&mut self, bytes: &[u8], send: impl FnOnce(&[u8]) -> Result<(), Failure>) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(BUFFER - self.0.len())];
        self.0.extend_from_slice(taken);
        if self.0.len() == BUFFER {
            self.send(send).map_err(io_error)?;
        }
        Ok(taken.len())
    }

    /// Sends what was gathered, if there is anything. If that fails, it stays gathered.
    pub(crate) fn send(&mut self, send: impl FnOnce(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        if !self.0.is_empty() {
            send(&self.0)?;
            self.0.clear();
        }
        Ok(())
    }
}
