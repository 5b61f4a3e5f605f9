//! The properties of an object besides its bytes.
//!
//! A record is valid for a file of one size and modification time. A file that a person added or changed has no valid
//! record; its digests are computed once and stored.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use s3s::dto::ChecksumType;
use serde::{Deserialize, Serialize};

use crate::digest::{Checksums, Digests};

/// Headers that are stored with an object and returned with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Attributes {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    /// Seconds since 1970.
    pub expires: Option<i64>,
    pub website_redirect: Option<String>,
    pub storage_class: Option<String>,
    /// `AES256` or `aws:kms`. Nothing is encrypted: the headers are returned as S3 would return them.
    pub encryption: Option<String>,
    pub kms_key_id: Option<String>,
    pub bucket_key: Option<bool>,
    /// `x-amz-meta-…`, without that prefix.
    pub user: BTreeMap<String, String>,
}

/// Whether a checksum covers the bytes of the object or the checksums of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ChecksumKind {
    FullObject,
    Composite,
}

impl ChecksumKind {
    /// Returns the name in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    /// Returns the type of `s3s`.
    pub fn to_dto(self) -> ChecksumType {
        ChecksumType::from_static(self.name())
    }
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PartRecord {
    pub number: i32,
    pub size: u64,
    pub checksums: Checksums,
}

/// The properties of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ObjectRecord {
    /// The key. The name of the record's file is a digest, so this is how a person finds the object.
    pub key: String,
    pub stamp: Stamp,
    /// Without quotes.
    pub etag: String,
    pub checksums: Checksums,
    pub checksum_kind: ChecksumKind,
    /// The CRC-32 of all bytes, even if it is not one of `checksums`: a copy of the whole object need not read them
    /// again.
    pub crc32: u32,
    pub attributes: Attributes,
    pub tags: Vec<(String, String)>,
    /// Empty unless it was uploaded in parts.
    pub parts: Vec<PartRecord>,
}

/// The size and time of the file that a record is valid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

impl Stamp {
    /// Returns the stamp of a file.
    pub fn of(metadata: &Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Self { size: metadata.len(), modified }
    }

    /// Returns the modification time in whole seconds, as S3 does.
    pub fn modified_second(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.modified / 1_000_000_000).unwrap_or(0))
    }
}

impl ObjectRecord {
    /// Returns the record of a file that a person added to the folder.
    pub fn of_found_file(key: &str, stamp: Stamp, digests: Digests) -> Self {
        let content_type = Some(content_type_of(key).to_owned());
        Self {
            key: key.to_owned(),
            stamp,
            etag: digests.md5,
            checksums: Checksums::crc32(digests.crc32),
            checksum_kind: ChecksumKind::FullObject,
            crc32: digests.crc32,
            attributes: Attributes { content_type, ..Attributes::default() },
            tags: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Returns whether the entity tag is the MD5 of the bytes.
    pub fn etag_is_md5(&self) -> bool {
        !self.etag.contains('-')
    }
}

/// Returns the content type of a file by its extension; S3's default if the extension is unknown.
fn content_type_of(key: &str) -> &'static str {
    let extension = key.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("heic") => "image/heic",
        Some("heif") => "image/heif",
        Some("webp") => "image/webp",
        Some("gif") => "image/gif",
        Some("tif" | "tiff") => "image/tiff",
        Some("svg") => "image/svg+xml",
        Some("mp4" | "m4v") => "video/mp4",
        Some("mov") => "video/quicktime",
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("txt") => "text/plain",
        Some("html" | "htm") => "text/html",
        Some("csv") => "text/csv",
        _ => "binary/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_found_file_has_the_type_of_its_extension_and_the_crc32_of_its_bytes() {
        let digests = crate::digest::hash(&b"text"[..], crate::digest::WantedAlgorithms::default()).unwrap();
        let record = ObjectRecord::of_found_file("a/photo.JPG", Stamp { size: 4, modified: 0 }, digests);
        assert_eq!(record.attributes.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(record.crc32, crc32fast::hash(b"text"));
        assert!(record.etag_is_md5());
    }
}
