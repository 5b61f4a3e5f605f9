//! What has been seen of one call so far. Shared by everything that stands between its guest and the host.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::format::{HostCall, Payload, Read};
use crate::spill::{Known, Place, Spill, Version};

/// A text up to this length is written into the record itself.
const INLINE: usize = 64 << 10;

/// How much of one call is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// Bytes that the stage reads, and bodies; in a temporary file while the call lasts.
    pub bytes: u64,
    /// Questions to the host and reads that do not follow on one another; in memory.
    pub entries: usize,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, entries: 20_000 }
    }
}

/// What has been seen of one call.
pub(crate) struct CallLog {
    pub(crate) spill: Spill,
    limits: RecordLimits,
    state: Mutex<Seen>,
}

/// See [`CallLog`].
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) calls: Vec<HostCall>,
    pub(crate) known: Known,
    /// Where bodies are, by their digest.
    pub(crate) bodies: HashMap<String, Place>,
    /// Why not all bytes are there.
    pub(crate) partial: Option<String>,
    /// Why not even all questions are there.
    pub(crate) lost: Option<String>,
    finished: HashMap<String, u32>,
    entries: usize,
}

impl Seen {
    fn another(&mut self, limits: &RecordLimits) -> bool {
        self.entries += 1;
        if self.entries > limits.entries {
            self.lost.get_or_insert_with(|| format!("the host was asked more than {} things", limits.entries));
        }
        self.lost.is_none()
    }
}

impl CallLog {
    pub(crate) fn new(limits: RecordLimits) -> Self {
        Self { spill: Spill::new(limits.bytes), limits, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question; its number is for [`change`](Self::change).
    pub(crate) fn add(&self, call: HostCall) -> usize {
        let mut state = self.state();
        if state.another(&self.limits) {
            state.calls.push(call);
        }
        state.calls.len().saturating_sub(1)
    }

    /// Adds to a question what has become known since.
    pub(crate) fn change(&self, number: usize, change: impl FnOnce(&mut HostCall)) {
        let mut state = self.state();
        if state.lost.is_none()
            && let Some(call) = state.calls.get_mut(number)
        {
            change(call);
        }
    }

    /// How many objects this call has finished under that key.
    pub(crate) fn written(&self, key: &str) -> u32 {
        self.state().finished.get(key).copied().unwrap_or_default()
    }

    /// One more object is finished.
    pub(crate) fn finish(&self, key: &str) {
        *self.state().finished.entry(key.to_owned()).or_default() += 1;
    }

    /// Bytes of an open object: what was read, and the bytes themselves.
    pub(crate) fn read(&self, number: usize, version: &Version, total: u64, offset: u64, bytes: &Bytes) {
        let mut state = self.state();
        let added = state.known.entry(version.clone()).or_default();
        added.0 = total;
        if let Err(why) = added.1.add(&self.spill, offset, bytes) {
            state.partial.get_or_insert(why);
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
            self.reading(state, number, Read { offset, bytes: len, failed: None });
        }
    }

    /// A read that failed.
    pub(crate) fn failed_read(&self, number: usize, read: Read) {
        self.reading(self.state(), number, read);
    }

    fn reading(&self, mut state: MutexGuard<'_, Seen>, number: usize, read: Read) {
        if state.another(&self.limits)
            && let Some(HostCall::Open { reads, .. }) = state.calls.get_mut(number)
        {
            reads.push(read);
        }
    }

    /// Keeps a body.
    pub(crate) fn body(&self, bytes: &Bytes) -> Payload {
        let payload = Payload::of(bytes);
        // Who keeps no bytes at all compares digests only.
        if payload.text.is_none() && !bytes.is_empty() && self.limits.bytes > 0 {
            let mut state = self.state();
            if !state.bodies.contains_key(&payload.sha256) {
                match self.spill.push(bytes) {
                    Ok(place) => {
                        state.bodies.insert(payload.sha256.clone(), place);
                    }
                    // Bytes of an object can be read again, an answer of a service cannot be had again.
                    Err(why) => {
                        state.lost.get_or_insert(why);
                    }
                }
            }
        }
        payload
    }
}

impl Payload {
    /// The body `bytes`, with its text if it is a short one.
    pub(crate) fn of(bytes: &Bytes) -> Self {
        let text = (bytes.len() <= INLINE).then(|| std::str::from_utf8(bytes).ok()).flatten();
        Self { bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)), text: text.map(str::to_owned) }
    }
}
