//! Named documents in a folder or under an S3 prefix, changed by compare-and-set.
//!
//! Registries, pins with their history, and records of calls are all the same kind of thing: small trees of files that
//! one party writes and another reads, on one machine as well as in a bucket. What they need of a store is little, and
//! always the same: read unless it is what I have, create unless it exists, replace only what I have seen, list.

mod bucket;
mod folder;
mod location;

use async_trait::async_trait;
use bytes::Bytes;

pub use bucket::Bucket;
pub use folder::Folder;
pub use location::{Location, LocationError};

/// The largest document that is read, in bytes: more than any compiled stage has.
pub const MAX_BYTES: u64 = 256 << 20;

/// Which content a document had when it was read: an entity tag, or a digest. Equal tags mean equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub(crate) String);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a look at a document finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is none of this name.
    Missing,
    /// It still is what the caller has.
    Unchanged,
    /// Its content.
    Found {
        /// All of it.
        bytes: Bytes,
        /// Which content that is.
        tag: Tag,
    },
}

/// Why a store did not do what it was asked. That a document is missing, exists, or was changed meanwhile is no error but
/// an answer.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The name would lead elsewhere or nowhere.
    #[error(
        "{0:?} is no name of a document: expected segments of letters, digits and ._-=+@, separated by single slashes"
    )]
    Name(String),
    /// The store refused or could not be reached.
    #[error("{doing} {place}: {reason}")]
    Failed {
        /// `cannot read`, …
        doing: &'static str,
        /// File or object.
        place: String,
        /// What the operating system or S3 said.
        reason: String,
    },
    /// Larger than [`MAX_BYTES`].
    #[error("{place} has {bytes} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge {
        /// File or object.
        place: String,
        /// Its size.
        bytes: u64,
    },
}

/// A store of named documents. Names are relative paths with `/`.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The document, unless it is what the caller has already.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, StorageError>;

    /// Makes a new document; `None` if there is one of this name, which then stays as it is.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, StorageError>;

    /// Replaces the content `was`; `None` if it is another by now, which then stays.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn replace(&self, name: &str, bytes: Bytes, was: &Tag) -> Result<Option<Tag>, StorageError>;

    /// The names that begin with `prefix`, in order.
    ///
    /// # Errors
    /// If the store cannot be listed.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError>;

    /// Where a document is, for people.
    fn place(&self, name: &str) -> String;
}

/// Refuses what is no plain relative path, so that no name from a document can lead out of the store.
fn check_name(name: &str) -> Result<(), StorageError> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-=+@".contains(&c);
    let segment = |s: &str| !s.is_empty() && !s.starts_with('.') && s.bytes().all(plain);
    if name.len() <= 900 && name.split('/').all(segment) { Ok(()) } else { Err(StorageError::Name(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_store() {
        for name in ["manifest.json", "stages/zip/1.0.0+build/manifest.json", "a=b/c@d"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".hidden", "a\\b", "a b", "a\0b", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name(&"a/".repeat(1000)).is_err());
    }
}
