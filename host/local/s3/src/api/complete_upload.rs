//! Completing a multipart upload: the parts that the request names become one object.

use std::fs::File;
use std::io;

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use super::request::refuse_customer_key;
use super::response::{put_encryption, put_entity};
use crate::digest::{
    Algorithm, Checksums, WantedAlgorithms, bad_digest, combine_crc32, composite, hash, multipart_etag, take_checksums,
};
use crate::error::{AtPath, refuse};
use crate::http::body::blocking;
use crate::storage::record::{ChecksumKind, PartRecord};
use crate::storage::store::NewObject;
use crate::storage::uploads::{PART_MIN, Upload, UploadedPart};
use crate::storage::write_condition::WriteCondition;

impl Api {
    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        refuse_customer_key!(input);
        let condition = WriteCondition::new(input.if_match.clone(), input.if_none_match.clone())?;
        let declared = take_checksums!(input);
        let named = input.multipart_upload.clone().and_then(|upload| upload.parts).unwrap_or_default();
        blocking(move || {
            let upload = store.uploads.get(&input.upload_id, &input.bucket, &input.key)?;
            store.check(&input.bucket, &input.key, &condition)?;
            check_kind(&upload, input.checksum_type.as_ref())?;
            let (mut file, scratch) = store.scratch()?;
            let reader = file.try_clone().map_err(s3s::S3Error::internal_error)?;
            let choose = |arrived| {
                let chosen = choose(&upload, arrived, &named)?;
                let size: u64 = chosen.iter().map(|part: &UploadedPart| part.size).sum();
                if input.mpu_object_size.is_some_and(|declared| u64::try_from(declared).ok() != Some(size)) {
                    let message = "The provided 'x-amz-mp-object-size' header does not match what was computed";
                    return refuse(S3ErrorCode::InvalidRequest, message);
                }
                Ok(chosen)
            };
            let record = store.uploads.complete(&upload, choose, &mut file, |parts| {
                let crc32 = combine_crc32(parts.iter().map(|part| (part.crc32, part.size)));
                let kind = upload.checksum_kind.unwrap_or(ChecksumKind::FullObject);
                let algorithm = upload.algorithm.unwrap_or(Algorithm::CRC32);
                let checksum = match (kind, algorithm) {
                    (ChecksumKind::FullObject, Algorithm::CRC32) => Checksums::crc32(crc32).get(Algorithm::CRC32),
                    (ChecksumKind::FullObject, _) => rehash(&reader, algorithm)?,
                    (ChecksumKind::Composite, _) => composite(algorithm, parts.iter().map(|part| &part.checksums)),
                };
                let checksums = Checksums(checksum.map(|value| (algorithm, value)).into_iter().collect());
                check_declared(&declared, &checksums)?;
                let object = NewObject {
                    etag: multipart_etag(parts.iter().map(|part| part.md5.as_str())),
                    checksums,
                    checksum_kind: kind,
                    crc32,
                    attributes: upload.attributes.clone(),
                    tags: upload.tags.clone(),
                    parts: parts
                        .into_iter()
                        .map(|part| PartRecord { number: part.number, size: part.size, checksums: part.checksums })
                        .collect(),
                };
                store.publish(&input.bucket, &input.key, &scratch, object, &condition)
            })?;
            let mut output = CompleteMultipartUploadOutput {
                location: Some(format!("/{}/{}", input.bucket, input.key)),
                bucket: Some(input.bucket.clone()),
                key: Some(input.key.clone()),
                ..Default::default()
            };
            put_entity!(output, &record);
            put_encryption!(output, &record.attributes);
            Ok(S3Response::new(output))
        })
        .await
    }
}

/// Returns the parts that the request names, after comparing them with the uploaded ones.
fn choose(upload: &Upload, arrived: Vec<UploadedPart>, named: &[CompletedPart]) -> S3Result<Vec<UploadedPart>> {
    if named.is_empty() {
        return refuse(S3ErrorCode::MalformedXML, "You must specify at least one part");
    }
    let numbers: Vec<i32> = named.iter().map(|part| part.part_number.unwrap_or(0)).collect();
    if !numbers.is_sorted_by(|a, b| a < b) {
        let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return refuse(S3ErrorCode::InvalidPartOrder, message);
    }
    let mut arrived = arrived.into_iter().peekable();
    let mut chosen = Vec::with_capacity(named.len());
    for (part, number) in named.iter().zip(&numbers) {
        while arrived.peek().is_some_and(|arrived| arrived.number < *number) {
            arrived.next();
        }
        let stored = arrived.next_if(|arrived| arrived.number == *number);
        let stored = stored.filter(|stored| part.e_tag.as_ref().is_some_and(|etag| etag.value() == stored.md5));
        let named_checksums = take_checksums!(part);
        let Some(stored) = stored.filter(|stored| agrees(&named_checksums, &stored.checksums)) else {
            let message = format!(
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
                 specified entity tag may not match the part's entity tag: part {number}"
            );
            return refuse(S3ErrorCode::InvalidPart, message);
        };
        if let (Some(ChecksumKind::Composite), Some(algorithm)) = (upload.checksum_kind, upload.algorithm)
            && named_checksums.get(algorithm).is_none()
        {
            let name = algorithm.name().to_lowercase();
            let message = format!(
                "The upload was created using a {name} checksum. The complete request must include the checksum for \
                 each part. It was missing for part {number} in the request."
            );
            return refuse(S3ErrorCode::InvalidRequest, message);
        }
        chosen.push(stored);
    }
    let all_but_last = chosen.split_last().map(|(_, parts)| parts).unwrap_or_default();
    if let Some(small) = all_but_last.iter().find(|part| part.size < PART_MIN) {
        let message = format!(
            "Your proposed upload is smaller than the minimum allowed size: part {} has {} bytes, and all but the last \
             need {PART_MIN}",
            small.number, small.size
        );
        return refuse(S3ErrorCode::EntityTooSmall, message);
    }
    Ok(chosen)
}

/// Returns whether the checksums of a request agree with those of the part. Checksums that were not computed are
/// ignored.
fn agrees(named: &Checksums, stored: &Checksums) -> bool {
    named.0.iter().all(|(algorithm, value)| stored.0.get(algorithm).is_none_or(|stored| stored == value))
}

/// Checks that the request names the same kind of checksum as the upload.
fn check_kind(upload: &Upload, named: Option<&ChecksumType>) -> S3Result<()> {
    let (Some(named), Some(kind)) = (named, upload.checksum_kind) else { return Ok(()) };
    if named.as_str() == kind.name() {
        return Ok(());
    }
    let message = format!(
        "The upload was created using the {} checksum mode. The complete request must use it too.",
        kind.name()
    );
    refuse(S3ErrorCode::InvalidRequest, message)
}

/// Compares the checksums that the request declares. A composite one may omit the number of parts.
fn check_declared(declared: &Checksums, computed: &Checksums) -> S3Result<()> {
    for (algorithm, declared) in &declared.0 {
        let computed = computed.0.get(algorithm).map(String::as_str).unwrap_or_default();
        let digest = computed.split_once('-').map_or(computed, |(digest, _)| digest);
        if declared != computed && declared != digest {
            return Err(bad_digest(*algorithm));
        }
    }
    Ok(())
}

/// Hashes the whole file, for a checksum that cannot be combined from those of the parts.
fn rehash(file: &File, algorithm: Algorithm) -> S3Result<Option<String>> {
    io::Seek::rewind(&mut &*file).at("an upload".as_ref())?;
    let digests = hash(file, WantedAlgorithms::of([algorithm])).at("an upload".as_ref())?;
    Ok(digests.checksums.get(algorithm))
}
