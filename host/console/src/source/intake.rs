//! Batches that a person uploads in the browser.

use std::path::Path;

use async_trait::async_trait;
use serde_json::Value;

use super::error::SourceError;

/// Starts batches, in the way of the backend.
#[async_trait]
pub trait BatchIntake: Send + Sync + 'static {
    /// Returns the part of a key that names the kind of media, such as `photo/vertical`. It is a guess by the file's bytes, or
    /// else by its `name`; the first state decides.
    fn area(&self, file: &Path, name: &str) -> &'static str;

    /// Starts a batch of the listing and returns the ARN of its execution.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if the document is not accepted.
    async fn start(&self, listing: &str, document: &Value) -> Result<String, SourceError>;
}
