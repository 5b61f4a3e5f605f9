//! Bytes that wait to be stored: in memory up to 64 KiB, then in a temporary file, up to a limit.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use stagehost_runtime::lock;
use tempfile::SpooledTempFile;

use crate::budget::Share;
use crate::cut::CutReason;

/// With more bytes than this, a temporary file is created.
const IN_MEMORY: usize = 64 << 10;

/// The longest that one call writes to its temporary file, all writes together. The stage waits for them.
const MAX_WRITING: Duration = Duration::from_secs(1);

/// A range of bytes in the spool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    at: u64,
    bytes: u64,
}

/// A spool of bytes to which bytes can only be added.
pub(crate) struct Spool(Mutex<Inner>);

struct Inner {
    file: SpooledTempFile,
    end: u64,
    limit: u64,
    share: Arc<Share>,
    /// How long the writes have taken so far.
    writing: Duration,
}

impl Spool {
    /// Returns an empty spool for at most `limit` bytes, which are taken from `share`.
    pub(crate) fn new(limit: u64, share: Arc<Share>) -> Self {
        let (file, writing) = (SpooledTempFile::new(IN_MEMORY), Duration::ZERO);
        Self(Mutex::new(Inner { file, end: 0, limit, share, writing }))
    }

    /// Returns how many bytes it has.
    pub(crate) fn len(&self) -> u64 {
        lock(&self.0).end
    }

    /// Adds bytes. This blocks only for copying them, because the file is in the page cache. If the disk is slow all the
    /// same, later bytes are refused.
    ///
    /// # Errors
    /// If the limit is reached, or the file cannot be written in time.
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<Span, CutReason> {
        let mut inner = lock(&self.0);
        let span = Span { at: inner.end, bytes: bytes.len() as u64 };
        if inner.end.saturating_add(span.bytes) > inner.limit {
            return Err(CutReason::ContentsTooLong);
        }
        if inner.writing > MAX_WRITING {
            return Err(CutReason::TemporaryFile);
        }
        if !inner.share.take_files(span.bytes) {
            return Err(CutReason::NoRoom);
        }
        let began = Instant::now();
        let written = inner.file.seek(SeekFrom::Start(span.at)).and_then(|_| inner.file.write_all(bytes));
        inner.writing += began.elapsed();
        written.map_err(|_| CutReason::TemporaryFile)?;
        inner.end += span.bytes;
        Ok(span)
    }

    /// Returns the bytes of a span.
    pub(crate) fn get(&self, span: Span) -> std::io::Result<Bytes> {
        let mut inner = lock(&self.0);
        inner.file.seek(SeekFrom::Start(span.at))?;
        let mut bytes = vec![0; usize::try_from(span.bytes).map_err(std::io::Error::other)?];
        inner.file.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// The bytes of an object that were read: spans by their offset in the object.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadRanges(BTreeMap<u64, Span>);

impl ReadRanges {
    /// Returns the parts of `offset .. offset + len` that were not read yet, each as offset and length.
    pub(crate) fn missing(&self, offset: u64, len: u64) -> Vec<(u64, u64)> {
        let (mut at, end, mut missing) = (offset, offset.saturating_add(len), Vec::new());
        while at < end {
            match self.at(at) {
                Some((start, span)) => at = start + span.bytes,
                None => {
                    let next = self.0.range(at..end).next().map_or(end, |(start, _)| *start);
                    missing.push((at, next - at));
                    at = next;
                }
            }
        }
        missing
    }

    /// Returns the span that has the byte at `at`, and its offset.
    fn at(&self, at: u64) -> Option<(u64, Span)> {
        let (start, span) = self.0.range(..=at).next_back()?;
        (at < start + span.bytes).then_some((*start, *span))
    }

    /// Adds the `pieces` of `bytes` that are [`missing`](Self::missing).
    pub(crate) fn add(
        &mut self,
        spool: &Spool,
        offset: u64,
        bytes: &[u8],
        pieces: Vec<(u64, u64)>,
    ) -> Result<(), CutReason> {
        for (at, len) in pieces {
            let range = usize::try_from(at - offset).ok().zip(usize::try_from(at - offset + len).ok());
            let Some(piece) = range.and_then(|(from, to)| bytes.get(from..to)) else { continue };
            self.0.insert(at, spool.push(piece)?);
        }
        Ok(())
    }

    /// Returns the ranges that were read, in order, adjacent ones joined: offset and length.
    pub(crate) fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (start, span) in &self.0 {
            match runs.last_mut() {
                Some((at, len)) if *at + *len == *start => *len += span.bytes,
                _ => runs.push((*start, span.bytes)),
            }
        }
        runs
    }

    /// Returns `len` bytes from `offset`; `None` if not all of them were read.
    pub(crate) fn read(&self, spool: &Spool, offset: u64, len: u64) -> Option<std::io::Result<Bytes>> {
        if !self.missing(offset, len).is_empty() {
            return None;
        }
        let (mut at, end, mut out) = (offset, offset.saturating_add(len), Vec::new());
        while at < end {
            let (start, span) = self.at(at)?;
            let skip = at - start;
            let take = (span.bytes - skip).min(end - at);
            match spool.get(Span { at: span.at + skip, bytes: take }) {
                Ok(bytes) => out.extend_from_slice(&bytes),
                Err(error) => return Some(Err(error)),
            }
            at += take;
        }
        Some(Ok(out.into()))
    }
}

/// One version of one object: key and entity tag.
pub(crate) type Version = (String, String);

/// The bytes of all objects that a call has read, by version. The number is the object's length.
pub(crate) type ReadContents = HashMap<Version, (u64, ReadRanges)>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::budget::RecordBudget;

    fn spool(limit: u64) -> Spool {
        Spool::new(limit, Arc::new(RecordBudget::default().share()))
    }

    fn add(ranges: &mut ReadRanges, spool: &Spool, offset: u64, bytes: &[u8]) -> Result<(), CutReason> {
        let pieces = ranges.missing(offset, bytes.len() as u64);
        ranges.add(spool, offset, bytes, pieces)
    }

    #[test]
    fn overlapping_reads_are_joined_and_stored_once() {
        let (spool, mut ranges) = (spool(100), ReadRanges::default());
        add(&mut ranges, &spool, 10, b"klmno").unwrap();
        add(&mut ranges, &spool, 0, b"abcdefghijkl").unwrap();
        add(&mut ranges, &spool, 30, b"z").unwrap();
        assert_eq!(ranges.runs(), [(0, 15), (30, 1)]);
        assert_eq!(ranges.read(&spool, 0, 15).unwrap().unwrap(), "abcdefghijklmno");
        assert_eq!(ranges.read(&spool, 9, 3).unwrap().unwrap(), "jkl");
        assert!(ranges.read(&spool, 14, 2).is_none());
        assert_eq!(spool.0.lock().unwrap().end, 16, "overlaps are not stored twice");
    }

    #[test]
    fn bytes_beyond_the_limit_are_refused() {
        let (spool, mut ranges) = (spool(3), ReadRanges::default());
        add(&mut ranges, &spool, 0, b"abc").unwrap();
        assert_eq!(add(&mut ranges, &spool, 3, b"d"), Err(CutReason::ContentsTooLong));
        assert_eq!(ranges.read(&spool, 0, 3).unwrap().unwrap(), "abc");
    }

    #[test]
    fn many_bytes_are_written_to_a_file_and_read_back() {
        let spool = spool(8 << 20);
        let bytes = vec![7; 3 << 20];
        let (first, second) = (spool.push(&bytes).unwrap(), spool.push(b"after").unwrap());
        assert_eq!(spool.get(first).unwrap(), bytes);
        assert_eq!(spool.get(second).unwrap(), "after");
    }

    #[test]
    fn temporary_files_of_all_calls_share_their_bytes() {
        let budget = RecordBudget::new(0, 10);
        let (one, other) = (Spool::new(100, Arc::new(budget.share())), Spool::new(100, Arc::new(budget.share())));
        one.push(b"12345678").unwrap();
        assert_eq!(other.push(b"123").err(), Some(CutReason::NoRoom));
        drop(one);
        other.push(b"123").unwrap();
    }
}
