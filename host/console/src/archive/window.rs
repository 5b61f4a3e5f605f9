//! The end of a file as if it were the whole file.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// Nothing in front of the known bytes was asked for.
const NOTHING: u64 = u64::MAX;

/// A file of which the bytes from `start` on are known. Reading in front of them fails, and the place is noted.
pub(super) struct FileEnd {
    start: u64,
    bytes: Bytes,
    at: u64,
    missed: Missed,
}

/// The first place in front of the known bytes that was asked for.
#[derive(Clone)]
pub(super) struct Missed(Arc<AtomicU64>);

impl Missed {
    /// Returns the place, if there was one.
    pub(super) fn at(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at != NOTHING)
    }
}

impl FileEnd {
    /// Returns the file whose last bytes are these, and begin at `start`.
    pub(super) fn new(start: u64, bytes: Bytes) -> (Self, Missed) {
        let missed = Missed(Arc::new(AtomicU64::new(NOTHING)));
        (Self { start, bytes, at: 0, missed: missed.clone() }, missed)
    }

    fn length(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }
}

impl Read for FileEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(offset) = self.at.checked_sub(self.start) else {
            // A larger place later does not count: what lies between is read together with it.
            self.missed.0.fetch_min(self.at, Ordering::Relaxed);
            return Err(io::Error::other("this part of the file is not read yet"));
        };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for FileEnd {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the beginning"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_end_of_a_file_is_read_and_a_place_before_it_is_noted() {
        let (mut window, missed) = FileEnd::new(100, Bytes::from_static(b"0123456789"));
        let mut three = [0; 3];
        assert_eq!(window.seek(SeekFrom::End(-4)).unwrap(), 106);
        assert_eq!((window.read(&mut three).unwrap(), &three), (3, b"678"));
        assert_eq!((window.read(&mut three).unwrap(), three[0]), (1, b'9'));
        assert_eq!(window.read(&mut three).unwrap(), 0, "the end");
        assert_eq!(missed.at(), None);
        for place in [70, 99, 80] {
            window.seek(SeekFrom::Start(place)).unwrap();
            assert!(window.read(&mut three).is_err());
        }
        assert_eq!(missed.at(), Some(70));
        window.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(window.read(&mut three).unwrap(), 0);
        assert!(window.seek(SeekFrom::Current(1)).is_err() && window.seek(SeekFrom::End(-200)).is_err());
    }
}
