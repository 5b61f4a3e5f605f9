//! The media bucket on S3.

use std::path::Path;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use futures::StreamExt as _;
use serde_json::Value;
use stagehost_aws::Documents;
use tokio_util::io::ReaderStream;

use crate::source::error::SourceError;
use crate::source::media::{MediaFile, MediaFiles};

/// How much of a body is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A media bucket.
pub struct S3MediaFiles {
    client: Client,
    bucket: String,
    documents: Documents,
    kms_key: Option<String>,
}

impl S3MediaFiles {
    /// Returns the bucket with this name. `documents` reads those that were too large for Step Functions; uploads are encrypted
    /// with `kms_key`, or as the bucket does by default.
    pub fn new(client: Client, bucket: &str, documents: Documents, kms_key: Option<String>) -> Self {
        Self { client, bucket: bucket.to_owned(), documents, kms_key }
    }
}

#[async_trait]
impl MediaFiles for S3MediaFiles {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn open(
        &self,
        key: &str,
        range: Option<&str>,
        unless: Option<&str>,
    ) -> Result<Option<MediaFile>, SourceError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key).set_range(range.map(str::to_owned));
        let found = match request.set_if_none_match(unless.map(str::to_owned)).send().await {
            Ok(found) => found,
            Err(error) => {
                return match error.raw_response().map(|response| response.status().as_u16()) {
                    Some(304) => Ok(None),
                    Some(416) => Err(SourceError::Refused(format!("{key} has no such range"))),
                    _ => Err(SourceError::of_sdk(&format!("{key} cannot be read"), &error)),
                };
            }
        };
        let body = ReaderStream::with_capacity(found.body.into_async_read(), CHUNK).boxed();
        Ok(Some(MediaFile {
            body,
            length: found.content_length.and_then(|length| u64::try_from(length).ok()),
            content_type: found.content_type,
            etag: found.e_tag,
            range: found.content_range,
        }))
    }

    async fn create(&self, key: &str, content_type: &str, file: &Path) -> Result<bool, SourceError> {
        let body = ByteStream::from_path(file).await;
        let body = body.map_err(|error| SourceError::Failed(format!("the upload cannot be read again: {error}")))?;
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(body);
        let mut put = put.if_none_match("*");
        if let Some(kms_key) = &self.kms_key {
            put = put.server_side_encryption(aws_sdk_s3::types::ServerSideEncryption::AwsKms).ssekms_key_id(kms_key);
        }
        match put.send().await {
            Ok(_) => Ok(true),
            // 412: there is one. 409: somebody is storing one (Amazon S3 User Guide, "How to prevent object overwrites with
            // conditional writes").
            Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                Some(409 | 412) => Ok(false),
                _ => Err(SourceError::of_sdk(&format!("{key} cannot be stored"), &error)),
            },
        }
    }

    async fn unpacked(&self, document: Value) -> Result<Value, SourceError> {
        self.documents.unpack(document).await.map_err(|failure| SourceError::Missing(failure.message))
    }
}
