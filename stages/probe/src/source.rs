//! Random access to a file, through a window that keeps reads few and memory small.

use std::convert::Infallible;
use std::io::{Read, Seek, SeekFrom};

use crate::error::ProbeError;

/// Bytes that can be read at any offset. Each read may be a request to a store, so callers make few of them.
pub trait Source {
    /// The error of a failed read.
    type Error;

    /// Returns the file's length in bytes.
    fn len(&self) -> u64;

    /// Returns whether the file is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the `len` bytes from `offset`, or fewer at the end of the file. `len` is at most 256 KiB.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Self::Error>;
}

/// A file in memory.
impl Source for &[u8] {
    type Error = Infallible;

    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Infallible> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest).to_vec())
    }
}

/// A file on disk, or anything else that reads and seeks.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    len: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Returns a reader. It seeks to the end for the length.
    ///
    /// # Errors
    /// If seeking fails.
    pub fn new(mut inner: R) -> std::io::Result<Self> {
        let len = inner.seek(SeekFrom::End(0))?;
        Ok(Self { inner, len })
    }
}

impl<R: Read + Seek> Source for Reader<R> {
    type Error = std::io::Error;

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&mut self, offset: u64, len: usize) -> std::io::Result<Vec<u8>> {
        self.inner.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        self.inner.by_ref().take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The size of the window. It covers most headers in one read, and a store's latency outweighs the transfer.
const WINDOW_BYTES: usize = 64 * 1024;

/// The most reads of one parser. Well-formed headers need fewer; this bounds the cost of a hostile one.
const MAX_FETCHES: u64 = 1024;

/// The part of a source that was read last. Bytes within it cost nothing, all others cost one read.
pub(crate) struct Window<'s, S: Source> {
    source: &'s mut S,
    len: u64,
    start: u64,
    buffer: Vec<u8>,
    fetches_left: u64,
}

impl<'s, S: Source> Window<'s, S> {
    pub(crate) fn new(source: &'s mut S) -> Self {
        let len = source.len();
        Self { source, len, start: 0, buffer: Vec::new(), fetches_left: MAX_FETCHES }
    }

    /// Returns a window for a parser that goes through a whole file and never back. It allows the reads for that.
    pub(crate) fn to_read_through(source: &'s mut S) -> Self {
        let mut window = Self::new(source);
        window.allow_reading_through();
        window
    }

    /// Allows the reads for going through the whole file from here on.
    pub(crate) fn allow_reading_through(&mut self) {
        self.fetches_left += self.len / (WINDOW_BYTES as u64 / 2);
    }

    /// Returns the file's length.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Returns the file's last `count` bytes (at most 256 KiB), by one read of the source.
    pub(crate) fn tail(&mut self, count: usize) -> Result<Vec<u8>, ProbeError<S::Error>> {
        self.source.read(self.len.saturating_sub(count as u64), count).map_err(ProbeError::Read)
    }

    /// Returns `count` bytes from `offset`, or fewer at the end of the file.
    pub(crate) fn up_to(&mut self, offset: u64, count: usize) -> Result<&[u8], ProbeError<S::Error>> {
        let rest = self.len.saturating_sub(offset);
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(count).min(WINDOW_BYTES);
        if count == 0 {
            return Ok(&[]);
        }
        if !self.holds(offset, count) {
            self.fetches_left = self
                .fetches_left
                .checked_sub(1)
                .ok_or_else(|| ProbeError::corrupt("its header is scattered over too many places", offset))?;
            self.buffer = self.source.read(offset, WINDOW_BYTES).map_err(ProbeError::Read)?;
            self.start = offset;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let held = self.buffer.get(from..).unwrap_or_default();
        Ok(held.get(..count).unwrap_or(held))
    }

    fn holds(&self, offset: u64, count: usize) -> bool {
        offset >= self.start && offset + count as u64 <= self.start + self.buffer.len() as u64
    }

    /// Returns exactly `count` bytes (at most 64 KiB) from `offset`.
    ///
    /// # Errors
    /// [`ProbeError::Truncated`] within `what` if the file ends before them.
    pub(crate) fn bytes(
        &mut self,
        offset: u64,
        count: usize,
        what: &'static str,
    ) -> Result<&[u8], ProbeError<S::Error>> {
        let bytes = self.up_to(offset, count)?;
        // A source that changed meanwhile may return fewer bytes than its length promised.
        if bytes.len() < count {
            let end = offset.saturating_add(bytes.len() as u64);
            return Err(ProbeError::Truncated { what, offset: end.min(self.len) });
        }
        self.up_to(offset, count)
    }

    /// Returns exactly `N` bytes from `offset`.
    pub(crate) fn array<const N: usize>(
        &mut self,
        offset: u64,
        what: &'static str,
    ) -> Result<[u8; N], ProbeError<S::Error>> {
        let bytes = self.bytes(offset, N, what)?;
        bytes.try_into().map_err(|_| ProbeError::Truncated { what, offset })
    }

    /// Returns a big-endian number.
    pub(crate) fn u16(&mut self, offset: u64, what: &'static str) -> Result<u16, ProbeError<S::Error>> {
        self.array(offset, what).map(u16::from_be_bytes)
    }

    /// Returns a big-endian number.
    pub(crate) fn u32(&mut self, offset: u64, what: &'static str) -> Result<u32, ProbeError<S::Error>> {
        self.array(offset, what).map(u32::from_be_bytes)
    }

    /// Returns a big-endian number.
    pub(crate) fn u64(&mut self, offset: u64, what: &'static str) -> Result<u64, ProbeError<S::Error>> {
        self.array(offset, what).map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Counting(Vec<u8>, usize);

    impl Source for Counting {
        type Error = Infallible;
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Infallible> {
            self.1 += 1;
            Source::read(&mut self.0.as_slice(), offset, len)
        }
    }

    #[test]
    fn neighbouring_reads_cost_one_request() {
        let mut source = Counting((0..=255).cycle().take(100_000).collect(), 0);
        let mut window = Window::new(&mut source);
        assert_eq!(window.u16(0, "x").unwrap(), 0x0001);
        assert_eq!(window.u32(4, "x").unwrap(), 0x0405_0607);
        assert_eq!(window.u16(65_000, "x").unwrap(), 0xe8e9);
        assert_eq!(source.1, 1);
    }

    #[test]
    fn a_read_past_the_end_names_the_offset_of_the_end() {
        let mut source: &[u8] = &[1, 2, 3];
        let mut window = Window::new(&mut source);
        let ends_at_3 = ProbeError::Truncated { what: "the thing", offset: 3 };
        assert_eq!(window.u32(1, "the thing").unwrap_err(), ends_at_3);
        assert_eq!(window.u32(u64::MAX - 1, "the thing").unwrap_err(), ends_at_3);
    }

    #[test]
    fn a_header_in_more_than_a_thousand_places_is_refused() {
        let mut source = Counting(vec![0; 3], 0);
        let mut window = Window::new(&mut source);
        window.len = u64::MAX;
        let failed = (0..2000u64).find_map(|step| window.up_to(step * 1_000_000, 1).err());
        assert!(matches!(failed, Some(ProbeError::Corrupt { .. })), "{failed:?}");
    }

    #[test]
    fn a_reader_reads_at_any_offset() {
        let mut reader = Reader::new(std::io::Cursor::new(b"0123456789".to_vec())).unwrap();
        assert_eq!(reader.len(), 10);
        assert_eq!(reader.read(8, 5).unwrap(), b"89");
        assert_eq!(reader.read(2, 3).unwrap(), b"234");
    }
}
