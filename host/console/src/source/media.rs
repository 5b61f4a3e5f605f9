//! The media bucket.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde_json::Value;

use super::error::SourceError;

/// An object that is being read.
pub struct MediaFile {
    /// The bytes.
    pub body: BoxStream<'static, std::io::Result<Bytes>>,
    /// The length of the body, in bytes.
    pub length: Option<u64>,
    /// The media type that the object was stored with.
    pub content_type: Option<String>,
    /// The object's entity tag, in quotes.
    pub etag: Option<String>,
    /// Which part of the object it is, as `Content-Range` says it; `None` for the whole.
    pub range: Option<String>,
}

/// The bucket with uploads and results.
#[async_trait]
pub trait MediaFiles: Send + Sync + 'static {
    /// Returns the bucket's name.
    fn bucket(&self) -> &str;

    /// Opens an object, or the `range` of it that a `Range` header names. Returns `None` if the object has an entity tag that
    /// `unless` names in the way of an `If-None-Match` header: the caller has it already.
    ///
    /// # Errors
    /// [`SourceError::Missing`]; [`SourceError::Refused`] if the object has no such range.
    async fn open(
        &self,
        key: &str,
        range: Option<&str>,
        unless: Option<&str>,
    ) -> Result<Option<MediaFile>, SourceError>;

    /// Stores a file under a key that no object has. Returns false if one has it; that stays as it is.
    ///
    /// # Errors
    /// [`SourceError::Failed`].
    async fn create(&self, key: &str, content_type: &str, file: &Path) -> Result<bool, SourceError>;

    /// Returns a state's document with every head of a large batch replaced by the whole, which is in the bucket.
    ///
    /// # Errors
    /// [`SourceError::Missing`] if it is not there any more, or is another one.
    async fn unpacked(&self, document: Value) -> Result<Value, SourceError>;
}
