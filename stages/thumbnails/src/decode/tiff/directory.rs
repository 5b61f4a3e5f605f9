//! The entries of a directory (TIFF 6.0, section 2; BigTIFF with offsets of eight bytes). Values are read when they are asked
//! for, and never more of them than are needed.

use super::fault::NAME;
use crate::error::PictureError;

/// The most entries of a directory; one with offsets of four bytes cannot have more.
const MOST_ENTRIES: u64 = 65_535;

/// A directory of a file.
pub(super) struct Directory<'a> {
    file: &'a [u8],
    little: bool,
    entries: Vec<Entry>,
}

struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// The offset of the values.
    at: u64,
}

/// Returns the length in bytes of a type's values, 0 for a type that does not exist.
fn length(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => 0,
    }
}

impl<'a> Directory<'a> {
    /// Reads the directory at an offset.
    ///
    /// # Errors
    /// If it does not lie in the file.
    pub(super) fn read(file: &'a [u8], at: u64) -> Result<Self, PictureError> {
        let little = file.starts_with(b"II");
        let mut directory = Self { file, little, entries: Vec::new() };
        // 43 in place of 42 says that offsets and numbers of values have eight bytes.
        let big = directory.integer(2, 2)? == 43;
        let (head, size, word) = if big { (8, 20, 8) } else { (2, 12, 4) };
        let count = directory.integer(at, head)?;
        if count > MOST_ENTRIES {
            return Err(PictureError::damaged(NAME, &format!("its directory claims to have {count} entries")));
        }
        if count.saturating_mul(size) > file.len() as u64 {
            return Err(PictureError::cut_off(NAME, file.len()));
        }
        for index in 0..count {
            let entry = at.saturating_add(head + size * index);
            let tag = directory.integer(entry, 2)? as u16;
            let kind = directory.integer(entry + 2, 2)? as u16;
            let count = directory.integer(entry + 4, word)?;
            let value = entry + 4 + word;
            let inside = length(kind).saturating_mul(count) <= word;
            let at = if inside { value } else { directory.integer(value, word)? };
            directory.entries.push(Entry { tag, kind, count, at });
        }
        Ok(directory)
    }

    /// Returns whether numbers of several bytes begin with the lowest.
    pub(super) fn little(&self) -> bool {
        self.little
    }

    /// Returns the file.
    pub(super) fn file(&self) -> &'a [u8] {
        self.file
    }

    /// Returns the bytes of the file at an offset.
    ///
    /// # Errors
    /// If the file does not have all of them.
    pub(super) fn slice(&self, at: u64, bytes: u64) -> Result<&'a [u8], PictureError> {
        let end = at.checked_add(bytes).and_then(|end| usize::try_from(end).ok());
        let start = usize::try_from(at).ok();
        let found = start.zip(end).and_then(|(start, end)| self.file.get(start..end));
        found.ok_or_else(|| PictureError::cut_off(NAME, self.file.len()))
    }

    fn integer(&self, at: u64, bytes: u64) -> Result<u64, PictureError> {
        let add = |number: u64, digit: &u8| number << 8 | u64::from(*digit);
        let digits = self.slice(at, bytes)?;
        Ok(if self.little { digits.iter().rev().fold(0, add) } else { digits.iter().fold(0, add) })
    }

    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag && entry.count > 0)
    }

    /// Returns the number of a tag's values, 0 without the tag.
    pub(super) fn count(&self, tag: u16) -> u64 {
        self.entry(tag).map_or(0, |entry| entry.count)
    }

    /// Returns up to `at_most` of a tag's values, which are whole numbers. Without the tag, there are none.
    ///
    /// # Errors
    /// If the values do not lie in the file or are not whole numbers.
    pub(super) fn numbers(&self, tag: u16, at_most: u64) -> Result<Vec<u64>, PictureError> {
        let Some(entry) = self.entry(tag) else { return Ok(Vec::new()) };
        let size = length(entry.kind);
        // Signed types are read like the others: no number that is asked for is negative.
        if !matches!(entry.kind, 1 | 3 | 4 | 6..=9 | 13 | 16..=18) {
            return Err(PictureError::damaged(NAME, &format!("its tag {tag} holds no whole number")));
        }
        self.slice(entry.at, size.saturating_mul(entry.count))?;
        (0..entry.count.min(at_most)).map(|index| self.integer(entry.at + size * index, size)).collect()
    }

    /// Returns a tag's first value.
    ///
    /// # Errors
    /// As [`Directory::numbers`].
    pub(super) fn number(&self, tag: u16) -> Result<Option<u64>, PictureError> {
        Ok(self.numbers(tag, 1)?.first().copied())
    }

    /// Returns the bytes of a tag's values. `None` without the tag or if they do not lie in the file.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        self.slice(entry.at, length(entry.kind).saturating_mul(entry.count)).ok()
    }

    /// Returns `N` fractions. `None` without the tag, or if it holds something else.
    pub(super) fn fractions<const N: usize>(&self, tag: u16) -> Option<[f64; N]> {
        let entry = self.entry(tag).filter(|entry| entry.kind == 5 && entry.count >= N as u64)?;
        let mut values = [0.0; N];
        for (index, value) in values.iter_mut().enumerate() {
            let at = entry.at + 8 * index as u64;
            let (over, under) = (self.integer(at, 4).ok()?, self.integer(at + 4, 4).ok()?);
            *value = if under == 0 { return None } else { over as f64 / under as f64 };
        }
        Some(values)
    }
}
