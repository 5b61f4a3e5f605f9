//! The store of a job's input and outputs.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

/// A store of objects in the manner of S3.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Checks that a bucket exists. A job that runs ends as soon as this is [`StorageError::NotFound`].
    async fn check(&self, bucket: &str) -> Result<(), StorageError>;

    /// Makes an object available as a local file and returns its path: a link or copy in `scratch`, or a file that does
    /// not change while the job runs. `scratch` is the job's folder and is removed when the job ends.
    async fn fetch(&self, bucket: &str, key: &str, scratch: &Path) -> Result<PathBuf, StorageError>;

    /// Stores a finished file as an object. It must become visible whole or not at all, even if the future is dropped.
    async fn store(&self, file: &Path, bucket: &str, key: &str, content_type: &str) -> Result<(), StorageError>;
}

/// Why an object could not be read or stored. The text names the object.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The bucket or object does not exist.
    #[error("{0}")]
    NotFound(String),
    /// Access is denied.
    #[error("{0}")]
    Denied(String),
    /// Any other error, such as a full disk.
    #[error("{0}")]
    Failed(String),
}
