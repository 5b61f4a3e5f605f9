//! The log of a running call: everything that the guest has asked of the host so far.
//!
//! Everything that is kept is charged before it is kept: requests and answers by the length of their JSON, parts and
//! ranges by what they need in memory. At the first thing that does not fit, the log is cut: nothing more is kept, what is
//! there stays, and the call goes on.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use stagehost_runtime::lock;

use crate::budget::{RecordBudget, Share};
use crate::cut::{Cut, CutReason};
use crate::record_format::{HostCall, Payload, Read};
use crate::spool::{ReadContents, ReadRanges, Span, Spool, Version};

/// A text up to this length, in bytes, is written into the record itself.
const INLINE: usize = 64 << 10;

/// What a place in a list or a map needs in memory besides its texts, in bytes.
const PLACE: u64 = 128;

/// How much of one call is recorded, and how long its answer may wait for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// The most bytes of objects that the stage reads, and of long bodies. They are in a temporary file during the call.
    pub bytes: u64,
    /// The most bytes of everything else: input, requests, answers, short bodies, outcome. They are in memory.
    pub text: u64,
    /// The most host calls and separate reads.
    pub entries: usize,
    /// The longest that the call's answer waits until the record is stored.
    pub wait: Duration,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self { bytes: 256 << 20, text: 8 << 20, entries: 20_000, wait: Duration::from_secs(5) }
    }
}

/// The log of one call.
pub(crate) struct CallLog {
    pub(crate) spool: Spool,
    limits: RecordLimits,
    share: Arc<Share>,
    state: Mutex<LogState>,
}

/// The content of a [`CallLog`].
#[derive(Default)]
pub(crate) struct LogState {
    pub(crate) calls: Vec<HostCall>,
    pub(crate) contents: ReadContents,
    /// Bodies by their digest.
    pub(crate) bodies: HashMap<String, Span>,
    /// Where the bytes that were read end. The requests may go on.
    pub(crate) contents_cut: Option<Cut>,
    /// Where everything ends.
    pub(crate) cut: Option<Cut>,
    finished: HashMap<String, u32>,
    entries: usize,
    /// What was charged so far.
    text: u64,
}

impl CallLog {
    pub(crate) fn new(limits: RecordLimits, budget: &RecordBudget) -> Self {
        let share = Arc::new(budget.share());
        Self { spool: Spool::new(limits.bytes, share.clone()), limits, share, state: Mutex::default() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, LogState> {
        lock(&self.state)
    }

    /// Charges bytes in memory; returns whether there was room. If not, the log is cut.
    pub(crate) fn charge(&self, bytes: u64) -> bool {
        self.charge_in(&mut self.state(), bytes)
    }

    fn charge_in(&self, state: &mut LogState, bytes: u64) -> bool {
        if state.cut.is_some() {
            return false;
        }
        let text = state.text.saturating_add(bytes);
        if text > self.limits.text {
            self.cut_in(state, CutReason::RecordTooLong);
        } else if !self.share.take_memory(bytes) {
            self.cut_in(state, CutReason::NoRoom);
        } else {
            state.text = text;
        }
        state.cut.is_none()
    }

    /// Charges an entry with its bytes; returns whether there was room.
    fn entry(&self, state: &mut LogState, bytes: u64) -> bool {
        state.entries = state.entries.saturating_add(1);
        if state.entries > self.limits.entries {
            self.cut_in(state, CutReason::TooManyCalls);
        }
        self.charge_in(state, bytes)
    }

    /// Cuts the log here, unless it is cut already.
    pub(crate) fn cut(&self, reason: CutReason) {
        self.cut_in(&mut self.state(), reason);
    }

    fn cut_in(&self, state: &mut LogState, reason: CutReason) {
        let here = self.cut_here(state, reason);
        state.cut.get_or_insert(here);
    }

    fn cut_contents(&self, state: &mut LogState, reason: CutReason) {
        let here = self.cut_here(state, reason);
        state.contents_cut.get_or_insert(here);
    }

    /// Returns a cut at what is kept so far.
    fn cut_here(&self, state: &LogState, reason: CutReason) -> Cut {
        Cut { bytes: state.text.saturating_add(self.spool.len()), reason }
    }

    /// Adds a host call; returns its number for [`change`](Self::change), or `None` if the log is cut.
    pub(crate) fn add(&self, call: HostCall) -> Option<usize> {
        // Computing what a call with a long text takes is not free, and a guest may go on long after the cut.
        if self.state().cut.is_some() {
            return None;
        }
        let cost = cost(&call).saturating_add(size_of::<HostCall>() as u64);
        let mut state = self.state();
        if !self.entry(&mut state, cost) {
            return None;
        }
        state.calls.push(call);
        Some(state.calls.len() - 1)
    }

    /// Changes a host call that was added before, which adds `bytes` to it.
    pub(crate) fn change(&self, number: Option<usize>, bytes: u64, change: impl FnOnce(&mut HostCall)) {
        let mut state = self.state();
        if let Some(number) = number
            && self.charge_in(&mut state, bytes)
            && let Some(call) = state.calls.get_mut(number)
        {
            change(call);
        }
    }

    /// Returns how many objects this call has finished under this key.
    pub(crate) fn written(&self, key: &str) -> u32 {
        self.state().finished.get(key).copied().unwrap_or_default()
    }

    /// Counts an object that was finished or deleted.
    pub(crate) fn finish(&self, key: &str) {
        let mut state = self.state();
        if let Some(count) = state.finished.get_mut(key) {
            *count = count.saturating_add(1);
        } else if self.charge_in(&mut state, PLACE + key.len() as u64) {
            state.finished.insert(key.to_owned(), 1);
        }
    }

    /// Adds a successful read of an open object, with its bytes.
    pub(crate) fn read(&self, number: Option<usize>, version: &Version, total: u64, offset: u64, bytes: &Bytes) {
        let mut state = self.state();
        let Some(number) = number.filter(|_| state.cut.is_none()) else { return };
        self.keep_contents(&mut state, version, total, offset, bytes);
        let len = bytes.len() as u64;
        let follows = match state.calls.get_mut(number) {
            Some(HostCall::Open { reads, .. }) => match reads.last_mut() {
                Some(last) if last.failed.is_none() && last.offset.checked_add(last.bytes) == Some(offset) => {
                    last.bytes = last.bytes.saturating_add(len);
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

    /// Adds the bytes of a read to the contents, unless these are cut.
    fn keep_contents(&self, state: &mut LogState, version: &Version, total: u64, offset: u64, bytes: &Bytes) {
        if state.contents_cut.is_some() {
            return;
        }
        let (known, pieces) = match state.contents.get(version) {
            Some((_, ranges)) => (true, ranges.missing(offset, bytes.len() as u64)),
            None => (false, ReadRanges::default().missing(offset, bytes.len() as u64)),
        };
        let name = if known { 0 } else { PLACE + version.0.len() as u64 + version.1.len() as u64 };
        if !self.charge_in(state, name + PLACE * pieces.len() as u64) {
            return;
        }
        let (length, ranges) = state.contents.entry(version.clone()).or_default();
        *length = total;
        if let Err(reason) = ranges.add(&self.spool, offset, bytes, pieces) {
            self.cut_contents(state, reason);
        }
    }

    /// Adds a read that failed.
    pub(crate) fn failed_read(&self, number: Option<usize>, read: Read) {
        if let Some(number) = number {
            self.add_read(self.state(), number, read);
        }
    }

    fn add_read(&self, mut state: MutexGuard<'_, LogState>, number: usize, read: Read) {
        if state.cut.is_some() {
            return;
        }
        let cost = cost(&read).saturating_add(PLACE);
        if self.entry(&mut state, cost)
            && let Some(HostCall::Open { reads, .. }) = state.calls.get_mut(number)
        {
            reads.push(read);
        }
    }

    /// Adds a body. A short text is in the returned payload, which the host call is charged for.
    pub(crate) fn body(&self, bytes: &Bytes) -> Payload {
        let payload = Payload::of(bytes);
        // With a limit of zero only digests are recorded.
        if payload.text.is_none() && !bytes.is_empty() && self.limits.bytes > 0 {
            let mut state = self.state();
            if !state.bodies.contains_key(&payload.sha256) && self.charge_in(&mut state, PLACE) {
                match self.spool.push(bytes) {
                    Ok(span) => {
                        state.bodies.insert(payload.sha256.clone(), span);
                    }
                    // Unlike the bytes of an object, the response of a service cannot be read again.
                    Err(reason) => self.cut_in(&mut state, reason),
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

/// Returns the length of a value as JSON, without making the text.
pub(crate) fn cost(value: &impl Serialize) -> u64 {
    struct Length(u64);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len() as u64);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    match serde_json::to_writer(&mut length, value) {
        Ok(()) => length.0,
        // Not a JSON value, so it cannot be stored either.
        Err(_) => u64::MAX,
    }
}

#[cfg(test)]
mod tests;
