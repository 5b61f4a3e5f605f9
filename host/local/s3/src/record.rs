//! What is known of an object besides its bytes, kept in the hidden folder.
//!
//! A record holds for a file of exactly one size and modification time. A file that a person put or changed has none
//! that holds: its digests are computed once and kept like the others.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use s3s::crypto::{Checksum as _, Sha256};
use serde::{Deserialize, Serialize};

use crate::digest::{Checksums, Digests};
use crate::tree::found;

/// Headers that are stored with an object and given back with it.
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
    /// `AES256` or `aws:kms`. Nothing is encrypted: the headers are there so that a client sees what it will see on S3.
    pub encryption: Option<String>,
    pub kms_key_id: Option<String>,
    pub bucket_key: Option<bool>,
    /// `x-amz-meta-…`, without that prefix.
    pub user: BTreeMap<String, String>,
}

/// Whether a checksum is over the object's bytes or over its parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ChecksumKind {
    FullObject,
    Composite,
}

impl ChecksumKind {
    /// The name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// A part of an object that was uploaded in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PartOf {
    pub number: i32,
    pub size: u64,
    pub checksums: Checksums,
}

/// Everything about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Record {
    /// For people who look into the hidden folder; the file's name is a digest.
    pub key: String,
    pub stamp: Stamp,
    /// Without quotes.
    pub etag: String,
    pub checksums: Checksums,
    pub checksum_kind: ChecksumKind,
    /// Of all bytes, whether or not it is one of `checksums`: a copy of the whole needs no second look at them.
    pub crc32: u32,
    pub attributes: Attributes,
    pub tags: Vec<(String, String)>,
    /// Empty unless it was uploaded in parts.
    pub parts: Vec<PartOf>,
}

/// By which a record knows its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

impl Stamp {
    /// Of a file.
    pub fn of(metadata: &Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Self { size: metadata.len(), modified }
    }

    /// When the file was changed last, as S3 tells it: in whole seconds.
    pub fn modified_second(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.modified / 1_000_000_000).unwrap_or(0))
    }
}

impl Record {
    /// For a file that somebody put into the folder by hand.
    pub fn found(key: &str, stamp: Stamp, digests: Digests) -> Self {
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

    /// The entity tag is the MD5 of the bytes.
    pub fn etag_is_md5(&self) -> bool {
        !self.etag.contains('-')
    }
}

/// The records of all objects.
#[derive(Debug)]
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// In this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The record of an object if it holds for this file. One that cannot be read counts as none.
    pub fn load(&self, bucket: &str, key: &str, stamp: Stamp) -> io::Result<Option<Record>> {
        let Some(text) = found(fs::read(self.path(bucket, key)))? else { return Ok(None) };
        let record: Option<Record> = serde_json::from_slice(&text).ok();
        Ok(record.filter(|record| record.stamp == stamp && record.key == key))
    }

    /// Keeps a record. `scratch` is a new file's path on the same disk.
    pub fn save(&self, bucket: &str, record: &Record, scratch: &Path) -> io::Result<()> {
        let path = self.path(bucket, &record.key);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(scratch, serde_json::to_vec(record)?)?;
        fs::rename(scratch, path)
    }

    /// Forgets an object.
    pub fn remove(&self, bucket: &str, key: &str) -> io::Result<()> {
        found(fs::remove_file(self.path(bucket, key))).map(drop)
    }

    /// Forgets a bucket.
    pub fn remove_bucket(&self, bucket: &str) -> io::Result<()> {
        found(fs::remove_dir_all(self.folder.join(bucket))).map(drop)
    }

    fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.join(bucket).join(hex::encode(Sha256::checksum(key.as_bytes()))).with_extension("json")
    }
}

/// The type of a file that came without one, by its extension. What is not known gets S3's own default.
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

    fn record(stamp: Stamp) -> Record {
        let digests = crate::digest::hash(&b"text"[..], crate::digest::Wanted::default()).unwrap();
        Record::found("a/photo.JPG", stamp, digests)
    }

    #[test]
    fn a_record_holds_for_one_state_of_its_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::new(folder.path().join("meta"));
        let stamp = Stamp { size: 4, modified: 1_700_000_000_123_456_789 };
        let record = record(stamp);
        records.save("media", &record, &folder.path().join("scratch")).unwrap();

        assert_eq!(records.load("media", "a/photo.JPG", stamp).unwrap().unwrap(), record);
        assert!(records.load("media", "a/photo.JPG", Stamp { size: 5, ..stamp }).unwrap().is_none());
        assert!(records.load("media", "a/photo.JPG", Stamp { modified: 1, ..stamp }).unwrap().is_none());
        assert!(records.load("other", "a/photo.JPG", stamp).unwrap().is_none());
    }

    #[test]
    fn a_damaged_record_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::new(folder.path().to_owned());
        let path = records.path("media", "k");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{\"key\":").unwrap();
        assert!(records.load("media", "k", Stamp { size: 0, modified: 0 }).unwrap().is_none());
    }

    #[test]
    fn a_found_file_has_the_type_of_its_extension_and_the_crc32_of_its_bytes() {
        let record = record(Stamp { size: 4, modified: 0 });
        assert_eq!(record.attributes.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(record.crc32, crc32fast::hash(b"text"));
        assert!(record.etag_is_md5());
    }
}
