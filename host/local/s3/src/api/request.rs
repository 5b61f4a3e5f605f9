//! Checks and values that many requests have.

use s3s::dto::ChecksumAlgorithm;
use s3s::{S3ErrorCode, S3Result};

use crate::digest::Algorithm;
use crate::error::refuse;
use crate::storage::uploads::PART_NUMBER_MAX;

/// Returns the headers of a request that are stored with its object.
macro_rules! attributes {
    ($input:expr) => {
        $crate::storage::record::Attributes {
            content_type: Some(
                $input.content_type.as_ref().map_or("binary/octet-stream".to_owned(), ToString::to_string),
            ),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $crate::api::request::stored_encoding($input.content_encoding.as_deref()),
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

/// Refuses customer-provided keys: nothing is encrypted here, so accepting them would be misleading.
macro_rules! refuse_customer_key {
    ($input:expr) => {
        if $input.sse_customer_key.is_some() || $input.sse_customer_algorithm.is_some() {
            return $crate::error::refuse(
                s3s::S3ErrorCode::NotImplemented,
                "Encryption with customer-provided keys is not implemented; use aws:kms or AES256",
            );
        }
    };
}
pub(super) use refuse_customer_key;

/// Checks a version id. Every object has one version, whose id is `null`, as on S3.
pub fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => {
            refuse(S3ErrorCode::NoSuchVersion, "Versioning is not enabled here: only the current version exists")
        }
    }
}

/// Checks a part number: 1 to 10,000.
pub fn check_part_number(number: i32) -> S3Result<()> {
    if (1..=PART_NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    refuse(S3ErrorCode::InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive")
}

/// Returns the checksum algorithm that a request names.
pub fn checksum_algorithm(name: Option<&ChecksumAlgorithm>) -> S3Result<Option<Algorithm>> {
    name.map(|name| Algorithm::from_name(name.as_str())).transpose()
}

/// Returns the content encoding to store: without `aws-chunked`, which only describes the transfer.
pub fn stored_encoding(header: Option<&str>) -> Option<String> {
    let kept: Vec<&str> =
        header?.split(',').map(str::trim).filter(|name| *name != "aws-chunked" && !name.is_empty()).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}
