//! What a store returns.

use bytes::Bytes;

/// The largest document that is read, in bytes; compiled stages are smaller.
pub const MAX_BYTES: u64 = 256 << 20;

/// Identifies the content of a document: S3's entity tag, or a digest. Documents with equal tags have equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub(crate) String);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The result of reading a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No document has this name.
    Missing,
    /// The document still has the content that the caller has.
    Unchanged,
    /// The document.
    Found {
        /// Its content.
        bytes: Bytes,
        /// The tag of this content.
        tag: Tag,
    },
}
