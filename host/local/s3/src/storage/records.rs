//! The files of the records, in the hidden folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use s3s::crypto::{Checksum as _, Sha256};

use super::record::{ObjectRecord, Stamp};
use super::tree::found;

/// The records of all objects.
#[derive(Debug)]
pub struct ObjectRecords {
    folder: PathBuf,
}

impl ObjectRecords {
    /// Returns the records in a folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the record of an object, if it is valid for this file. A damaged record counts as missing.
    pub fn load(&self, bucket: &str, key: &str, stamp: Stamp) -> io::Result<Option<ObjectRecord>> {
        let Some(text) = found(fs::read(self.path(bucket, key)))? else { return Ok(None) };
        let record: Option<ObjectRecord> = serde_json::from_slice(&text).ok();
        Ok(record.filter(|record| record.stamp == stamp && record.key == key))
    }

    /// Stores a record. `scratch` is the path of a new file on the same disk.
    pub fn save(&self, bucket: &str, record: &ObjectRecord, scratch: &Path) -> io::Result<()> {
        let path = self.path(bucket, &record.key);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(scratch, serde_json::to_vec(record)?)?;
        fs::rename(scratch, path)
    }

    /// Removes the record of an object.
    pub fn remove(&self, bucket: &str, key: &str) -> io::Result<()> {
        found(fs::remove_file(self.path(bucket, key))).map(drop)
    }

    /// Removes the records of a bucket.
    pub fn remove_bucket(&self, bucket: &str) -> io::Result<()> {
        found(fs::remove_dir_all(self.folder.join(bucket))).map(drop)
    }

    fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.join(bucket).join(hex::encode(Sha256::checksum(key.as_bytes()))).with_extension("json")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(stamp: Stamp) -> ObjectRecord {
        let digests = crate::digest::hash(&b"text"[..], crate::digest::WantedAlgorithms::default()).unwrap();
        ObjectRecord::of_found_file("a/photo.JPG", stamp, digests)
    }

    #[test]
    fn a_record_is_valid_for_one_state_of_its_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let records = ObjectRecords::new(folder.path().join("meta"));
        let stamp = Stamp { size: 4, modified: 1_700_000_000_123_456_789 };
        let record = record(stamp);
        records.save("media", &record, &folder.path().join("scratch")).unwrap();

        assert_eq!(records.load("media", "a/photo.JPG", stamp).unwrap().unwrap(), record);
        assert!(records.load("media", "a/photo.JPG", Stamp { size: 5, ..stamp }).unwrap().is_none());
        assert!(records.load("media", "a/photo.JPG", Stamp { modified: 1, ..stamp }).unwrap().is_none());
        assert!(records.load("other", "a/photo.JPG", stamp).unwrap().is_none());
    }

    #[test]
    fn a_damaged_record_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let records = ObjectRecords::new(folder.path().to_owned());
        let path = records.path("media", "k");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{\"key\":").unwrap();
        assert!(records.load("media", "k", Stamp { size: 0, modified: 0 }).unwrap().is_none());
    }
}
