//! One multipart upload and its clean-up.
//!
//! An upload that is begun and neither completed nor aborted keeps its parts, and their cost, invisibly. So it is
//! aborted on every way out, also when the call that owns it is dropped half-way. If the whole host crashes, the
//! bucket's own lifecycle rule (`AbortIncompleteMultipartUpload`) removes the parts. It is also what is left for a part that S3
//! takes in although its request was cancelled: by the page of `AbortMultipartUpload` in the Amazon S3 API Reference, a part
//! that is on its way during an abort may still be stored.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::NewObject;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

use crate::objects::bucket::MediaBucket;
use crate::objects::conditional_write::{Replacing, refusal};
use crate::objects::notation::{decode_crc32, encode_crc32, full_crc32, quoted, unquoted};
use crate::objects::parts::PARTS_IN_FLIGHT;
use crate::sdk_error::failure;

/// A multipart upload. It begins with its first part.
pub(crate) struct MultipartUpload {
    bucket: MediaBucket,
    key: String,
    content_type: String,
    metadata: HashMap<String, String>,
    state: UploadState,
    sending: JoinSet<Result<SentPart, Failure>>,
    parts: BTreeMap<i32, SentPart>,
    /// The runtime for the clean-up, because the owner may be dropped outside of any task.
    runtime: Handle,
}

enum UploadState {
    NotBegun,
    /// Runs as a task of its own, so that the upload's id is not lost if the caller is dropped while it waits.
    Beginning(JoinHandle<Result<String, Failure>>),
    Begun(String),
}

#[derive(Clone, Debug)]
struct SentPart {
    number: i32,
    etag: String,
    crc32: Option<u32>,
    len: u64,
}

/// A completed upload.
pub(crate) struct Completed {
    pub(crate) etag: String,
    pub(crate) crc32: Option<u32>,
}

impl MultipartUpload {
    /// Returns an upload of `object`. Nothing is sent before the first part. Must be called within a tokio runtime.
    pub(crate) fn new(bucket: MediaBucket, object: &NewObject, metadata: HashMap<String, String>) -> Self {
        Self {
            bucket,
            key: object.key.clone(),
            content_type: object.content_type.clone(),
            metadata,
            state: UploadState::NotBegun,
            sending: JoinSet::new(),
            parts: BTreeMap::new(),
            runtime: Handle::current(),
        }
    }

    /// Begins to send a part. Waits first while [`PARTS_IN_FLIGHT`] others are on their way.
    pub(crate) async fn send(&mut self, number: i32, body: Bytes) -> Result<(), Failure> {
        let id = self.free_slot().await?;
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        self.sending.spawn(async move {
            let (crc32, len) = (crc32fast::hash(&body), body.len() as u64);
            let output = bucket
                .client()
                .upload_part()
                .bucket(bucket.name())
                .key(&key)
                .upload_id(id)
                .part_number(number)
                .checksum_crc32(encode_crc32(crc32))
                .body(ByteStream::from(body))
                .send()
                .await
                .map_err(|error| failure(&format!("writing part {number} of {key}"), &error))?;
            Ok(SentPart { number, etag: output.e_tag().unwrap_or_default().to_owned(), crc32: Some(crc32), len })
        });
        Ok(())
    }

    /// Begins to let S3 copy a range of another object as a part.
    pub(crate) async fn copy(&mut self, number: i32, from: &str, etag: &str, range: Range<u64>) -> Result<(), Failure> {
        let id = self.free_slot().await?;
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        let (from, etag) = (from.to_owned(), quoted(etag));
        self.sending.spawn(async move {
            let output = bucket
                .client()
                .upload_part_copy()
                .bucket(bucket.name())
                .key(&key)
                .upload_id(id)
                .part_number(number)
                .copy_source(copy_source(bucket.name(), &from))
                .copy_source_if_match(etag)
                .copy_source_range(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)))
                .send()
                .await
                .map_err(|error| failure(&format!("copying {from} into {key}"), &error))?;
            let result = output.copy_part_result().ok_or_else(|| {
                Failure::new(Case::Transient, format!("copying {from} into {key}: S3's answer has no result"))
            })?;
            Ok(SentPart {
                number,
                etag: result.e_tag().unwrap_or_default().to_owned(),
                crc32: result.checksum_crc32().and_then(decode_crc32),
                len: range.end - range.start,
            })
        });
        Ok(())
    }

    /// Completes the upload to `object`, unless that is stored already; the upload is aborted then.
    ///
    /// Errors: `Internal` if the parts do not have the `total` bytes that the writer counted, `Mismatch` if something else is
    /// there than what the object may replace.
    pub(crate) async fn complete(&mut self, total: u64, object: &NewObject) -> Result<Completed, Failure> {
        while !self.sending.is_empty() {
            self.join_one().await?;
        }
        let id = self.upload_id().await?;
        let what = format!("completing {}", self.key);
        let length: u64 = self.parts.values().map(|part| part.len).sum();
        if length != total {
            return Err(Failure::new(
                Case::Internal,
                format!("{what}: the parts have {length} bytes, but {total} were written"),
            ));
        }
        let crc32 = combined_crc32(self.parts.values());
        let parts: Vec<_> = self
            .parts
            .values()
            .map(|part| {
                CompletedPart::builder()
                    .part_number(part.number)
                    .e_tag(&part.etag)
                    .set_checksum_crc32(part.crc32.map(encode_crc32))
                    .build()
            })
            .collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let bucket = self.bucket.clone();
        let mut replacing = Replacing::new(&bucket, object, total, crc32);
        loop {
            let answer = bucket
                .client()
                .complete_multipart_upload()
                .bucket(bucket.name())
                .key(&self.key)
                .upload_id(&id)
                .set_if_none_match(replacing.if_none_match().map(str::to_owned))
                .set_if_match(replacing.if_match())
                .multipart_upload(parts.clone())
                .checksum_type(ChecksumType::FullObject)
                .set_checksum_crc32(crc32.map(encode_crc32))
                .set_mpu_object_size(i64::try_from(total).ok())
                .send()
                .await;
            let error = match answer {
                Ok(output) => {
                    self.state = UploadState::NotBegun;
                    return Ok(Completed {
                        etag: unquoted(output.e_tag().unwrap_or_default()).to_owned(),
                        crc32: crc32.or_else(|| full_crc32(output.checksum_crc32(), output.checksum_type())),
                    });
                }
                Err(error) => error,
            };
            let gone = error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchUpload");
            let stored = if gone {
                // Perhaps the answer to an earlier try was lost: there is no such upload because it has become the object.
                let stored = bucket.head(&self.key, None).await.ok();
                self.state = UploadState::NotBegun;
                Some(stored.filter(|stored| replacing.is_same(stored)).ok_or_else(|| failure(&what, &error))?)
            } else {
                refusal(&what, &error)?;
                replacing.refused(&what).await?
            };
            if let Some(stored) = stored {
                self.abort().await;
                return Ok(Completed { etag: stored.etag, crc32: crc32.or(stored.crc32) });
            }
        }
    }

    /// Cancels the parts that are on their way, aborts the upload and waits for S3's answer. The request is made by a task of
    /// its own, so it is not lost if the caller stops waiting.
    pub(crate) async fn abort(&mut self) {
        self.sending.shutdown().await;
        let state = std::mem::replace(&mut self.state, UploadState::NotBegun);
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        let _ended = self.runtime.spawn(async move { abort(&bucket, &key, state).await }).await;
    }

    /// Waits until one more part may be sent, and returns the upload's id.
    async fn free_slot(&mut self) -> Result<String, Failure> {
        while self.sending.len() >= PARTS_IN_FLIGHT {
            self.join_one().await?;
        }
        self.upload_id().await
    }

    /// Waits for one part that is on its way.
    async fn join_one(&mut self) -> Result<(), Failure> {
        match self.sending.join_next().await {
            Some(Ok(part)) => {
                let part = part?;
                self.parts.insert(part.number, part);
                Ok(())
            }
            Some(Err(error)) => Err(Failure::new(Case::Internal, format!("writing {}: {error}", self.key))),
            None => Ok(()),
        }
    }

    /// Returns the upload's id; begins the upload if necessary.
    async fn upload_id(&mut self) -> Result<String, Failure> {
        loop {
            match &mut self.state {
                UploadState::Begun(id) => return Ok(id.clone()),
                UploadState::Beginning(beginning) => {
                    let begun = beginning.await;
                    self.state = UploadState::NotBegun;
                    let id = begun
                        .map_err(|error| Failure::new(Case::Internal, format!("writing {}: {error}", self.key)))??;
                    self.state = UploadState::Begun(id);
                }
                UploadState::NotBegun => {
                    let begin = begin(
                        self.bucket.clone(),
                        self.key.clone(),
                        self.content_type.clone(),
                        std::mem::take(&mut self.metadata),
                    );
                    self.state = UploadState::Beginning(tokio::spawn(begin));
                }
            }
        }
    }
}

impl Drop for MultipartUpload {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, UploadState::NotBegun);
        if matches!(state, UploadState::NotBegun) {
            return;
        }
        let (bucket, key) = (self.bucket.clone(), std::mem::take(&mut self.key));
        let mut sending = std::mem::take(&mut self.sending);
        self.runtime.spawn(async move {
            sending.shutdown().await;
            abort(&bucket, &key, state).await;
        });
    }
}

/// Begins an upload and returns its id.
async fn begin(
    bucket: MediaBucket,
    key: String,
    content_type: String,
    metadata: HashMap<String, String>,
) -> Result<String, Failure> {
    let (encryption, kms_key_id) = bucket.encryption();
    let output = bucket
        .client()
        .create_multipart_upload()
        .bucket(bucket.name())
        .key(&key)
        .content_type(content_type)
        .set_metadata(Some(metadata))
        .set_bucket_key_enabled(kms_key_id.is_some().then_some(true))
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(kms_key_id)
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .checksum_type(ChecksumType::FullObject)
        .send()
        .await
        .map_err(|error| failure(&format!("beginning to write {key}"), &error))?;
    output
        .upload_id()
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(Case::Transient, format!("beginning to write {key}: S3's answer has no upload id")))
}

async fn abort(bucket: &MediaBucket, key: &str, state: UploadState) {
    let id = match state {
        UploadState::NotBegun => return,
        UploadState::Begun(id) => id,
        UploadState::Beginning(beginning) => match beginning.await {
            Ok(Ok(id)) => id,
            _ => return,
        },
    };
    let answer = bucket.client().abort_multipart_upload().bucket(bucket.name()).key(key).upload_id(&id).send().await;
    // There is no such upload if the answer to an earlier try was lost, or if it was completed meanwhile.
    if let Err(error) = answer
        && error.as_service_error().and_then(ProvideErrorMetadata::code) != Some("NoSuchUpload")
    {
        // The bucket's lifecycle rule removes it.
        let failure = failure("aborting an upload", &error);
        tracing::warn!(key, upload = %id, %failure, "an unfinished upload stays until the lifecycle rule removes it");
    }
}

/// Returns the CRC-32 of all parts in order; `None` if one of them is not known.
fn combined_crc32<'a>(parts: impl Iterator<Item = &'a SentPart>) -> Option<u32> {
    let mut whole = crc32fast::Hasher::new();
    for part in parts {
        whole.combine(&crc32fast::Hasher::new_with_initial_len(part.crc32?, part.len));
    }
    Some(whole.finalize())
}

/// Returns the value of the copy-source header. The header needs the key percent-encoded, and the SDK does not do it.
fn copy_source(bucket: &str, key: &str) -> String {
    let mut source = format!("{bucket}/");
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            source.push(char::from(byte));
        } else {
            source.push_str(&format!("%{byte:02X}"));
        }
    }
    source
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_copy_source_is_percent_encoded_for_its_header() {
        assert_eq!(copy_source("b", "51/raw/photo/vertical/a b+ü.jpg"), "b/51/raw/photo/vertical/a%20b%2B%C3%BC.jpg");
    }

    proptest! {
        #[test]
        fn the_checksums_of_the_parts_combine_to_the_checksum_of_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
            let parts: Vec<SentPart> = bytes
                .chunks(size)
                .enumerate()
                .map(|(at, chunk)| SentPart {
                    number: at as i32 + 1,
                    etag: String::new(),
                    crc32: Some(crc32fast::hash(chunk)),
                    len: chunk.len() as u64,
                })
                .collect();
            prop_assert_eq!(combined_crc32(parts.iter()), Some(crc32fast::hash(&bytes)));
        }
    }

    #[test]
    fn one_part_without_a_checksum_leaves_the_whole_without_one() {
        let part = SentPart { number: 1, etag: String::new(), crc32: None, len: 5 };
        assert_eq!(combined_crc32([&part].into_iter()), None);
    }
}
