//! The one media bucket: what every part of this crate needs of it, in one place, so that encryption, preconditions and
//! error texts are the same everywhere.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType, ServerSideEncryption};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::ObjectInfo;

use crate::objects::body::ResumingBody;
use crate::objects::metadata;
use crate::sdk_error::failure;

/// The longest JSON document that the host keeps for itself in the bucket.
const MAX_DOCUMENT: u64 = 16 * 1024 * 1024;

/// The media bucket. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    client: aws_sdk_s3::Client,
    bucket: String,
    kms_key_id: Option<String>,
}

impl Store {
    pub(crate) fn new(client: aws_sdk_s3::Client, bucket: String, kms_key_id: Option<String>) -> Self {
        Self(Arc::new(Inner { client, bucket, kms_key_id }))
    }

    pub(crate) fn client(&self) -> &aws_sdk_s3::Client {
        &self.0.client
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.0.bucket
    }

    /// The encryption to ask for: the key of the options, or the bucket's own default when there is none.
    pub(crate) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.0.kms_key_id {
            Some(key) => (Some(ServerSideEncryption::AwsKms), Some(key.clone())),
            None => (None, None),
        }
    }

    pub(crate) async fn head(&self, key: &str, if_match: Option<&str>) -> Result<ObjectInfo, Failure> {
        let output = self
            .client()
            .head_object()
            .bucket(self.bucket())
            .key(key)
            .set_if_match(if_match.map(quoted))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| failure(&format!("looking at {key}"), &error))?;
        info_of(key, &output)
    }

    /// Begins to read; `range` is half open.
    pub(crate) async fn get(
        &self,
        key: &str,
        if_match: Option<&str>,
        range: Option<Range<u64>>,
    ) -> Result<GetObjectOutput, Failure> {
        self.client()
            .get_object()
            .bucket(self.bucket())
            .key(key)
            .set_if_match(if_match.map(quoted))
            .set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1))))
            .send()
            .await
            .map_err(|error| failure(&format!("reading {key}"), &error))
    }

    /// Reads exactly `range` of the version `etag` into memory.
    pub(crate) async fn fetch(&self, key: &str, etag: &str, range: Range<u64>) -> Result<Bytes, Failure> {
        let expected = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| {
            Failure::new(Case::TooLarge, format!("{key}: the range {range:?} does not fit into memory"))
        })?;
        let mut body = ResumingBody::new(self.clone(), key, etag, range);
        let mut all = Vec::with_capacity(expected);
        while let Some(chunk) = body.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(all))
    }

    pub(crate) async fn put_document<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<(), Failure> {
        let body = serde_json::to_vec(document)
            .map_err(|error| Failure::new(Case::Internal, format!("writing {key}: {error}")))?;
        self.put_bytes(key, "application/json", body.into()).await
    }

    /// Writes an object of the host's own at once.
    pub(crate) async fn put_bytes(&self, key: &str, content_type: &str, body: Bytes) -> Result<(), Failure> {
        let (encryption, kms_key_id) = self.encryption();
        self.client()
            .put_object()
            .bucket(self.bucket())
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

    /// Reads a document of the host's own; `None` if it is not there.
    pub(crate) async fn get_document<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Failure> {
        let Some(all) = self.get_bytes(key).await? else { return Ok(None) };
        serde_json::from_slice(&all)
            .map(Some)
            .map_err(|error| Failure::new(Case::Internal, format!("{key} is not what this host wrote: {error}")))
    }

    /// Reads an object of the host's own at once; `None` if it is not there.
    pub(crate) async fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let output = match self.get(key, None, None).await {
            Ok(output) => output,
            Err(failure) if failure.case == Case::Missing => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let etag = unquoted(output.e_tag().unwrap_or_default()).to_owned();
        let length = length_of(key, output.content_length())?;
        if length > MAX_DOCUMENT {
            return Err(Failure::new(Case::TooLarge, format!("{key}: {length} bytes is no document of this host")));
        }
        let mut body = ResumingBody::begun(self.clone(), key, &etag, 0..length, output.body);
        let mut all = Vec::new();
        while let Some(chunk) = body.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(Some(all))
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Failure> {
        self.client()
            .delete_object()
            .bucket(self.bucket())
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

pub(crate) fn length_of(key: &str, length: Option<i64>) -> Result<u64, Failure> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| Failure::new(Case::Transient, format!("{key}: the store's answer does not tell its length")))
}

/// The CRC-32 of a whole object. A checksum of checksums (an upload in parts of the older kind) says nothing about the
/// bytes in a row, which is what an archive needs, so it counts as none.
pub(crate) fn full_crc32(value: Option<&str>, kind: Option<&ChecksumType>) -> Option<u32> {
    if kind.is_some_and(|kind| *kind != ChecksumType::FullObject) {
        return None;
    }
    decode_crc32(value?)
}

/// S3 writes a CRC-32 as base64 of its four bytes, the highest first.
pub(crate) fn decode_crc32(value: &str) -> Option<u32> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(value).ok()?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

pub(crate) fn encode_crc32(crc32: u32) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(crc32.to_be_bytes())
}

/// As it goes over the wire.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{}\"", unquoted(etag))
}

/// As the contract has it.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_checksum_of_checksums_is_not_taken_for_the_crc32_of_the_object() {
        let crc = encode_crc32(0xCBF4_3926);
        assert_eq!(crc, "y/Q5Jg==");
        assert_eq!(full_crc32(Some(&crc), Some(&ChecksumType::FullObject)), Some(0xCBF4_3926));
        assert_eq!(full_crc32(Some(&crc), None), Some(0xCBF4_3926));
        assert_eq!(full_crc32(Some(&crc), Some(&ChecksumType::Composite)), None);
        assert_eq!(full_crc32(Some("y/Q5Jg==-3"), None), None);
    }

    #[test]
    fn entity_tags_are_quoted_once_on_the_wire_and_never_inside() {
        assert_eq!(quoted("abc-2"), "\"abc-2\"");
        assert_eq!(quoted("\"abc-2\""), "\"abc-2\"");
        assert_eq!(unquoted("\"abc\""), "abc");
    }

    proptest! {
        #[test]
        fn any_text_for_a_crc32_is_read_without_panic(text in ".{0,40}") {
            let _ = decode_crc32(&text);
        }

        #[test]
        fn a_crc32_survives_its_encoding(crc: u32) {
            prop_assert_eq!(decode_crc32(&encode_crc32(crc)), Some(crc));
        }
    }
}
