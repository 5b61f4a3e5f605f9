//! A number that only grows, kept apart from the documents that it guards.

use async_trait::async_trait;

use crate::error::StorageError;

/// A number that only grows. It is kept where writers of the documents cannot lower it.
#[async_trait]
pub trait GrowingNumber: Send + Sync + 'static {
    /// Returns the number; `None` if none was ever set.
    ///
    /// # Errors
    /// If it cannot be read, or is not a number.
    async fn read(&self) -> Result<Option<u64>, StorageError>;

    /// Raises the number to `least` unless it is that or higher. Returns the number afterwards.
    ///
    /// # Errors
    /// If it cannot be read or written.
    async fn raise(&self, least: u64) -> Result<u64, StorageError>;

    /// Returns where it is, for messages.
    fn place(&self) -> String;
}
