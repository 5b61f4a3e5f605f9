//! Whole objects: put, get, head, attributes, delete.

use std::ops;

use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::{Api, tags};
use crate::body::{FileStream, blocking, receive};
use crate::chunked::Trailers;
use crate::condition::ReadCondition;
use crate::digest::{Algorithm, Checksums, Digests, Wanted, content_md5, put_checksums, take_checksums};
use crate::failure::{refuse, unnamed};
use crate::front::PayloadSha256;
use crate::record::{Attributes, ChecksumKind, Record};
use crate::store::{NewObject, Opened, WriteCondition};

/// The headers of a request which are stored with its object.
macro_rules! attributes {
    ($input:expr) => {
        $crate::record::Attributes {
            content_type: Some(
                $input.content_type.as_ref().map_or("binary/octet-stream".to_owned(), ToString::to_string),
            ),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $crate::api::objects::stored_encoding($input.content_encoding.as_deref()),
            content_language: $input.content_language.clone(),
            expires: $input.expires.clone().map(|expires| time::OffsetDateTime::from(expires).unix_timestamp()),
            website_redirect: $input.website_redirect_location.clone(),
            storage_class: $input.storage_class.as_ref().map(|class| class.as_str().to_owned()),
            encryption: $input.server_side_encryption.as_ref().map(|kind| kind.as_str().to_owned()),
            kms_key_id: $input.ssekms_key_id.clone(),
            bucket_key: $input.bucket_key_enabled,
            user: $input.metadata.clone().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use attributes;

/// Echoes the encryption headers, as S3 does on everything that it writes or reads.
macro_rules! put_encryption {
    ($output:expr, $attributes:expr) => {{
        let attributes: &$crate::record::Attributes = $attributes;
        let kind = attributes.encryption.clone().unwrap_or_else(|| ServerSideEncryption::AES256.to_owned());
        $output.server_side_encryption = Some(ServerSideEncryption::from(kind));
        $output.ssekms_key_id = attributes.kms_key_id.clone();
        $output.bucket_key_enabled = attributes.bucket_key;
    }};
}
pub(super) use put_encryption;

/// Refuses keys that the customer keeps: nothing is encrypted here, and saying otherwise would be worse than saying no.
macro_rules! refuse_customer_key {
    ($input:expr) => {
        if $input.sse_customer_key.is_some() || $input.sse_customer_algorithm.is_some() {
            return $crate::failure::refuse(
                s3s::S3ErrorCode::NotImplemented,
                "Encryption with customer-provided keys is not implemented; use aws:kms or AES256",
            );
        }
    };
}
pub(super) use refuse_customer_key;

/// What GetObject and HeadObject are asked for, which have the same fields in types of their own.
macro_rules! asked {
    ($input:expr) => {{
        check_version($input.version_id.as_deref())?;
        refuse_customer_key!($input);
        Asked {
            range: $input.range,
            part: $input.part_number,
            checksums: $input.checksum_mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED),
            condition: ReadCondition {
                if_match: $input.if_match,
                if_none_match: $input.if_none_match,
                if_modified_since: $input.if_modified_since,
                if_unmodified_since: $input.if_unmodified_since,
            },
        }
    }};
}

/// What a request says about the bytes in its body.
pub struct Declared {
    fields: Checksums,
    trailers: Option<TrailersOf>,
    trailer_names: Vec<Algorithm>,
    payload_sha256: Option<String>,
    md5: Option<String>,
}

/// Trailers are known after the body, from whichever decoder read it.
enum TrailersOf {
    Own(Trailers),
    Protocol(s3s::TrailingHeaders),
}

impl Declared {
    /// From the request's headers, before its body is read.
    pub fn new<T>(request: &S3Request<T>, fields: Checksums, md5: Option<&str>) -> S3Result<Self> {
        fields.check_form()?;
        let names = request.headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        let names: Vec<String> =
            names.flat_map(|names| names.split(',')).map(|name| name.trim().to_lowercase()).collect();
        let trailer_names = Algorithm::HEADERS.iter().filter(|(_, header)| names.iter().any(|name| name == header));
        let own = request.extensions.get::<Trailers>().cloned().map(TrailersOf::Own);
        Ok(Self {
            fields,
            trailers: own.or_else(|| request.trailing_headers.clone().map(TrailersOf::Protocol)),
            trailer_names: trailer_names.map(|(algorithm, _)| *algorithm).collect(),
            payload_sha256: request.extensions.get::<PayloadSha256>().map(|sha256| sha256.0.clone()),
            md5: content_md5(md5)?,
        })
    }

    /// What must be computed to check it, and what else somebody wants to know.
    pub fn wanted(&self, others: impl IntoIterator<Item = Algorithm>) -> Wanted {
        let sha256 = self.payload_sha256.as_ref().map(|_| Algorithm::SHA256);
        Wanted::of(self.fields.0.keys().chain(&self.trailer_names).copied().chain(sha256).chain(others))
    }

    /// Checks the bytes that came, and gives the checksums that were declared for them.
    pub fn check(self, digests: &Digests) -> S3Result<Checksums> {
        let mut declared = self.fields;
        for (algorithm, header) in Algorithm::HEADERS {
            let trailer = match &self.trailers {
                Some(TrailersOf::Own(trailers)) => trailers.get(header),
                Some(TrailersOf::Protocol(trailers)) => trailers
                    .read(|trailers| trailers.get(header).and_then(|value| value.to_str().ok()).map(str::to_owned))
                    .flatten(),
                None => None,
            };
            if let Some(trailer) = trailer {
                declared.0.insert(algorithm, trailer);
            } else if self.trailer_names.contains(&algorithm) {
                return refuse(S3ErrorCode::InvalidRequest, format!("The announced trailer {header} did not come"));
            }
        }
        declared.check_form()?;
        if self.md5.is_some_and(|md5| md5 != digests.md5) {
            return refuse(S3ErrorCode::BadDigest, "The Content-MD5 you specified did not match what we received.");
        }
        declared.check_against(&digests.checksums)?;
        if let Some(sha256) = self.payload_sha256 {
            use base64::Engine;
            let computed = digests.checksums.get(Algorithm::SHA256).unwrap_or_default();
            let computed = base64::engine::general_purpose::STANDARD.decode(computed).map(hex::encode);
            if computed.ok() != Some(sha256) {
                let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                return Err(unnamed("XAmzContentSHA256Mismatch", hyper::StatusCode::BAD_REQUEST, message));
            }
        }
        Ok(declared)
    }
}

/// The entity tag of a request or an answer, which has quotes there.
pub fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// `aws-chunked` is how a body travelled, not what it is.
pub fn stored_encoding(header: Option<&str>) -> Option<String> {
    let kept: Vec<&str> =
        header?.split(',').map(str::trim).filter(|name| *name != "aws-chunked" && !name.is_empty()).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// The class that an object's request named, or S3's default.
pub fn storage_class(record: &Record) -> String {
    record.attributes.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned())
}

/// There is one version of everything here, whose id is `null` on S3 too.
pub fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => {
            refuse(S3ErrorCode::NoSuchVersion, "Versioning is not enabled here: only the current version exists")
        }
    }
}

/// Only the checksums of these algorithms, which `digests` must hold.
pub fn only(digests: &Checksums, algorithms: impl IntoIterator<Item = Algorithm>) -> Checksums {
    Checksums(algorithms.into_iter().filter_map(|algorithm| Some((algorithm, digests.get(algorithm)?))).collect())
}

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
        let tags = tags::from_header(input.tagging.as_deref())?;
        let attributes: Attributes = attributes!(input);
        let declared = Declared::new(&request, take_checksums!(input), input.content_md5.as_deref())?;
        let named = input.checksum_algorithm.as_ref().map(|name| Algorithm::named(name.as_str())).transpose()?;

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
        let object = NewObject {
            etag: digests.md5,
            checksums: only(&digests.checksums, algorithms),
            checksum_kind: ChecksumKind::FullObject,
            crc32: digests.crc32,
            attributes,
            tags,
            parts: Vec::new(),
        };
        let (store, input) = (self.store.clone(), request.input);
        let record = blocking(move || store.publish(&input.bucket, &input.key, &scratch, object, &condition)).await?;
        let mut output = PutObjectOutput {
            e_tag: Some(etag(&record.etag)),
            checksum_type: Some(ChecksumType::from_static(record.checksum_kind.name())),
            ..Default::default()
        };
        put_checksums!(output, &record.checksums);
        put_encryption!(output, &record.attributes);
        Ok(S3Response::new(output))
    }

    pub(super) async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let asked = asked!(input);
        let store = self.store.clone();
        let Opened { file, record } = blocking(move || store.read(&input.bucket, &input.key)).await?;
        let (mut output, range, partial) = asked.answer(record)?;
        if partial {
            output.content_range = Some(content_range(&range, &output));
        }
        output.content_length = i64::try_from(range.end - range.start).ok();
        output.body = Some(StreamingBlob::new(FileStream::new(file, range.start, range.end)));
        // `s3s` puts the overridden response headers (response-content-type, …) over these.
        Ok(S3Response::new(output))
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let asked = asked!(input);
        let store = self.store.clone();
        let record = blocking(move || store.describe(&input.bucket, &input.key)).await?;
        let (get, range, partial) = asked.answer(record)?;
        let content_range = partial.then(|| content_range(&range, &get));
        let mut response = S3Response::new(HeadObjectOutput {
            accept_ranges: get.accept_ranges,
            bucket_key_enabled: get.bucket_key_enabled,
            cache_control: get.cache_control,
            checksum_crc32: get.checksum_crc32,
            checksum_crc32c: get.checksum_crc32c,
            checksum_crc64nvme: get.checksum_crc64nvme,
            checksum_sha1: get.checksum_sha1,
            checksum_sha256: get.checksum_sha256,
            checksum_type: get.checksum_type,
            content_disposition: get.content_disposition,
            content_encoding: get.content_encoding,
            content_language: get.content_language,
            content_length: i64::try_from(range.end - range.start).ok(),
            content_range,
            content_type: get.content_type,
            e_tag: get.e_tag,
            expires: get.expires,
            last_modified: get.last_modified,
            metadata: get.metadata,
            parts_count: get.parts_count,
            ssekms_key_id: get.ssekms_key_id,
            server_side_encryption: get.server_side_encryption,
            storage_class: get.storage_class,
            website_redirect_location: get.website_redirect_location,
            ..Default::default()
        });
        response.status = partial.then_some(hyper::StatusCode::PARTIAL_CONTENT);
        Ok(response)
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
        // Some clients send one header for all of them.
        let names: Vec<&str> =
            input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).map(str::trim).collect();
        let asked = |name: &str| names.contains(&name);
        let checksum = asked(ObjectAttributes::CHECKSUM).then(|| {
            let mut checksum = Checksum {
                checksum_type: Some(ChecksumType::from_static(record.checksum_kind.name())),
                ..Default::default()
            };
            put_checksums!(checksum, &record.checksums);
            checksum
        });
        let in_parts = asked(ObjectAttributes::OBJECT_PARTS) && !record.parts.is_empty();
        Ok(S3Response::new(GetObjectAttributesOutput {
            checksum,
            e_tag: asked(ObjectAttributes::ETAG).then(|| etag(&record.etag)),
            last_modified: Some(record.stamp.modified_second().into()),
            object_parts: in_parts.then(|| parts_page(&record, input.part_number_marker, input.max_parts)),
            object_size: asked(ObjectAttributes::OBJECT_SIZE)
                .then(|| i64::try_from(record.stamp.size).unwrap_or(i64::MAX)),
            storage_class: asked(ObjectAttributes::STORAGE_CLASS).then(|| StorageClass::from(storage_class(&record))),
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
                let done = check_version(object.version_id.as_deref())
                    .and_then(|()| store.delete(&input.bucket, &object.key, &condition));
                match done {
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

/// What GetObject and HeadObject can ask for.
struct Asked {
    range: Option<Range>,
    part: Option<i32>,
    checksums: bool,
    condition: ReadCondition,
}

impl Asked {
    /// All headers, the bytes that are meant, and whether they are fewer than all.
    fn answer(self, record: Record) -> S3Result<(GetObjectOutput, ops::Range<u64>, bool)> {
        self.condition.check(&record)?;
        let size = record.stamp.size;
        let range = match (self.range, self.part) {
            (Some(_), Some(_)) => {
                return refuse(
                    S3ErrorCode::InvalidRequest,
                    "Cannot specify both Range header and partNumber query parameter",
                );
            }
            (Some(range), None) => Some(range.check(size).map_err(|_| not_satisfiable(size))?),
            (None, Some(part)) => part_range(&record, part)?,
            (None, None) => None,
        };
        let (partial, range) = (range.is_some(), range.unwrap_or(0..size));
        let attributes = record.attributes;
        let mut output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: attributes.cache_control.clone(),
            content_disposition: attributes.content_disposition.clone(),
            content_encoding: attributes.content_encoding.clone(),
            content_language: attributes.content_language.clone(),
            content_type: attributes.content_type.clone().and_then(|kind| kind.parse().ok()),
            e_tag: Some(etag(&record.etag)),
            expires: attributes
                .expires
                .and_then(|at| time::OffsetDateTime::from_unix_timestamp(at).ok())
                .map(Timestamp::from),
            last_modified: Some(record.stamp.modified_second().into()),
            metadata: Some(attributes.user.clone().into_iter().collect()),
            parts_count: self.part.and_then(|_| i32::try_from(record.parts.len()).ok()).filter(|count| *count > 0),
            storage_class: attributes
                .storage_class
                .clone()
                .filter(|class| class != StorageClass::STANDARD)
                .map(StorageClass::from),
            tag_count: i32::try_from(record.tags.len()).ok().filter(|count| *count > 0),
            website_redirect_location: attributes.website_redirect.clone(),
            // Set by the caller where the answer is partial; holds the object's size until then.
            content_length: i64::try_from(size).ok(),
            ..Default::default()
        };
        // A checksum of the whole says nothing about a range.
        if self.checksums && !partial {
            put_checksums!(output, &record.checksums);
            output.checksum_type = Some(ChecksumType::from_static(record.checksum_kind.name()));
        }
        put_encryption!(output, &attributes);
        Ok((output, range, partial))
    }
}

fn content_range(range: &ops::Range<u64>, whole: &GetObjectOutput) -> String {
    format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), whole.content_length.unwrap_or(0))
}

fn not_satisfiable(size: u64) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
    if let Ok(value) = format!("bytes */{size}").parse() {
        error.set_headers([(hyper::header::CONTENT_RANGE, value)].into_iter().collect());
    }
    error
}

/// Where a part lies. An object that was not uploaded in parts has one.
fn part_range(record: &Record, number: i32) -> S3Result<Option<ops::Range<u64>>> {
    if number == 1 && record.parts.is_empty() {
        return Ok(None);
    }
    let mut start = 0;
    for part in &record.parts {
        if part.number == number {
            return Ok(Some(start..start + part.size));
        }
        start += part.size;
    }
    let message = "The requested partnumber is not satisfiable";
    Err(unnamed("InvalidPartNumber", hyper::StatusCode::RANGE_NOT_SATISFIABLE, message))
}

fn parts_page(record: &Record, marker: Option<i32>, limit: Option<i32>) -> GetObjectAttributesParts {
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
