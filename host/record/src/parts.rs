//! The parts of an object that is written.

use sha2::{Digest as _, Sha256};

use crate::record_format::Part;

/// What a part of made bytes needs in memory, in bytes: its place in the list, and a digest as text.
const MADE: u64 = 192;

/// What a copied range needs in memory besides its texts, in bytes.
const COPIED: u64 = 192;

/// Builds the list of parts of an object. The result does not depend on how the bytes were cut into appends.
#[derive(Default)]
pub(crate) struct PartsBuilder {
    parts: Vec<Part>,
    made: Option<(Sha256, u64)>,
    total: u64,
}

impl PartsBuilder {
    /// Returns how many bytes of memory the list grows by with [`append`](Self::append).
    pub(crate) fn cost_of_append(&self) -> u64 {
        if self.made.is_some() { 0 } else { MADE }
    }

    /// Returns how many bytes of memory the list grows by with [`copy`](Self::copy).
    pub(crate) fn cost_of_copy(&self, key: &str, if_match: Option<&str>, from: u64) -> u64 {
        let texts = key.len() as u64 + if_match.map_or(0, str::len) as u64;
        if self.follows(key, if_match, from) { 0 } else { COPIED + texts }
    }

    /// Returns whether a range continues the last part.
    fn follows(&self, key: &str, if_match: Option<&str>, from: u64) -> bool {
        match (&self.made, self.parts.last()) {
            (None, Some(Part::Copied { object, if_match: version, offset, bytes })) => {
                object == key && version.as_deref() == if_match && offset.checked_add(*bytes) == Some(from)
            }
            _ => false,
        }
    }

    /// Adds bytes that the stage made.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (hash, len) = self.made.get_or_insert_with(Default::default);
        hash.update(bytes);
        *len = len.saturating_add(bytes.len() as u64);
        self.total = self.total.saturating_add(bytes.len() as u64);
    }

    /// Adds a range of a stored object.
    pub(crate) fn copy(&mut self, key: &str, if_match: Option<&str>, from: u64, len: u64) {
        let follows = self.follows(key, if_match, from);
        self.end_made();
        self.total = self.total.saturating_add(len);
        if follows && let Some(Part::Copied { bytes, .. }) = self.parts.last_mut() {
            *bytes = bytes.saturating_add(len);
            return;
        }
        let (object, if_match) = (key.to_owned(), if_match.map(str::to_owned));
        self.parts.push(Part::Copied { object, if_match, offset: from, bytes: len });
    }

    fn end_made(&mut self) {
        if let Some((hash, bytes)) = self.made.take() {
            self.parts.push(Part::Made { bytes, sha256: hex::encode(hash.finalize()) });
        }
    }

    /// Returns the length so far, in bytes.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Returns the parts.
    pub(crate) fn end(mut self) -> Vec<Part> {
        self.end_made();
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_do_not_depend_on_how_bytes_are_cut_into_appends() {
        let (mut one, mut many) = (PartsBuilder::default(), PartsBuilder::default());
        one.append(b"header");
        one.copy("a", Some("v1"), 0, 10);
        for byte in b"header" {
            many.append(&[*byte]);
        }
        many.copy("a", Some("v1"), 0, 4);
        many.append(b"");
        many.copy("a", Some("v1"), 4, 6);
        assert_eq!((one.total(), many.total()), (16, 16));
        let (one, many) = (one.end(), many.end());
        assert_eq!(one, many);
        assert_eq!(one.len(), 2);
    }

    #[test]
    fn only_a_new_part_costs_memory() {
        let mut parts = PartsBuilder::default();
        assert_eq!(parts.cost_of_append(), MADE);
        parts.append(b"header");
        assert_eq!(parts.cost_of_append(), 0);
        assert_eq!(parts.cost_of_copy("key", Some("v1"), 0), COPIED + 5);
        parts.copy("key", Some("v1"), 0, 10);
        assert_eq!(parts.cost_of_copy("key", Some("v1"), 10), 0);
        assert_eq!(parts.cost_of_copy("key", Some("v2"), 10), COPIED + 5);
        parts.copy("key", Some("v1"), 10, u64::MAX);
        assert_eq!(parts.total(), u64::MAX, "lengths do not wrap");
    }
}
