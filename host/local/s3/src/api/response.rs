//! From stored records to the fields of responses.

use s3s::dto::{ETag, StorageClass};

use crate::storage::record::ObjectRecord;

/// Writes the entity tag and the checksums of an object into a response.
macro_rules! put_entity {
    ($output:expr, $record:expr) => {{
        let record: &$crate::storage::record::ObjectRecord = $record;
        $output.e_tag = Some($crate::api::response::etag(&record.etag));
        $crate::api::response::put_object_checksums!($output, record);
    }};
}
pub(super) use put_entity;

/// Writes the checksums of an object and their kind into a response.
macro_rules! put_object_checksums {
    ($output:expr, $record:expr) => {{
        let record: &$crate::storage::record::ObjectRecord = $record;
        $output.checksum_type = Some(record.checksum_kind.to_dto());
        $crate::digest::put_checksums!($output, &record.checksums);
    }};
}
pub(super) use put_object_checksums;

/// Writes the encryption headers into a response, as S3 does for every write and read.
macro_rules! put_encryption {
    ($output:expr, $attributes:expr) => {{
        let attributes: &$crate::storage::record::Attributes = $attributes;
        let kind = attributes.encryption.clone().unwrap_or_else(|| s3s::dto::ServerSideEncryption::AES256.to_owned());
        $output.server_side_encryption = Some(s3s::dto::ServerSideEncryption::from(kind));
        $output.ssekms_key_id = attributes.kms_key_id.clone();
        $output.bucket_key_enabled = attributes.bucket_key;
    }};
}
pub(super) use put_encryption;

/// Returns an entity tag for a response, which is quoted there.
pub fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// Returns the storage class of an object; S3's default if its request named none.
pub fn storage_class(record: &ObjectRecord) -> String {
    record.attributes.storage_class.clone().unwrap_or_else(|| StorageClass::STANDARD.to_owned())
}
