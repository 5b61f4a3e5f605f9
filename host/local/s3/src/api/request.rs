//! Checks and values that many requests have.

use s3s::dto::ChecksumAlgorithm;
use s3s::{S3ErrorCode, S3Result};

use crate::digest::Algorithm;
use crate::error::refuse;
use crate::storage::record::Attributes;
use crate::storage::uploads::PART_NUMBER_MAX;

/// Returns the headers of a request that are stored with its object, or returns the error if S3 refuses them.
macro_rules! attributes {
    ($input:expr) => {
        $crate::api::request::check_attributes($crate::storage::record::Attributes {
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
        })?
    };
}
pub(super) use attributes;

/// The most bytes of all names and values of `x-amz-meta-…` together, without that prefix.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const USER_METADATA_MAX: usize = 2048;

/// The values of `x-amz-storage-class`, by S3's model.
const STORAGE_CLASSES: [&str; 12] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
];

/// The values of `x-amz-server-side-encryption` for a write.
const ENCRYPTIONS: [&str; 3] = ["AES256", "aws:kms", "aws:kms:dsse"];

/// Refuses headers that S3 would not store.
pub fn check_attributes(attributes: Attributes) -> S3Result<Attributes> {
    let user: usize = attributes.user.iter().map(|(name, value)| name.len() + value.len()).sum();
    if user > USER_METADATA_MAX {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return refuse(S3ErrorCode::MetadataTooLarge, message);
    }
    if attributes.storage_class.as_deref().is_some_and(|class| !STORAGE_CLASSES.contains(&class)) {
        return refuse(S3ErrorCode::InvalidStorageClass, "The storage class you specified is not valid");
    }
    if attributes.encryption.as_deref().is_some_and(|kind| !ENCRYPTIONS.contains(&kind)) {
        return refuse(S3ErrorCode::InvalidArgument, "The encryption method specified is not supported");
    }
    Ok(attributes)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_s3_would_not_store_are_refused() {
        let with_metadata = |bytes: usize| Attributes {
            user: [("ab".to_owned(), "x".repeat(bytes))].into_iter().collect(),
            ..Attributes::default()
        };
        assert!(check_attributes(with_metadata(2046)).is_ok());
        let class = |class: &str| Attributes { storage_class: Some(class.to_owned()), ..Attributes::default() };
        assert!(check_attributes(class("GLACIER_IR")).is_ok());
        let encryption = |kind: &str| Attributes { encryption: Some(kind.to_owned()), ..Attributes::default() };
        assert!(check_attributes(encryption("aws:kms")).is_ok());
        for (attributes, code) in [
            (with_metadata(2047), S3ErrorCode::MetadataTooLarge),
            (class("COLD"), S3ErrorCode::InvalidStorageClass),
            (encryption("rot13"), S3ErrorCode::InvalidArgument),
        ] {
            assert_eq!(check_attributes(attributes).map_err(|error| error.code().clone()), Err(code));
        }
    }
}
