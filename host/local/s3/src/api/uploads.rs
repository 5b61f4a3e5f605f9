//! Multipart uploads except for their completion: create, upload parts, list, abort.

use std::time::SystemTime;

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use super::declared::DeclaredChecksums;
use super::paging::{KeyEncoding, limit};
use super::request::{attributes, check_part_number, checksum_algorithm, refuse_customer_key};
use super::response::{etag, put_encryption};
use super::tags::parse_tag_header;
use crate::digest::{Algorithm, content_md5, put_checksums, take_checksums};
use crate::error::refuse;
use crate::http::body::{blocking, receive};
use crate::storage::record::{Attributes, ChecksumKind};
use crate::storage::uploads::Upload;

impl Api {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        refuse_customer_key!(input);
        let attributes: Attributes = attributes!(input);
        let algorithm = checksum_algorithm(input.checksum_algorithm.as_ref())?;
        let upload = Upload {
            id: String::new(),
            bucket: input.bucket,
            key: input.key,
            attributes,
            tags: parse_tag_header(input.tagging.as_deref())?,
            algorithm,
            checksum_kind: checksum_kind(algorithm, input.checksum_type.as_ref())?,
            initiated: SystemTime::now(),
        };
        let upload = blocking(move || {
            store.bucket(&upload.bucket)?;
            store.uploads.begin(upload)
        })
        .await?;
        let mut output = CreateMultipartUploadOutput {
            bucket: Some(upload.bucket),
            checksum_algorithm: upload.algorithm.map(Algorithm::to_dto),
            checksum_type: upload.checksum_kind.map(ChecksumKind::to_dto),
            key: Some(upload.key),
            upload_id: Some(upload.id),
            ..Default::default()
        };
        put_encryption!(output, &upload.attributes);
        Ok(S3Response::new(output))
    }

    pub(super) async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let body = request.input.body.take();
        let input = &request.input;
        refuse_customer_key!(input);
        check_part_number(input.part_number)?;
        content_md5(input.content_md5.as_deref())?;
        let declared = DeclaredChecksums::new(&request, take_checksums!(input), input.content_md5.as_deref())?;
        let (store, id, bucket, key) =
            (self.store.clone(), input.upload_id.clone(), input.bucket.clone(), input.key.clone());
        let (upload, file, scratch) = blocking(move || {
            let upload = store.uploads.get(&id, &bucket, &key)?;
            let (file, scratch) = store.scratch()?;
            Ok((upload, file, scratch))
        })
        .await?;
        if let Some(expected) = upload.algorithm
            && let Some(actual) = declared.other_than(expected)
        {
            let (expected, actual) = (expected.name().to_lowercase(), actual.name().to_lowercase());
            return refuse(
                S3ErrorCode::InvalidRequest,
                format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: {actual}"
                ),
            );
        }
        let mut digests = receive(body, input.content_length, file, declared.wanted(upload.algorithm)).await?;
        let declared = declared.check(&digests)?;
        digests.checksums = digests.checksums.only(declared.0.into_keys().chain(upload.algorithm));
        let (store, number, attributes) = (self.store.clone(), input.part_number, upload.attributes.clone());
        let part = blocking(move || store.uploads.add_part(&upload, number, &scratch, digests)).await?;
        let mut output = UploadPartOutput { e_tag: Some(etag(&part.md5)), ..Default::default() };
        put_checksums!(output, &part.checksums);
        put_encryption!(output, &attributes);
        Ok(S3Response::new(output))
    }

    pub(super) async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        let limit = limit(input.max_parts)?;
        let marker = input.part_number_marker.unwrap_or(0);
        let (upload, parts) = blocking(move || {
            let upload = store.uploads.get(&input.upload_id, &input.bucket, &input.key)?;
            let parts = store.uploads.parts(&upload)?;
            Ok((upload, parts))
        })
        .await?;
        let mut after = parts.into_iter().filter(|part| part.number > marker);
        let shown: Vec<Part> = after
            .by_ref()
            .take(limit)
            .map(|part| {
                let mut shown = Part {
                    e_tag: Some(etag(&part.md5)),
                    last_modified: Some(part.modified.into()),
                    part_number: Some(part.number),
                    size: i64::try_from(part.size).ok(),
                    ..Default::default()
                };
                put_checksums!(shown, &part.checksums);
                shown
            })
            .collect();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(upload.bucket),
            checksum_algorithm: upload.algorithm.map(Algorithm::to_dto),
            checksum_type: upload.checksum_kind.map(ChecksumKind::to_dto),
            is_truncated: Some(after.next().is_some()),
            key: Some(upload.key),
            max_parts: i32::try_from(limit).ok(),
            next_part_number_marker: shown.last().and_then(|part| part.part_number),
            part_number_marker: Some(marker),
            parts: Some(shown),
            storage_class: Some(storage_class(&upload.attributes)),
            upload_id: Some(upload.id),
            ..Default::default()
        }))
    }

    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        if input.delimiter.as_deref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return refuse(
                S3ErrorCode::NotImplemented,
                "A delimiter of ListMultipartUploads is not implemented; use a prefix",
            );
        }
        let keys = KeyEncoding::new(input.encoding_type.as_ref())?;
        let limit = limit(input.max_uploads)?;
        let bucket = input.bucket.clone();
        let all = blocking(move || {
            store.bucket(&bucket)?;
            let mut uploads = store.uploads.all()?;
            uploads.retain(|upload| upload.bucket == bucket);
            Ok(uploads)
        })
        .await?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let key_marker = input.key_marker.clone().unwrap_or_default();
        // Uploads of one key are sorted by their start, which their ids do not give, so the position of the marker is
        // needed.
        let marker = input.upload_id_marker.as_ref().and_then(|id| all.iter().position(|upload| upload.id == *id));
        let mut after = all
            .into_iter()
            .enumerate()
            .filter(|(at, upload)| marker.map_or(upload.key > key_marker, |marker| *at > marker))
            .map(|(_, upload)| upload)
            .filter(|upload| upload.key.starts_with(&prefix));
        let page: Vec<Upload> = after.by_ref().take(limit).collect();
        let more = after.next().is_some();
        let last = page.last().filter(|_| more);
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(more),
            key_marker: Some(keys.encode(&key_marker)),
            max_uploads: i32::try_from(limit).ok(),
            next_key_marker: last.map(|upload| keys.encode(&upload.key)),
            next_upload_id_marker: last.map(|upload| upload.id.clone()),
            prefix: input.prefix.map(|prefix| keys.encode(&prefix)),
            upload_id_marker: input.upload_id_marker,
            encoding_type: input.encoding_type,
            uploads: Some(
                page.into_iter()
                    .map(|upload| MultipartUpload {
                        checksum_algorithm: upload.algorithm.map(Algorithm::to_dto),
                        checksum_type: upload.checksum_kind.map(ChecksumKind::to_dto),
                        initiated: Some(upload.initiated.into()),
                        key: Some(keys.encode(&upload.key)),
                        storage_class: Some(storage_class(&upload.attributes)),
                        upload_id: Some(upload.id),
                        ..Default::default()
                    })
                    .collect(),
            ),
            ..Default::default()
        }))
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        blocking(move || store.uploads.abort(&input.upload_id, &input.bucket, &input.key)).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// Returns the storage class that the completed object will have.
fn storage_class(attributes: &Attributes) -> StorageClass {
    let class = attributes.storage_class.clone();
    class.map_or(StorageClass::from_static(StorageClass::STANDARD), StorageClass::from)
}

/// Returns the kind of checksum of the completed object, by S3's table of algorithms and kinds.
fn checksum_kind(algorithm: Option<Algorithm>, requested: Option<&ChecksumType>) -> S3Result<Option<ChecksumKind>> {
    let requested = match requested.map(ChecksumType::as_str) {
        None => None,
        Some(ChecksumType::FULL_OBJECT) => Some(ChecksumKind::FullObject),
        Some(ChecksumType::COMPOSITE) => Some(ChecksumKind::Composite),
        Some(other) => return refuse(S3ErrorCode::InvalidRequest, format!("{other} is not a checksum type")),
    };
    match (algorithm, requested) {
        (None, None) => Ok(None),
        (None, Some(_)) => refuse(S3ErrorCode::InvalidRequest, "A checksum type needs a checksum algorithm"),
        (Some(Algorithm::SHA1 | Algorithm::SHA256), Some(ChecksumKind::FullObject)) => {
            refuse(S3ErrorCode::InvalidRequest, "The FULL_OBJECT checksum type cannot be used with SHA algorithms")
        }
        (Some(Algorithm::CRC64NVME), Some(ChecksumKind::Composite)) => refuse(
            S3ErrorCode::InvalidRequest,
            "The COMPOSITE checksum type cannot be used with the crc64nvme algorithm",
        ),
        (Some(Algorithm::CRC64NVME), None) => Ok(Some(ChecksumKind::FullObject)),
        (Some(_), None) => Ok(Some(ChecksumKind::Composite)),
        (Some(_), requested) => Ok(requested),
    }
}
