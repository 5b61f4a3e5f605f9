//! The operations of a store.

use async_trait::async_trait;
use bytes::Bytes;

use crate::document::{Found, Tag};
use crate::error::StorageError;

/// A store of named documents. Names are relative paths with `/`.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Reads a document, unless its content still has the tag `unless`.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, StorageError>;

    /// Creates a document and returns its tag; `None` if a document of this name exists, which stays as it is.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, StorageError>;

    /// Replaces a document whose content has the tag `was`, and returns the new tag; `None` if the content is another
    /// one, which stays as it is.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn replace(&self, name: &str, bytes: Bytes, was: &Tag) -> Result<Option<Tag>, StorageError>;

    /// Returns the names that begin with `prefix`, in order.
    ///
    /// # Errors
    /// If the store cannot be listed.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError>;

    /// Returns the path or URL of a document, for messages.
    fn place(&self, name: &str) -> String;
}
