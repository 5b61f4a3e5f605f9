//! One multipart upload and its clean-up.
//!
//! An upload that is begun and not ended keeps its parts, and their cost, without being visible anywhere. So it is
//! aborted on every way out, also when the call that owns it is given up in the middle. What a crash of the whole host
//! leaves behind is the bucket's own rule to remove (`AbortIncompleteMultipartUpload`).

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::NewObject;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

use crate::objects::bucket::{Store, decode_crc32, encode_crc32, full_crc32, quoted, unquoted};
use crate::objects::writer::PARTS_IN_FLIGHT;
use crate::sdk_error::failure;

/// An upload in parts, begun with its first one.
pub(crate) struct Upload {
    store: Store,
    key: String,
    content_type: String,
    metadata: HashMap<String, String>,
    state: State,
    sending: JoinSet<Result<Part, Failure>>,
    parts: BTreeMap<i32, Part>,
    /// Where the clean-up runs when the owner is dropped, possibly outside of any task.
    runtime: Handle,
}

enum State {
    None,
    /// A task of its own, so that the id is not lost with a caller that is given up while it waits for it.
    Beginning(JoinHandle<Result<String, Failure>>),
    Begun(String),
}

#[derive(Clone, Debug)]
struct Part {
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

impl Upload {
    /// Nothing is sent before the first part. Must be called within a tokio runtime.
    pub(crate) fn new(store: Store, object: &NewObject, metadata: HashMap<String, String>) -> Self {
        Self {
            store,
            key: object.key.clone(),
            content_type: object.content_type.clone(),
            metadata,
            state: State::None,
            sending: JoinSet::new(),
            parts: BTreeMap::new(),
            runtime: Handle::current(),
        }
    }

    /// Sends a part; returns when there is room for the next one.
    pub(crate) async fn send(&mut self, number: i32, body: Bytes) -> Result<(), Failure> {
        let id = self.slot().await?;
        let (store, key) = (self.store.clone(), self.key.clone());
        self.sending.spawn(async move {
            let (crc32, len) = (crc32fast::hash(&body), body.len() as u64);
            let output = store
                .client()
                .upload_part()
                .bucket(store.bucket())
                .key(&key)
                .upload_id(id)
                .part_number(number)
                .checksum_crc32(encode_crc32(crc32))
                .body(ByteStream::from(body))
                .send()
                .await
                .map_err(|error| failure(&format!("writing part {number} of {key}"), &error))?;
            Ok(Part { number, etag: output.e_tag().unwrap_or_default().to_owned(), crc32: Some(crc32), len })
        });
        Ok(())
    }

    /// Lets the store copy a range of another object as a part.
    pub(crate) async fn copy(&mut self, number: i32, from: &str, etag: &str, range: Range<u64>) -> Result<(), Failure> {
        let id = self.slot().await?;
        let (store, key) = (self.store.clone(), self.key.clone());
        let (from, etag) = (from.to_owned(), quoted(etag));
        self.sending.spawn(async move {
            let output = store
                .client()
                .upload_part_copy()
                .bucket(store.bucket())
                .key(&key)
                .upload_id(id)
                .part_number(number)
                .copy_source(copy_source(store.bucket(), &from))
                .copy_source_if_match(etag)
                .copy_source_range(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)))
                .send()
                .await
                .map_err(|error| failure(&format!("copying {from} into {key}"), &error))?;
            let result = output.copy_part_result().ok_or_else(|| {
                Failure::new(Case::Transient, format!("copying {from} into {key}: the store did not say how it went"))
            })?;
            Ok(Part {
                number,
                etag: result.e_tag().unwrap_or_default().to_owned(),
                crc32: result.checksum_crc32().and_then(decode_crc32),
                len: range.end - range.start,
            })
        });
        Ok(())
    }

    /// Puts the parts together. `total` is what the writer counted, checked against what the parts hold.
    pub(crate) async fn complete(&mut self, total: u64) -> Result<Completed, Failure> {
        while !self.sending.is_empty() {
            self.join_one().await?;
        }
        let id = self.begun().await?;
        let what = format!("completing {}", self.key);
        let length: u64 = self.parts.values().map(|part| part.len).sum();
        if length != total {
            return Err(Failure::new(Case::Internal, format!("{what}: parts of {length} bytes for {total} written")));
        }
        let crc32 = combined_crc32(self.parts.values());
        let parts = self
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
        let answer = self
            .store
            .client()
            .complete_multipart_upload()
            .bucket(self.store.bucket())
            .key(&self.key)
            .upload_id(&id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .checksum_type(ChecksumType::FullObject)
            .set_checksum_crc32(crc32.map(encode_crc32))
            .set_mpu_object_size(i64::try_from(total).ok())
            .send()
            .await;
        let completed = match answer {
            Ok(output) => Completed {
                etag: unquoted(output.e_tag().unwrap_or_default()).to_owned(),
                crc32: crc32.or_else(|| full_crc32(output.checksum_crc32(), output.checksum_type())),
            },
            // The answer to an earlier attempt was lost on its way: the upload is gone because it became the object.
            Err(error)
                if error.as_service_error().and_then(aws_sdk_s3::error::ProvideErrorMetadata::code)
                    == Some("NoSuchUpload") =>
            {
                let stored = self.store.head(&self.key, None).await?;
                let same =
                    stored.bytes == total && (crc32.is_none() || stored.crc32.is_none() || stored.crc32 == crc32);
                if !same {
                    return Err(failure(&what, &error));
                }
                Completed { etag: stored.etag, crc32: crc32.or(stored.crc32) }
            }
            Err(error) => return Err(failure(&what, &error)),
        };
        self.state = State::None;
        Ok(completed)
    }

    /// Gives it up and waits until the store has forgotten the parts.
    pub(crate) async fn abort(&mut self) {
        self.sending.shutdown().await;
        let state = std::mem::replace(&mut self.state, State::None);
        abort(&self.store, &self.key, state).await;
    }

    /// Waits until one more part may be on its way; begins the upload with the first.
    async fn slot(&mut self) -> Result<String, Failure> {
        while self.sending.len() >= PARTS_IN_FLIGHT {
            self.join_one().await?;
        }
        self.begun().await
    }

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

    async fn begun(&mut self) -> Result<String, Failure> {
        loop {
            match &mut self.state {
                State::Begun(id) => return Ok(id.clone()),
                State::Beginning(beginning) => {
                    let begun = beginning.await;
                    self.state = State::None;
                    let id = begun
                        .map_err(|error| Failure::new(Case::Internal, format!("writing {}: {error}", self.key)))??;
                    self.state = State::Begun(id);
                }
                State::None => {
                    let begin = begin(
                        self.store.clone(),
                        self.key.clone(),
                        self.content_type.clone(),
                        std::mem::take(&mut self.metadata),
                    );
                    self.state = State::Beginning(tokio::spawn(begin));
                }
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::None);
        if matches!(state, State::None) {
            return;
        }
        let (store, key) = (self.store.clone(), std::mem::take(&mut self.key));
        let mut sending = std::mem::take(&mut self.sending);
        self.runtime.spawn(async move {
            sending.shutdown().await;
            abort(&store, &key, state).await;
        });
    }
}

async fn begin(
    store: Store,
    key: String,
    content_type: String,
    metadata: HashMap<String, String>,
) -> Result<String, Failure> {
    let (encryption, kms_key_id) = store.encryption();
    let output = store
        .client()
        .create_multipart_upload()
        .bucket(store.bucket())
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
        .map_err(|error| failure(&format!("beginning {key}"), &error))?;
    output
        .upload_id()
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(Case::Transient, format!("beginning {key}: the store gave no upload id")))
}

async fn abort(store: &Store, key: &str, state: State) {
    let id = match state {
        State::None => return,
        State::Begun(id) => id,
        State::Beginning(beginning) => match beginning.await {
            Ok(Ok(id)) => id,
            _ => return,
        },
    };
    let answer = store.client().abort_multipart_upload().bucket(store.bucket()).key(key).upload_id(&id).send().await;
    if let Err(error) = answer {
        // Nothing more can be done here; the bucket's lifecycle rule removes it.
        tracing::warn!(key, upload = %id, failure = %failure("aborting an upload", &error), "an unfinished upload stays");
    }
}

/// The CRC-32 of the parts in a row; `None` as soon as one of them is not known.
fn combined_crc32<'a>(parts: impl Iterator<Item = &'a Part>) -> Option<u32> {
    let mut whole = crc32fast::Hasher::new();
    for part in parts {
        whole.combine(&crc32fast::Hasher::new_with_initial_len(part.crc32?, part.len));
    }
    Some(whole.finalize())
}

/// The header wants the key percent-encoded; the SDK sends it as it is.
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
    fn a_copy_source_is_safe_in_a_header_whatever_the_key_holds() {
        assert_eq!(copy_source("b", "51/raw/photo/vertical/a b+ü.jpg"), "b/51/raw/photo/vertical/a%20b%2B%C3%BC.jpg");
    }

    proptest! {
        #[test]
        fn checksums_of_parts_combine_to_that_of_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
            let parts: Vec<Part> = bytes
                .chunks(size)
                .enumerate()
                .map(|(at, chunk)| Part {
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
        let part = Part { number: 1, etag: String::new(), crc32: None, len: 5 };
        assert_eq!(combined_crc32([&part].into_iter()), None);
    }
}
