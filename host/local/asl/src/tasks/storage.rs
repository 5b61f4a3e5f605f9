//! The trait behind which distributed Map states read items and write results.

use async_trait::async_trait;
use serde_json::Value;

/// The object storage of distributed Map states. The owner of the machines implements it.
#[async_trait]
pub trait ItemStorage: Send + Sync + 'static {
    /// Returns an object.
    ///
    /// # Errors
    /// There is no such object, it is longer than `most` bytes, or it cannot be read.
    async fn get(&self, bucket: &str, key: &str, most: usize) -> Result<Vec<u8>, StorageFailure>;

    /// Returns the objects whose keys begin with a prefix, in the order of their keys and at most `most`. Each is the
    /// service's item for it: `{"Etag", "Key", "LastModified", "Size", "StorageClass"}`, the date in seconds since 1970.
    ///
    /// # Errors
    /// The bucket cannot be listed.
    async fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Value>, StorageFailure>;

    /// Writes an object.
    ///
    /// # Errors
    /// The object cannot be written.
    async fn put(&self, bucket: &str, key: &str, body: Vec<u8>) -> Result<(), StorageFailure>;
}

/// Why an object could not be read or written: a sentence that names the object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StorageFailure(pub String);
