//! Writing and deleting objects, and their attributes.

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use super::declared::DeclaredChecksums;
use super::request::{attributes, check_version, checksum_algorithm, refuse_customer_key};
use super::response::{etag, put_encryption, put_entity, put_object_checksums, storage_class};
use super::tags::parse_tag_header;
use crate::digest::{Algorithm, put_checksums, take_checksums};
use crate::error::refuse;
use crate::http::body::{blocking, receive};
use crate::storage::record::{Attributes, ObjectRecord};
use crate::storage::store::NewObject;
use crate::storage::write_condition::WriteCondition;

impl Api {
    pub(super) async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let body = request.input.body.take();
        let input = &request.input;
        refuse_customer_key!(input);
        if input.write_offset_bytes.is_some() {
            return refuse(S3ErrorCode::NotImplemented, "Appending to an object is not implemented");
        }
        let condition = WriteCondition::new(input.if_match.clone(), input.if_none_match.clone())?;
        let tags = parse_tag_header(input.tagging.as_deref())?;
        let attributes: Attributes = attributes!(input);
        let declared = DeclaredChecksums::new(&request, take_checksums!(input), input.content_md5.as_deref())?;
        let named = checksum_algorithm(input.checksum_algorithm.as_ref())?;

        let (store, bucket, key) = (self.store.clone(), input.bucket.clone(), input.key.clone());
        let (early, wanted) = (condition.clone(), declared.wanted(named));
        let (file, scratch) = blocking(move || {
            store.check(&bucket, &key, &early)?;
            store.scratch()
        })
        .await?;
        let digests = receive(body, input.content_length, file, wanted).await?;
        let declared = declared.check(&digests)?;

        let mut algorithms: Vec<Algorithm> = declared.0.keys().copied().chain(named).collect();
        if algorithms.is_empty() {
            algorithms.push(Algorithm::CRC32);
        }
        let object = NewObject::whole(digests, algorithms, attributes, tags);
        let (store, input) = (self.store.clone(), request.input);
        let record = blocking(move || store.publish(&input.bucket, &input.key, &scratch, object, &condition)).await?;
        let mut output = PutObjectOutput::default();
        put_entity!(output, &record);
        put_encryption!(output, &record.attributes);
        Ok(S3Response::new(output))
    }

    pub(super) async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        check_version(input.version_id.as_deref())?;
        refuse_customer_key!(input);
        let (bucket, key) = (input.bucket, input.key);
        let record = blocking(move || store.describe(&bucket, &key)).await?;
        // Some clients send all names in one header.
        let names: Vec<&str> =
            input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).map(str::trim).collect();
        let wanted = |name: &str| names.contains(&name);
        let checksum = wanted(ObjectAttributes::CHECKSUM).then(|| {
            let mut checksum = Checksum::default();
            put_object_checksums!(checksum, &record);
            checksum
        });
        let in_parts = wanted(ObjectAttributes::OBJECT_PARTS) && !record.parts.is_empty();
        Ok(S3Response::new(GetObjectAttributesOutput {
            checksum,
            e_tag: wanted(ObjectAttributes::ETAG).then(|| etag(&record.etag)),
            last_modified: Some(record.stamp.modified_second().into()),
            object_parts: in_parts.then(|| parts_page(&record, input.part_number_marker, input.max_parts)),
            object_size: wanted(ObjectAttributes::OBJECT_SIZE)
                .then(|| i64::try_from(record.stamp.size).unwrap_or(i64::MAX)),
            storage_class: wanted(ObjectAttributes::STORAGE_CLASS).then(|| StorageClass::from(storage_class(&record))),
            ..Default::default()
        }))
    }

    pub(super) async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        check_version(input.version_id.as_deref())?;
        let condition = WriteCondition::new(input.if_match, None)?;
        blocking(move || store.delete(&input.bucket, &input.key, &condition)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(super) async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
            return refuse(S3ErrorCode::MalformedXML, "A request deletes between 1 and 1000 objects");
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        blocking(move || {
            store.bucket(&input.bucket)?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for object in input.delete.objects {
                let condition = WriteCondition { if_match: object.e_tag.map(ETagCondition::ETag), if_absent: false };
                let result = check_version(object.version_id.as_deref())
                    .and_then(|()| store.delete(&input.bucket, &object.key, &condition));
                match result {
                    Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..Default::default() }),
                    Err(error) => errors.push(Error {
                        code: Some(error.code().as_str().to_owned()),
                        key: Some(object.key),
                        message: error.message().map(str::to_owned),
                        version_id: object.version_id,
                    }),
                }
            }
            Ok(S3Response::new(DeleteObjectsOutput {
                deleted: (!quiet).then_some(deleted),
                errors: Some(errors).filter(|errors| !errors.is_empty()),
                request_charged: None,
            }))
        })
        .await
    }
}

/// Returns a page of the parts of an object.
fn parts_page(record: &ObjectRecord, marker: Option<i32>, limit: Option<i32>) -> GetObjectAttributesParts {
    let (marker, limit) = (marker.unwrap_or(0), limit.unwrap_or(1000).clamp(0, 1000));
    let mut after = record.parts.iter().filter(|part| part.number > marker);
    let parts: Vec<ObjectPart> = after
        .by_ref()
        .take(usize::try_from(limit).unwrap_or(0))
        .map(|part| {
            let mut shown = ObjectPart {
                part_number: Some(part.number),
                size: i64::try_from(part.size).ok(),
                ..Default::default()
            };
            put_checksums!(shown, &part.checksums);
            shown
        })
        .collect();
    GetObjectAttributesParts {
        is_truncated: Some(after.next().is_some()),
        max_parts: Some(limit),
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        part_number_marker: Some(marker),
        total_parts_count: i32::try_from(record.parts.len()).ok(),
        parts: Some(parts),
    }
}
