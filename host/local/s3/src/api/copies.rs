//! Copies in the store. Bytes are copied from file to file, and hashed only if their digests are unknown.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use super::request::{attributes, check_part_number, check_version, checksum_algorithm, refuse_customer_key};
use super::response::{etag, put_encryption, put_entity};
use super::tags::parse_tag_header;
use crate::digest::{Algorithm, BUFFER, Checksums, Digests, Hasher, WantedAlgorithms, put_checksums};
use crate::error::{AtPath, refuse};
use crate::http::body::blocking;
use crate::storage::read_condition::ReadCondition;
use crate::storage::record::{Attributes, ChecksumKind, Stamp};
use crate::storage::store::{NewObject, OpenObject};
use crate::storage::write_condition::WriteCondition;

/// Returns the condition on the source, which two inputs have in the same fields.
macro_rules! source_condition {
    ($input:expr) => {
        ReadCondition {
            if_match: $input.copy_source_if_match,
            if_none_match: $input.copy_source_if_none_match,
            if_modified_since: $input.copy_source_if_modified_since,
            if_unmodified_since: $input.copy_source_if_unmodified_since,
        }
    };
}

/// Returns the condition on the object that a copy replaces. `s3s` has no such fields.
fn target_condition(headers: &HeaderMap) -> S3Result<WriteCondition> {
    let read = |name: HeaderName| match headers.get(&name) {
        None => Ok(None),
        Some(value) => match ETagCondition::parse_http_header(value.as_bytes()) {
            Ok(condition) => Ok(Some(condition)),
            Err(_) => refuse(S3ErrorCode::InvalidArgument, format!("{name} is neither * nor an entity tag")),
        },
    };
    WriteCondition::new(read(hyper::header::IF_MATCH)?, read(hyper::header::IF_NONE_MATCH)?)
}

impl Api {
    pub(super) async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        refuse_customer_key!(input);
        let (source_bucket, source_key) = source(&input.copy_source)?;
        let replace =
            input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let retag =
            input.tagging_directive.as_ref().is_some_and(|directive| directive.as_str() == TaggingDirective::REPLACE);
        let own: Attributes = attributes!(input);
        let unchanged = !replace && !retag && own.storage_class.is_none() && own.encryption.is_none();
        if unchanged && source_bucket == input.bucket && source_key == input.key {
            let message = "This copy request is illegal because it is trying to copy an object to itself without changing \
                           the object's metadata, storage class, website redirect location or encryption attributes.";
            return refuse(S3ErrorCode::InvalidRequest, message);
        }
        let tags = parse_tag_header(input.tagging.as_deref())?;
        let named = checksum_algorithm(input.checksum_algorithm.as_ref())?;
        let condition = source_condition!(input);
        let on_target = target_condition(&request.headers)?;

        blocking(move || {
            store.bucket(&input.bucket)?;
            let opened = store.read(&source_bucket, &source_key)?;
            condition.check_source(&opened.record)?;
            let algorithms: Vec<Algorithm> = match named {
                Some(named) => vec![named],
                None => opened.record.checksums.0.keys().copied().collect(),
            };
            let (mut file, scratch) = store.scratch()?;
            let digests = copy(&opened, None, &algorithms, &mut file)?;
            let attributes = if replace {
                own
            } else {
                Attributes {
                    storage_class: own.storage_class,
                    encryption: own.encryption,
                    kms_key_id: own.kms_key_id,
                    bucket_key: own.bucket_key,
                    ..opened.record.attributes.clone()
                }
            };
            let tags = if retag { tags } else { opened.record.tags.clone() };
            let object = NewObject::whole(digests, algorithms, attributes, tags);
            let record = store.publish(&input.bucket, &input.key, &scratch, object, &on_target)?;
            let mut result =
                CopyObjectResult { last_modified: Some(record.stamp.modified_second().into()), ..Default::default() };
            put_entity!(result, &record);
            let mut output = CopyObjectOutput { copy_object_result: Some(result), ..Default::default() };
            put_encryption!(output, &record.attributes);
            Ok(S3Response::new(output))
        })
        .await
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        refuse_customer_key!(input);
        check_part_number(input.part_number)?;
        let (source_bucket, source_key) = source(&input.copy_source)?;
        let condition = source_condition!(input);
        blocking(move || {
            let upload = store.uploads.get(&input.upload_id, &input.bucket, &input.key)?;
            let opened = store.read(&source_bucket, &source_key)?;
            condition.check_source(&opened.record)?;
            let range = input
                .copy_source_range
                .as_deref()
                .map(|range| copy_range(range, opened.record.stamp.size))
                .transpose()?;
            let (mut file, scratch) = store.scratch()?;
            let algorithms: Vec<Algorithm> = upload.algorithm.into_iter().collect();
            let mut digests = copy(&opened, range, &algorithms, &mut file)?;
            digests.checksums = digests.checksums.only(algorithms);
            let part = store.uploads.add_part(&upload, input.part_number, &scratch, digests)?;
            let mut result = CopyPartResult {
                e_tag: Some(etag(&part.md5)),
                last_modified: Some(part.modified.into()),
                ..Default::default()
            };
            put_checksums!(result, &part.checksums);
            let mut output = UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() };
            put_encryption!(output, &upload.attributes);
            Ok(S3Response::new(output))
        })
        .await
    }
}

/// Returns the bucket and key of a copy's source.
fn source(source: &CopySource) -> S3Result<(String, String)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref())?;
            Ok((bucket.to_string(), key.to_string()))
        }
        _ => refuse(S3ErrorCode::NotImplemented, "A copy's source is a bucket and a key here, not an access point"),
    }
}

/// Parses `bytes=first-last`. Both numbers are required and must be inside of the object.
fn copy_range(range: &str, size: u64) -> S3Result<Range<u64>> {
    let bounds = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let parse = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    match bounds.and_then(|(first, last)| Some((parse(first)?, parse(last)?))) {
        Some((first, last)) if first <= last && last < size => Ok(first..last + 1),
        Some((first, last)) if first <= last && first >= size => {
            refuse(S3ErrorCode::InvalidRequest, "The specified copy range is invalid for the source object size")
        }
        Some((first, last)) if first <= last => refuse(
            S3ErrorCode::InvalidArgument,
            format!("Range specified is not valid for source object of size: {size}"),
        ),
        _ => refuse(
            S3ErrorCode::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last",
        ),
    }
}

/// Copies an open object or a range of it to a new file, and returns the digests.
fn copy(
    opened: &OpenObject,
    range: Option<Range<u64>>,
    algorithms: &[Algorithm],
    target: &mut File,
) -> S3Result<Digests> {
    let record = &opened.record;
    let size = record.stamp.size;
    let whole = range.as_ref().is_none_or(|range| *range == (0..size));
    let full = record.checksum_kind == ChecksumKind::FullObject;
    let known =
        |algorithm: &Algorithm| *algorithm == Algorithm::CRC32 || full && record.checksums.0.contains_key(algorithm);
    let key = record.key.as_ref();
    let digests = if whole && record.etag_is_md5() && algorithms.iter().all(known) {
        // All digests are known, so the kernel copies the bytes, by sharing blocks if the file system can.
        let mut source = &opened.file;
        let copied = io::copy(&mut source, target).at(key)?;
        let mut checksums = Checksums::crc32(record.crc32);
        if full {
            checksums.0.extend(record.checksums.0.clone());
        }
        Digests { size: copied, md5: record.etag.clone(), crc32: record.crc32, checksums }
    } else {
        let range = range.unwrap_or(0..size);
        copy_hashed(&opened.file, range, WantedAlgorithms::of(algorithms.iter().copied()), target).at(key)?
    };
    // Objects are replaced and never changed in place, but another program may change the file.
    if Stamp::of(&opened.file.metadata().at(key)?) != record.stamp {
        return refuse(
            S3ErrorCode::ServiceUnavailable,
            format!("{} was changed while it was copied; try again", record.key),
        );
    }
    Ok(digests)
}

fn copy_hashed(source: &File, range: Range<u64>, wanted: WantedAlgorithms, target: &mut File) -> io::Result<Digests> {
    let mut hasher = Hasher::new(wanted);
    let mut buffer = vec![0; BUFFER];
    let mut at = range.start;
    while at < range.end {
        let length = usize::try_from(range.end - at).unwrap_or(BUFFER).min(BUFFER);
        let piece = &mut buffer[..length];
        source.read_exact_at(piece, at)?;
        hasher.update(piece);
        target.write_all(piece)?;
        at += length as u64;
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_to_copy_has_both_ends_within_the_object() {
        assert_eq!(copy_range("bytes=0-9", 10).unwrap(), 0..10);
        assert_eq!(copy_range("bytes=3-3", 10).unwrap(), 3..4);
        for (range, code) in [
            ("bytes=0-10", S3ErrorCode::InvalidArgument),
            ("bytes=10-10", S3ErrorCode::InvalidRequest),
            ("bytes=-5", S3ErrorCode::InvalidArgument),
            ("bytes=5-", S3ErrorCode::InvalidArgument),
            ("bytes=5-4", S3ErrorCode::InvalidArgument),
            ("bytes=+1-2", S3ErrorCode::InvalidArgument),
            ("0-1", S3ErrorCode::InvalidArgument),
        ] {
            assert_eq!(copy_range(range, 10).unwrap_err().code(), &code, "{range}");
        }
    }

    proptest! {
        #[test]
        fn any_range_is_inside_the_object_or_refused(range in "(bytes=)?[0-9+-]{0,25}", size in any::<u64>()) {
            if let Ok(range) = copy_range(&range, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
