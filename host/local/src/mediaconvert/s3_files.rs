//! MediaConvert's files on the local S3.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use stagehost_mediaconvert::{Storage, StorageError};
use tokio::io::AsyncWriteExt;

/// Reads and writes files through the S3 API, as the service does.
pub(crate) struct S3Files(pub(crate) Client);

#[async_trait]
impl Storage for S3Files {
    async fn check(&self, bucket: &str) -> Result<(), StorageError> {
        match self.0.head_bucket().bucket(bucket).send().await {
            Ok(_) => Ok(()),
            // The answer to HEAD has no body, and so no code of its own.
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                Err(StorageError::NotFound(format!("s3://{bucket}: there is no such bucket")))
            }
            Err(error) => Err(storage_error(bucket, "", error)),
        }
    }

    async fn fetch(&self, bucket: &str, key: &str, scratch: &Path) -> Result<PathBuf, StorageError> {
        let object = self
            .0
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| storage_error(bucket, key, error))?;
        let path = scratch.join("input");
        let failed = |error: std::io::Error| StorageError::Failed(format!("s3://{bucket}/{key}: {error}"));
        let mut file = tokio::fs::File::create(&path).await.map_err(failed)?;
        let mut body = object.body.into_async_read();
        tokio::io::copy(&mut body, &mut file).await.map_err(failed)?;
        file.flush().await.map_err(failed)?;
        Ok(path)
    }

    async fn store(&self, file: &Path, bucket: &str, key: &str, content_type: &str) -> Result<(), StorageError> {
        // One request, so that an interrupted upload leaves nothing.
        let body = ByteStream::from_path(file)
            .await
            .map_err(|error| StorageError::Failed(format!("s3://{bucket}/{key}: {error}")))?;
        let put = self.0.put_object().bucket(bucket).key(key).content_type(content_type).body(body);
        put.send().await.map_err(|error| storage_error(bucket, key, error))?;
        Ok(())
    }
}

/// Returns the storage error of an SDK error.
fn storage_error<E: ProvideErrorMetadata + std::error::Error + 'static, R>(
    bucket: &str,
    key: &str,
    error: SdkError<E, R>,
) -> StorageError
where
    R: std::fmt::Debug + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let reason = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => error.to_string(),
    };
    let text = format!("s3://{bucket}/{key}: {reason}");
    match code.as_str() {
        "NoSuchKey" | "NoSuchBucket" | "NotFound" => StorageError::NotFound(text),
        "AccessDenied" => StorageError::Denied(text),
        _ => StorageError::Failed(text),
    }
}
