//! Documents as objects below a prefix. S3 compares and sets by conditional requests (Amazon S3 User Guide, "Add
//! preconditions to S3 operations with conditional requests").

use async_trait::async_trait;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;

use crate::document::{Found, MAX_BYTES, Tag};
use crate::error::StorageError;
use crate::name;
use crate::sdk_reason::{causes, sdk_reason};
use crate::storage::Storage;

/// How often a write is repeated that S3 refuses because of another write (409 ConditionalRequestConflict).
const MAX_CONFLICTS: u32 = 5;

/// The documents below a prefix in a bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: aws_sdk_s3::Client,
    bucket: String,
    prefix: String,
    kms_key: Option<String>,
}

impl Bucket {
    /// Returns the documents below `prefix`. New ones are encrypted with this KMS key, or without one by the bucket's
    /// default.
    pub fn new(
        client: aws_sdk_s3::Client,
        bucket: impl Into<String>,
        prefix: impl Into<String>,
        kms_key: Option<String>,
    ) -> Self {
        Self { client, bucket: bucket.into(), prefix: prefix.into().trim_matches('/').to_owned(), kms_key }
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    fn failed<E>(&self, doing: &'static str, name: &str, error: &SdkError<E, HttpResponse>) -> StorageError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        StorageError::Failed { doing, place: self.place(name), reason: sdk_reason(error) }
    }

    /// Writes a document if the request's condition holds; else returns `None`.
    async fn put(
        &self,
        name: &str,
        bytes: Bytes,
        condition: impl Fn(PutObjectFluentBuilder) -> PutObjectFluentBuilder,
    ) -> Result<Option<Tag>, StorageError> {
        name::check(name)?;
        let mut conflicts = 0;
        loop {
            let request = self.client.put_object().bucket(&self.bucket).key(self.key(name)).body(bytes.clone().into());
            let request = match &self.kms_key {
                Some(key) => request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key),
                None => request,
            };
            match condition(request).send().await {
                Ok(output) => return Ok(Some(Tag(output.e_tag.unwrap_or_default()))),
                Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == 412 => return Ok(None),
                // The document that was to be replaced does not exist.
                Err(SdkError::ServiceError(error)) if error.err().code() == Some("NoSuchKey") => return Ok(None),
                Err(SdkError::ServiceError(error))
                    if error.raw().status().as_u16() == 409 && conflicts < MAX_CONFLICTS =>
                {
                    conflicts += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(50 << conflicts)).await;
                }
                Err(error) => return Err(self.failed("cannot write", name, &error)),
            }
        }
    }
}

#[async_trait]
impl Storage for Bucket {
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, StorageError> {
        name::check(name)?;
        let request = self.client.get_object().bucket(&self.bucket).key(self.key(name));
        let output = match request.set_if_none_match(unless.map(|tag| tag.0.clone())).send().await {
            Ok(output) => output,
            Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == 304 => return Ok(Found::Unchanged),
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => return Ok(Found::Missing),
            Err(error) => return Err(self.failed("cannot read", name, &error)),
        };
        let bytes = output.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(u64::MAX);
        if bytes > MAX_BYTES {
            return Err(StorageError::TooLarge { place: self.place(name), bytes });
        }
        let tag = Tag(output.e_tag.unwrap_or_default());
        let body = output.body.collect().await.map_err(|error| StorageError::Failed {
            doing: "cannot read",
            place: self.place(name),
            reason: causes(&error),
        })?;
        Ok(Found::Found { bytes: body.into_bytes(), tag })
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, StorageError> {
        self.put(name, bytes, |request| request.if_none_match("*")).await
    }

    async fn replace(&self, name: &str, bytes: Bytes, was: &Tag) -> Result<Option<Tag>, StorageError> {
        self.put(name, bytes, |request| request.if_match(&was.0)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let below = self.key("");
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.key(prefix));
        let mut pages = request.into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed("cannot list", prefix, &error))?;
            let keys = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
            names.extend(keys.filter_map(|key| key.strip_prefix(&below).map(str::to_owned)));
        }
        names.sort();
        Ok(names)
    }

    fn place(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(name))
    }
}
