//! Bytes that wait to be kept: in memory while they are few, then in a file without a name, never more than allowed.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tempfile::SpooledTempFile;

/// Up to here no file is made.
const IN_MEMORY: usize = 1 << 20;

/// Where bytes are in the spill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    at: u64,
    bytes: u64,
}

/// Bytes that are only ever added.
pub(crate) struct Spill(Mutex<Inner>);

struct Inner {
    file: SpooledTempFile,
    end: u64,
    limit: u64,
}

impl Spill {
    /// Takes at most `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self(Mutex::new(Inner { file: SpooledTempFile::new(IN_MEMORY), end: 0, limit }))
    }

    /// Adds bytes; says why not, if there is no room. The file is in the page cache: writing to it is copying.
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<Place, String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place { at: inner.end, bytes: bytes.len() as u64 };
        if inner.end + place.bytes > inner.limit {
            return Err(format!("more than {} MiB were read", inner.limit >> 20));
        }
        let written = inner.file.seek(SeekFrom::Start(place.at)).and_then(|_| inner.file.write_all(bytes));
        written.map_err(|error| format!("the temporary file: {error}"))?;
        inner.end += place.bytes;
        Ok(place)
    }

    /// The bytes again.
    pub(crate) fn get(&self, place: Place) -> std::io::Result<Bytes> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.file.seek(SeekFrom::Start(place.at))?;
        let mut bytes = vec![0; usize::try_from(place.bytes).map_err(std::io::Error::other)?];
        inner.file.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Which bytes of an object are known, and where they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(BTreeMap<u64, Place>);

impl Ranges {
    /// The parts of `offset .. offset + len` that are not known yet.
    fn missing(&self, offset: u64, len: u64) -> Vec<(u64, u64)> {
        let (mut at, end, mut missing) = (offset, offset.saturating_add(len), Vec::new());
        while at < end {
            match self.at(at) {
                Some((start, place)) => at = start + place.bytes,
                None => {
                    let next = self.0.range(at..end).next().map_or(end, |(start, _)| *start);
                    missing.push((at, next - at));
                    at = next;
                }
            }
        }
        missing
    }

    /// The known piece that holds the byte at `at`.
    fn at(&self, at: u64) -> Option<(u64, Place)> {
        let (start, place) = self.0.range(..=at).next_back()?;
        (at < start + place.bytes).then_some((*start, *place))
    }

    /// Adds what is new of `bytes`.
    pub(crate) fn add(&mut self, spill: &Spill, offset: u64, bytes: &[u8]) -> Result<(), String> {
        for (at, len) in self.missing(offset, bytes.len() as u64) {
            let range = usize::try_from(at - offset).ok().zip(usize::try_from(at - offset + len).ok());
            let Some(piece) = range.and_then(|(from, to)| bytes.get(from..to)) else { continue };
            self.0.insert(at, spill.push(piece)?);
        }
        Ok(())
    }

    /// What is known, in order and without gaps inside: offset and length.
    pub(crate) fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (start, place) in &self.0 {
            match runs.last_mut() {
                Some((at, len)) if *at + *len == *start => *len += place.bytes,
                _ => runs.push((*start, place.bytes)),
            }
        }
        runs
    }

    /// `len` bytes from `offset`, if all of them are known.
    pub(crate) fn read(&self, spill: &Spill, offset: u64, len: u64) -> Option<std::io::Result<Bytes>> {
        if !self.missing(offset, len).is_empty() {
            return None;
        }
        let (mut at, end, mut out) = (offset, offset.saturating_add(len), Vec::new());
        while at < end {
            let (start, place) = self.at(at)?;
            let skip = at - start;
            let take = (place.bytes - skip).min(end - at);
            match spill.get(Place { at: place.at + skip, bytes: take }) {
                Ok(bytes) => out.extend_from_slice(&bytes),
                Err(error) => return Some(Err(error)),
            }
            at += take;
        }
        Some(Ok(out.into()))
    }
}

/// One version of one object.
pub(crate) type Version = (String, String);

/// The bytes of all objects that a call has read: by version, with the objects' lengths.
pub(crate) type Known = HashMap<Version, (u64, Ranges)>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_read_in_pieces_is_known_as_a_whole_and_kept_once() {
        let (spill, mut ranges) = (Spill::new(100), Ranges::default());
        ranges.add(&spill, 10, b"klmno").unwrap();
        ranges.add(&spill, 0, b"abcdefghijkl").unwrap();
        ranges.add(&spill, 30, b"z").unwrap();
        assert_eq!(ranges.runs(), [(0, 15), (30, 1)]);
        assert_eq!(ranges.read(&spill, 0, 15).unwrap().unwrap(), "abcdefghijklmno");
        assert_eq!(ranges.read(&spill, 9, 3).unwrap().unwrap(), "jkl");
        assert!(ranges.read(&spill, 14, 2).is_none());
        assert_eq!(spill.0.lock().unwrap().end, 16, "overlaps are not kept again");
    }

    #[test]
    fn there_is_an_end_to_what_is_taken() {
        let (spill, mut ranges) = (Spill::new(3), Ranges::default());
        ranges.add(&spill, 0, b"abc").unwrap();
        assert!(ranges.add(&spill, 3, b"d").is_err());
        assert_eq!(ranges.read(&spill, 0, 3).unwrap().unwrap(), "abc");
    }

    #[test]
    fn many_bytes_go_to_a_file_and_come_back() {
        let spill = Spill::new(8 << 20);
        let bytes = vec![7; 3 << 20];
        let (first, second) = (spill.push(&bytes).unwrap(), spill.push(b"after").unwrap());
        assert_eq!(spill.get(first).unwrap(), bytes);
        assert_eq!(spill.get(second).unwrap(), "after");
    }
}
