//! The ZIP format for archives of stored files.
//!
//! Written from PKWARE's APPNOTE.TXT 6.3.10; section numbers are those of that document. Every length and checksum is known
//! before the first byte is written. So local headers are complete (no data descriptor follows), an archive's length is
//! known before it is composed, and the files' bytes are only referred to: an archive is a sequence of parts, each either a
//! few bytes or a whole object that the store copies. Memory grows with the number of files and not with their length.
//!
//! Equal entries give equal bytes: no clock is read.

use std::iter;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path: relative, `/` between the segments, at most 65,535 bytes; see [`crate::names`].
    pub name: String,
    /// The file's length in bytes.
    pub bytes: u64,
    /// The CRC-32 of the file's bytes.
    pub crc32: u32,
    /// The date of modification.
    pub date: DosDate,
}

/// A date in MS-DOS form (4.4.6). The time is midnight, because only the day of an upload is known. The format has no time
/// zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DosDate(u16);

impl DosDate {
    /// The earliest date of the format, 1 January 1980, for a file without a date.
    pub const EPOCH: DosDate = DosDate::pack(1980, 1, 1);

    /// Returns the date in `YYYY-MM-DD`. `None` if it is not a date from 1980 to 2107.
    pub fn parse(text: &str) -> Option<DosDate> {
        let digits = |range: std::ops::Range<usize>| -> Option<u16> {
            let field = text.get(range)?;
            if field.bytes().all(|b| b.is_ascii_digit()) { field.parse().ok() } else { None }
        };
        if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
            return None;
        }
        let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 31,
        };
        let valid = (1980..=2107).contains(&year) && (1..=12).contains(&month) && (1..=last).contains(&day);
        valid.then(|| DosDate::pack(year, month, day))
    }

    const fn pack(year: u16, month: u16, day: u16) -> DosDate {
        DosDate((year - 1980) << 9 | month << 5 | day)
    }
}

/// A part of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Bytes(Vec<u8>),
    /// All bytes of the file at this index of the entries.
    File(usize),
}

/// The smallest length or offset that is written as a 64-bit number (4.4.8, 4.4.16). In a 32-bit field it marks that.
const MARK_32: u64 = 0xffff_ffff;
/// The same for the number of entries, in a 16-bit field (4.4.21).
const MARK_16: u64 = 0xffff;

const LOCAL_HEADER: usize = 30;
const CENTRAL_HEADER: usize = 46;
const END: usize = 22;
const ZIP64_END: usize = 56;
const ZIP64_LOCATOR: usize = 20;

/// The version needed to extract: 1.0 for a stored file, 4.5 for ZIP64 (4.4.3.2).
const VERSION_STORED: u16 = 10;
const VERSION_ZIP64: u16 = 45;
/// Made on Unix, so that the attributes hold a Unix mode, by a writer of version 6.3 (4.4.2).
const MADE_BY: u16 = 3 << 8 | 63;
/// Bit 11: the name is UTF-8 (4.4.4).
const FLAGS: u16 = 1 << 11;
/// A regular file, rw-r--r--. The upper half holds the Unix mode.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// The number of headers of the central directory in one part.
const HEADERS_PER_PART: usize = 256;

/// The layout of an archive.
#[derive(Debug)]
pub struct Archive<'a> {
    entries: &'a [Entry],
    /// The offset of each entry's local header.
    offsets: Vec<u64>,
    directory: u64,
    directory_bytes: u64,
}

impl<'a> Archive<'a> {
    /// Returns the layout of an archive of `entries`, in that order.
    pub fn new(entries: &'a [Entry]) -> Self {
        let mut offsets = Vec::with_capacity(entries.len());
        let mut at = 0;
        for entry in entries {
            offsets.push(at);
            at += (LOCAL_HEADER + entry.name.len() + local_extra(entry).len()) as u64 + entry.bytes;
        }
        let directory_bytes = iter::zip(entries, &offsets)
            .map(|(entry, offset)| (CENTRAL_HEADER + entry.name.len() + central_extra(entry, *offset).len()) as u64)
            .sum();
        Self { entries, offsets, directory: at, directory_bytes }
    }

    /// Returns the archive's length in bytes.
    pub fn bytes(&self) -> u64 {
        let zip64 = if self.is_zip64() { ZIP64_END + ZIP64_LOCATOR } else { 0 };
        self.directory + self.directory_bytes + (zip64 + END) as u64
    }

    /// Returns the sum of the files' lengths in bytes.
    pub fn unpacked_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// Returns the parts in order. An empty file has no part of its own.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let files = self.entries.iter().enumerate().flat_map(|(index, entry)| {
            let body = (entry.bytes > 0).then_some(Part::File(index));
            iter::once(Part::Bytes(local_header(entry))).chain(body)
        });
        let directory = self.entries.chunks(HEADERS_PER_PART).zip(self.offsets.chunks(HEADERS_PER_PART)).map(
            |(entries, offsets)| {
                let mut bytes = Vec::new();
                for (entry, offset) in iter::zip(entries, offsets) {
                    central_header(&mut bytes, entry, *offset);
                }
                Part::Bytes(bytes)
            },
        );
        files.chain(directory).chain(iter::once_with(|| Part::Bytes(self.end())))
    }

    /// Returns whether the end of the archive needs 64-bit numbers. Entries may need them independently of that.
    fn is_zip64(&self) -> bool {
        self.entries.len() as u64 >= MARK_16 || self.directory >= MARK_32 || self.directory_bytes >= MARK_32
    }

    /// Returns the end of the central directory (4.3.16), preceded if necessary by its 64-bit form (4.3.14) and the locator
    /// (4.3.15).
    fn end(&self) -> Vec<u8> {
        let count = self.entries.len() as u64;
        let mut out = Vec::with_capacity(ZIP64_END + ZIP64_LOCATOR + END);
        if self.is_zip64() {
            put32(&mut out, 0x0606_4b50);
            // The length of the rest of this record.
            put64(&mut out, (ZIP64_END - 12) as u64);
            put16(&mut out, MADE_BY);
            put16(&mut out, VERSION_ZIP64);
            put32(&mut out, 0); // this disk
            put32(&mut out, 0); // the disk where the directory starts
            put64(&mut out, count); // on this disk
            put64(&mut out, count); // in all
            put64(&mut out, self.directory_bytes);
            put64(&mut out, self.directory);

            put32(&mut out, 0x0706_4b50);
            put32(&mut out, 0); // the disk where the record above is
            put64(&mut out, self.directory + self.directory_bytes);
            put32(&mut out, 1); // disks in all
        }
        put32(&mut out, 0x0605_4b50);
        put16(&mut out, 0); // this disk
        put16(&mut out, 0); // the disk where the directory starts
        put16(&mut out, count.min(MARK_16) as u16); // on this disk
        put16(&mut out, count.min(MARK_16) as u16); // in all
        put32(&mut out, saturate(self.directory_bytes));
        put32(&mut out, saturate(self.directory));
        put16(&mut out, 0); // comment
        out
    }
}

/// Returns a local file header (4.3.7).
fn local_header(entry: &Entry) -> Vec<u8> {
    let extra = local_extra(entry);
    let mut out = Vec::with_capacity(LOCAL_HEADER + entry.name.len() + extra.len());
    put32(&mut out, 0x0403_4b50);
    put16(&mut out, version(&extra));
    common(&mut out, entry, &extra);
    out.extend_from_slice(entry.name.as_bytes());
    out.extend_from_slice(&extra);
    out
}

/// Appends a header of the central directory (4.3.12).
fn central_header(out: &mut Vec<u8>, entry: &Entry, offset: u64) {
    let extra = central_extra(entry, offset);
    put32(out, 0x0201_4b50);
    put16(out, MADE_BY);
    put16(out, version(&extra));
    common(out, entry, &extra);
    put16(out, 0); // comment
    put16(out, 0); // disk
    put16(out, 0); // internal attributes
    put32(out, ATTRIBUTES);
    put32(out, saturate(offset));
    out.extend_from_slice(entry.name.as_bytes());
    out.extend_from_slice(&extra);
}

/// Appends the fields that both headers share, from the flags to the length of the extra field.
fn common(out: &mut Vec<u8>, entry: &Entry, extra: &[u8]) {
    put16(out, FLAGS);
    put16(out, 0); // stored
    put16(out, 0); // midnight
    put16(out, entry.date.0);
    put32(out, entry.crc32);
    put32(out, saturate(entry.bytes)); // as stored
    put32(out, saturate(entry.bytes)); // as extracted
    put16(out, entry.name.len() as u16);
    put16(out, extra.len() as u16);
}

fn version(extra: &[u8]) -> u16 {
    if extra.is_empty() { VERSION_STORED } else { VERSION_ZIP64 }
}

/// Returns the ZIP64 extra field (4.5.3) of a local header: both lengths or nothing.
fn local_extra(entry: &Entry) -> Vec<u8> {
    let lengths = if entry.bytes >= MARK_32 { vec![entry.bytes, entry.bytes] } else { Vec::new() };
    zip64_extra(&lengths)
}

/// Returns the ZIP64 extra field of a header in the central directory: lengths and offset, if they do not fit the header.
fn central_extra(entry: &Entry, offset: u64) -> Vec<u8> {
    let mut values = if entry.bytes >= MARK_32 { vec![entry.bytes, entry.bytes] } else { Vec::new() };
    if offset >= MARK_32 {
        values.push(offset);
    }
    zip64_extra(&values)
}

fn zip64_extra(values: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    if !values.is_empty() {
        put16(&mut out, 0x0001);
        put16(&mut out, (values.len() * 8) as u16);
        for value in values {
            put64(&mut out, *value);
        }
    }
    out
}

fn saturate(value: u64) -> u32 {
    value.min(MARK_32) as u32
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    // The groups of a packed date are year, month, day.
    #![allow(clippy::unwrap_used, clippy::unusual_byte_groupings)]
    use super::*;

    fn entry(name: &str, bytes: u64) -> Entry {
        Entry { name: name.to_owned(), bytes, crc32: 0x1234_5678, date: DosDate::EPOCH }
    }

    fn length(entries: &[Entry]) -> u64 {
        let archive = Archive::new(entries);
        archive
            .parts()
            .map(|part| match part {
                Part::Bytes(bytes) => bytes.len() as u64,
                Part::File(index) => entries[index].bytes,
            })
            .sum()
    }

    #[test]
    fn a_date_is_packed_as_specified_and_an_invalid_one_is_none() {
        assert_eq!(DosDate::parse("1980-01-01"), Some(DosDate::EPOCH));
        assert_eq!(DosDate::EPOCH.0, 0b0000000_0001_00001);
        assert_eq!(DosDate::parse("2025-11-27").unwrap().0, 0b0101101_1011_11011);
        assert_eq!(DosDate::parse("2107-12-31").unwrap().0, 0b1111111_1100_11111);
        assert!(DosDate::parse("2024-02-29").is_some());
        for text in ["1979-12-31", "2108-01-01", "2025-02-29", "2025-04-31", "2025-13-01", "2025-00-01", "2025-01-00"] {
            assert_eq!(DosDate::parse(text), None, "{text}");
        }
        for text in ["", "2025-1-1", "2025/01/01", "+025-01-01", "2025-01-01T", "２０25-1", "éé-01-01-"] {
            assert_eq!(DosDate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_headers_of_a_small_archive_are_exactly_these_bytes() {
        let entries = [entry("é", 3)];
        let parts: Vec<Part> = Archive::new(&entries).parts().collect();
        let local = b"PK\x03\x04\x0a\0\0\x08\0\0\0\0\x21\0\x78\x56\x34\x12\x03\0\0\0\x03\0\0\0\x02\0\0\0\xc3\xa9";
        let central = b"PK\x01\x02\x3f\x03\x0a\0\0\x08\0\0\0\0\x21\0\x78\x56\x34\x12\x03\0\0\0\x03\0\0\0\x02\0\0\0\
            \0\0\0\0\0\0\0\0\xa4\x81\0\0\0\0\xc3\xa9";
        let end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x30\0\0\0\x23\0\0\0\0\0";
        assert_eq!(
            parts,
            [Part::Bytes(local.to_vec()), Part::File(0), Part::Bytes(central.to_vec()), Part::Bytes(end.to_vec())]
        );
    }

    #[test]
    fn the_length_is_known_before_anything_is_written() {
        for entries in [
            vec![],
            vec![entry("a", 0)],
            vec![entry("a", 1), entry("bb", 2)],
            vec![entry("a", MARK_32 - 1), entry("b", MARK_32), entry("c", 7)],
            (0..70_000).map(|index| entry(&index.to_string(), index)).collect(),
        ] {
            assert_eq!(Archive::new(&entries).bytes(), length(&entries), "{} entries", entries.len());
        }
    }

    #[test]
    fn sixty_four_bit_numbers_are_used_exactly_where_needed() {
        let extras = |bytes, offset| {
            let entry = entry("a", bytes);
            (local_extra(&entry).len(), central_extra(&entry, offset).len())
        };
        assert_eq!(extras(MARK_32 - 1, MARK_32 - 1), (0, 0));
        assert_eq!(extras(MARK_32, 0), (20, 20));
        assert_eq!(extras(1, MARK_32), (0, 12));
        assert_eq!(extras(MARK_32, MARK_32), (20, 28));

        let many = |count: usize| vec![entry("a", 0); count];
        assert!(!Archive::new(&many(65_534)).is_zip64());
        assert!(Archive::new(&many(65_535)).is_zip64());
        // 31 bytes of local header lie before the directory.
        assert!(!Archive::new(&[entry("a", MARK_32 - 32)]).is_zip64());
        assert!(Archive::new(&[entry("a", MARK_32 - 31)]).is_zip64());
    }
}
