//! Where a job's files come from and go to.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

/// A store of objects, S3 in spirit.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Makes an object's bytes readable as a local file and returns its path: a link or copy inside `scratch`, or any file
    /// that stays as it is while the job runs. `scratch` is the job's own folder, removed at its end.
    async fn fetch(&self, bucket: &str, key: &str, scratch: &Path) -> Result<PathBuf, StorageError>;

    /// Stores a finished file as an object. It must become visible whole or not at all, also when the future is dropped.
    async fn store(&self, file: &Path, bucket: &str, key: &str, content_type: &str) -> Result<(), StorageError>;
}

/// Why an object could not be had or stored. The text names the object.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such bucket or object.
    #[error("{0}")]
    NotFound(String),
    /// The store refuses it.
    #[error("{0}")]
    Denied(String),
    /// Anything else: a full disk, a fault of the store.
    #[error("{0}")]
    Failed(String),
}
