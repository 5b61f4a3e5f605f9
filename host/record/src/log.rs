//! The log of a running call: everything that the guest has asked of the host so far.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_runtime::lock;

use crate::record_format::{HostCall, Payload, Read};
use crate::spool::{ReadContents, Span, Spool, Version};

/// A text up to this length, in bytes, is written into the record itself.
const INLINE: usize = 64 << 10;

/// How much of one call is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// The most bytes of objects that the stage reads, and of bodies. They are in a temporary file during the call.
    pub bytes: u64,
    /// The most host calls and separate reads. They are in memory.
    pub entries: usize,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, entries: 20_000 }
    }
}

/// The log of one call.
pub(crate) struct CallLog {
    pub(crate) spool: Spool,
    limits: RecordLimits,
    state: Mutex<LogState>,
}

/// The content of a [`CallLog`].
#[derive(Default)]
pub(crate) struct LogState {
    pub(crate) calls: Vec<HostCall>,
    pub(crate) contents: ReadContents,
    /// Bodies by their digest.
    pub(crate) bodies: HashMap<String, Span>,
    /// Why some bytes are not recorded.
    pub(crate) bytes_missing: Option<String>,
    /// Why some host calls are not recorded.
    pub(crate) calls_missing: Option<String>,
    finished: HashMap<String, u32>,
    entries: usize,
}

impl LogState {
    /// Counts one more entry; returns whether it may be recorded.
    fn count_entry(&mut self, limits: &RecordLimits) -> bool {
        self.entries += 1;
        if self.entries > limits.entries {
            self.calls_missing.get_or_insert_with(|| format!("it made more than {} host calls", limits.entries));
        }
        self.calls_missing.is_none()
    }
}

impl CallLog {
    pub(crate) fn new(limits: RecordLimits) -> Self {
        Self { spool: Spool::new(limits.bytes), limits, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, LogState> {
        lock(&self.state)
    }

    /// Adds a host call; returns its number for [`change`](Self::change).
    pub(crate) fn add(&self, call: HostCall) -> usize {
        let mut state = self.state();
        if state.count_entry(&self.limits) {
            state.calls.push(call);
        }
        state.calls.len().saturating_sub(1)
    }

    /// Changes a host call that was added before.
    pub(crate) fn change(&self, number: usize, change: impl FnOnce(&mut HostCall)) {
        let mut state = self.state();
        if state.calls_missing.is_none()
            && let Some(call) = state.calls.get_mut(number)
        {
            change(call);
        }
    }

    /// Returns how many objects this call has finished under this key.
    pub(crate) fn written(&self, key: &str) -> u32 {
        self.state().finished.get(key).copied().unwrap_or_default()
    }

    /// Counts a finished object.
    pub(crate) fn finish(&self, key: &str) {
        *self.state().finished.entry(key.to_owned()).or_default() += 1;
    }

    /// Adds a successful read of an open object, with its bytes.
    pub(crate) fn read(&self, number: usize, version: &Version, total: u64, offset: u64, bytes: &Bytes) {
        let mut state = self.state();
        let (length, ranges) = state.contents.entry(version.clone()).or_default();
        *length = total;
        if let Err(why) = ranges.add(&self.spool, offset, bytes) {
            state.bytes_missing.get_or_insert(why);
        }
        let len = bytes.len() as u64;
        let follows = match state.calls.get_mut(number) {
            Some(HostCall::Open { reads, .. }) => match reads.last_mut() {
                Some(last) if last.failed.is_none() && last.offset + last.bytes == offset => {
                    last.bytes += len;
                    true
                }
                _ => false,
            },
            _ => true,
        };
        if !follows {
            self.add_read(state, number, Read { offset, bytes: len, failed: None });
        }
    }

    /// Adds a read that failed.
    pub(crate) fn failed_read(&self, number: usize, read: Read) {
        self.add_read(self.state(), number, read);
    }

    fn add_read(&self, mut state: MutexGuard<'_, LogState>, number: usize, read: Read) {
        if state.count_entry(&self.limits)
            && let Some(HostCall::Open { reads, .. }) = state.calls.get_mut(number)
        {
            reads.push(read);
        }
    }

    /// Adds a body.
    pub(crate) fn body(&self, bytes: &Bytes) -> Payload {
        let payload = Payload::of(bytes);
        // With a limit of zero only digests are recorded.
        if payload.text.is_none() && !bytes.is_empty() && self.limits.bytes > 0 {
            let mut state = self.state();
            if !state.bodies.contains_key(&payload.sha256) {
                match self.spool.push(bytes) {
                    Ok(span) => {
                        state.bodies.insert(payload.sha256.clone(), span);
                    }
                    // Unlike the bytes of an object, the response of a service cannot be read again.
                    Err(why) => {
                        state.calls_missing.get_or_insert(why);
                    }
                }
            }
        }
        payload
    }
}

impl Payload {
    /// Returns the payload of a body, with its text if that is short.
    pub(crate) fn of(bytes: &Bytes) -> Self {
        let text = (bytes.len() <= INLINE).then(|| std::str::from_utf8(bytes).ok()).flatten();
        Self { bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)), text: text.map(str::to_owned) }
    }
}
