//! Why a store failed.

use crate::document::MAX_BYTES;

/// An operation of a store failed. A document that is missing, exists already or was changed in the meantime is a
/// result and not an error.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// An invalid name, which could lead out of the store.
    #[error(
        "{0:?} is not a valid name of a document: expected segments of letters, digits and ._-=+@, separated by single \
         slashes, none of them beginning with a dot"
    )]
    Name(String),
    /// The store refused the operation or could not be reached.
    #[error("{doing} {place}: {reason}")]
    Failed {
        /// What failed: `cannot read`, …
        doing: &'static str,
        /// The file or object.
        place: String,
        /// The error of the operating system or of S3.
        reason: String,
    },
    /// The document is larger than [`MAX_BYTES`].
    #[error("{place} has {bytes} bytes, more than the {MAX_BYTES} that are read; is this the right file?")]
    TooLarge {
        /// The file or object.
        place: String,
        /// Its size in bytes.
        bytes: u64,
    },
}
