//! GetObject and HeadObject.

use std::ops;

use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use super::request::{check_version, refuse_customer_key};
use super::response::{etag, put_encryption, put_object_checksums};
use crate::error::{custom_error, refuse};
use crate::http::body::{FileStream, blocking};
use crate::storage::read_condition::ReadCondition;
use crate::storage::record::ObjectRecord;
use crate::storage::store::OpenObject;

/// Returns the [`ReadRequest`] of both operations, whose inputs are different types with the same fields.
macro_rules! read_request {
    ($input:expr) => {{
        check_version($input.version_id.as_deref())?;
        refuse_customer_key!($input);
        ReadRequest {
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

/// Returns the response of both operations, which are different types with the same fields.
macro_rules! read_response {
    ($output:ident, $selection:expr) => {{
        let selection: &Selection = $selection;
        let record = &selection.record;
        let attributes = &record.attributes;
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: attributes.cache_control.clone(),
            content_disposition: attributes.content_disposition.clone(),
            content_encoding: attributes.content_encoding.clone(),
            content_language: attributes.content_language.clone(),
            content_length: i64::try_from(selection.range.end - selection.range.start).ok(),
            content_range: selection.content_range(),
            content_type: attributes.content_type.clone().and_then(|kind| kind.parse().ok()),
            e_tag: Some(etag(&record.etag)),
            expires: attributes
                .expires
                .and_then(|at| time::OffsetDateTime::from_unix_timestamp(at).ok())
                .map(Timestamp::from),
            last_modified: Some(record.stamp.modified_second().into()),
            metadata: Some(attributes.user.clone().into_iter().collect()),
            parts_count: selection.parts_count,
            storage_class: attributes
                .storage_class
                .clone()
                .filter(|class| class != StorageClass::STANDARD)
                .map(StorageClass::from),
            website_redirect_location: attributes.website_redirect.clone(),
            ..Default::default()
        };
        if selection.checksums {
            put_object_checksums!(output, record);
        }
        put_encryption!(output, attributes);
        output
    }};
}

impl Api {
    pub(super) async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let read = read_request!(input);
        let store = self.store.clone();
        let OpenObject { file, record } = blocking(move || store.read(&input.bucket, &input.key)).await?;
        let selection = read.select(record)?;
        let mut output = read_response!(GetObjectOutput, &selection);
        output.tag_count = i32::try_from(selection.record.tags.len()).ok().filter(|count| *count > 0);
        output.body = Some(StreamingBlob::new(FileStream::new(file, selection.range.start, selection.range.end)));
        // `s3s` adds the overridden response headers (response-content-type, …).
        Ok(S3Response::new(output))
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let read = read_request!(input);
        let store = self.store.clone();
        let record = blocking(move || store.describe(&input.bucket, &input.key)).await?;
        let selection = read.select(record)?;
        Ok(S3Response::new(read_response!(HeadObjectOutput, &selection)))
    }
}

/// The parameters of GetObject and HeadObject.
struct ReadRequest {
    range: Option<Range>,
    part: Option<i32>,
    checksums: bool,
    condition: ReadCondition,
}

/// The bytes of an object that a request reads.
struct Selection {
    record: ObjectRecord,
    range: ops::Range<u64>,
    /// The request gave a range or a part.
    partial: bool,
    /// The response contains the checksums.
    checksums: bool,
    parts_count: Option<i32>,
}

impl ReadRequest {
    /// Checks the condition and finds the bytes to read.
    fn select(self, record: ObjectRecord) -> S3Result<Selection> {
        self.condition.check(&record)?;
        let size = record.stamp.size;
        let range = match (self.range, self.part) {
            (Some(_), Some(_)) => {
                return refuse(
                    S3ErrorCode::InvalidRequest,
                    "Cannot specify both Range header and partNumber query parameter",
                );
            }
            // `s3s` accepts the last bytes of an empty object, which S3 refuses like any range of it.
            (Some(_), None) if size == 0 => return Err(not_satisfiable(size)),
            (Some(range), None) => Some(range.check(size).map_err(|_| not_satisfiable(size))?),
            (None, Some(part)) => part_range(&record, part)?,
            (None, None) => None,
        };
        let partial = range.is_some();
        let parts_count = self.part.and_then(|_| i32::try_from(record.parts.len()).ok()).filter(|count| *count > 0);
        Ok(Selection {
            range: range.unwrap_or(0..size),
            partial,
            // The checksum of the whole object does not apply to a range.
            checksums: self.checksums && !partial,
            parts_count,
            record,
        })
    }
}

impl Selection {
    /// Returns the `Content-Range` header of a partial response.
    fn content_range(&self) -> Option<String> {
        let ops::Range { start, end } = self.range;
        self.partial.then(|| format!("bytes {start}-{}/{}", end.saturating_sub(1), self.record.stamp.size))
    }
}

/// Returns the error for a range outside of an object of this size.
fn not_satisfiable(size: u64) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
    if let Ok(value) = format!("bytes */{size}").parse() {
        error.set_headers([(hyper::header::CONTENT_RANGE, value)].into_iter().collect());
    }
    error
}

/// Returns the range of a part. An object without parts has one part, the whole object.
fn part_range(record: &ObjectRecord, number: i32) -> S3Result<Option<ops::Range<u64>>> {
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
    Err(custom_error("InvalidPartNumber", hyper::StatusCode::RANGE_NOT_SATISFIABLE, message))
}
