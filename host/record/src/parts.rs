//! The parts of an object that is written.

use sha2::{Digest as _, Sha256};

use crate::record_format::Part;

/// Builds the list of parts of an object. The result does not depend on how the bytes were cut into appends.
#[derive(Default)]
pub(crate) struct PartsBuilder {
    parts: Vec<Part>,
    made: Option<(Sha256, u64)>,
    total: u64,
}

impl PartsBuilder {
    /// Adds bytes that the stage made.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (hash, len) = self.made.get_or_insert_with(Default::default);
        hash.update(bytes);
        *len += bytes.len() as u64;
        self.total += bytes.len() as u64;
    }

    /// Adds a range of a stored object.
    pub(crate) fn copy(&mut self, key: &str, if_match: Option<&str>, from: u64, len: u64) {
        self.end_made();
        self.total += len;
        if let Some(Part::Copied { object, if_match: version, offset, bytes }) = self.parts.last_mut()
            && object == key
            && version.as_deref() == if_match
            && *offset + *bytes == from
        {
            *bytes += len;
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
}
