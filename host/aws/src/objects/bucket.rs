//! Single requests to the media bucket. Everything in this crate reads and writes the bucket through it, so that
//! encryption, preconditions and error messages are the same everywhere.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ServerSideEncryption};
use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{ListedObject, ObjectInfo, ObjectPage};

use crate::objects::metadata;
use crate::objects::notation::{full_crc32, quoted, unquoted};
use crate::sdk_error::failure;

/// The media bucket. Cheap to clone.
#[derive(Clone)]
pub(crate) struct MediaBucket(Arc<Connection>);

struct Connection {
    client: aws_sdk_s3::Client,
    bucket: String,
    kms_key_id: Option<String>,
}

impl MediaBucket {
    pub(crate) fn new(client: aws_sdk_s3::Client, bucket: String, kms_key_id: Option<String>) -> Self {
        Self(Arc::new(Connection { client, bucket, kms_key_id }))
    }

    pub(crate) fn client(&self) -> &aws_sdk_s3::Client {
        &self.0.client
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.bucket
    }

    /// Returns the documents below a prefix, which are written on condition.
    pub(crate) fn documents(&self, prefix: &str) -> stagehost_storage::Bucket {
        stagehost_storage::Bucket::new(self.client().clone(), self.name(), prefix, self.0.kms_key_id.clone())
    }

    /// Returns the encryption to request: with the configured key, or nothing, which leaves it to the bucket's default.
    pub(crate) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.0.kms_key_id {
            Some(key) => (Some(ServerSideEncryption::AwsKms), Some(key.clone())),
            None => (None, None),
        }
    }

    /// Returns what S3 knows of an object, without its bytes.
    pub(crate) async fn head(&self, key: &str, if_match: Option<&str>) -> Result<ObjectInfo, Failure> {
        info_of(key, &self.head_output(key, if_match).await?)
    }

    /// Returns the name of the stage that made this version of an object; `None` if no stage did.
    pub(crate) async fn maker(&self, key: &str, if_match: &str) -> Result<Option<String>, Failure> {
        let output = self.head_output(key, Some(if_match)).await?;
        Ok(output.metadata().and_then(metadata::maker))
    }

    async fn head_output(&self, key: &str, if_match: Option<&str>) -> Result<HeadObjectOutput, Failure> {
        self.client()
            .head_object()
            .bucket(self.name())
            .key(key)
            .set_if_match(if_match.map(quoted))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| failure(&format!("looking up {key}"), &error))
    }

    /// Returns at most `most` objects whose keys begin with `prefix` and come after the key `after`.
    pub(crate) async fn page(&self, prefix: &str, after: Option<&str>, most: u16) -> Result<ObjectPage, Failure> {
        let request = self.client().list_objects_v2().bucket(self.name()).prefix(prefix);
        let request = request.set_start_after(after.map(str::to_owned)).max_keys(most.into());
        let output = request.send().await.map_err(|error| failure(&format!("listing {prefix}"), &error))?;
        let truncated = output.is_truncated() == Some(true);
        let listed = output.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let bytes = object.size().and_then(|size| u64::try_from(size).ok())?;
            let etag = object.e_tag.as_deref().map(unquoted).unwrap_or_default().to_owned();
            Some(ListedObject { key: object.key?, bytes, etag })
        });
        let objects: Vec<_> = listed.collect();
        let next = objects.last().filter(|_| truncated).map(|last| last.key.clone());
        Ok(ObjectPage { objects, next })
    }

    /// Returns the keys that begin with `prefix`, with their entity tags.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>, Failure> {
        let mut pages = self.client().list_objects_v2().bucket(self.name()).prefix(prefix).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure(&format!("listing {prefix}"), &error))?;
            found.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let etag = object.e_tag.as_deref().map(unquoted).unwrap_or_default().to_owned();
                Some((object.key?, etag))
            }));
        }
        Ok(found)
    }

    /// Begins to read an object, or the half-open `range` of it.
    pub(crate) async fn get(
        &self,
        key: &str,
        if_match: Option<&str>,
        range: Option<Range<u64>>,
    ) -> Result<GetObjectOutput, Failure> {
        self.client()
            .get_object()
            .bucket(self.name())
            .key(key)
            .set_if_match(if_match.map(quoted))
            .set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1))))
            .send()
            .await
            .map_err(|error| failure(&format!("reading {key}"), &error))
    }

    /// Writes a small object of the host's own in one request.
    pub(crate) async fn put(&self, key: &str, content_type: &str, body: Bytes) -> Result<(), Failure> {
        let (encryption, kms_key_id) = self.encryption();
        self.client()
            .put_object()
            .bucket(self.name())
            .key(key)
            .content_type(content_type)
            .set_bucket_key_enabled(kms_key_id.is_some().then_some(true))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key_id)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| failure(&format!("writing {key}"), &error))?;
        Ok(())
    }

    /// Deletes an object that still has this entity tag. Returns whether it had.
    pub(crate) async fn delete_if(&self, key: &str, etag: &str) -> Result<bool, Failure> {
        let request = self.client().delete_object().bucket(self.name()).key(key).if_match(quoted(etag));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match failure(&format!("deleting {key}"), &error) {
                failure if matches!(failure.case, Case::Mismatch | Case::Missing) => Ok(false),
                failure => Err(failure),
            },
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Failure> {
        self.client()
            .delete_object()
            .bucket(self.name())
            .key(key)
            .send()
            .await
            .map_err(|error| failure(&format!("deleting {key}"), &error))?;
        Ok(())
    }
}

fn info_of(key: &str, output: &HeadObjectOutput) -> Result<ObjectInfo, Failure> {
    Ok(ObjectInfo {
        key: key.to_owned(),
        bytes: length_of(key, output.content_length())?,
        etag: unquoted(output.e_tag().unwrap_or_default()).to_owned(),
        content_type: output.content_type().map(str::to_owned),
        crc32: full_crc32(output.checksum_crc32(), output.checksum_type()),
        fingerprint: output.metadata().and_then(metadata::fingerprint),
    })
}

/// Returns the content length of an answer. Errors: `Transient` if the answer has no length.
pub(crate) fn length_of(key: &str, length: Option<i64>) -> Result<u64, Failure> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| Failure::new(Case::Transient, format!("{key}: S3's answer has no content length")))
}
