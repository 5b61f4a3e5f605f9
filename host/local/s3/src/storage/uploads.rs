//! Multipart uploads, in the hidden folder: one directory each, with a file and a record for every part.
//!
//! As on S3, they outlive the process until they are completed or aborted. The kernel concatenates the parts
//! (`copy_file_range`, which shares blocks if the file system can), so their bytes are not read into memory.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use s3s::{S3ErrorCode, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::locks::Locks;
use super::record::{Attributes, ChecksumKind};
use super::scratch::Scratch;
use super::tree::found;
use crate::digest::{Algorithm, Checksums, Digests};
use crate::error::{AtPath, refuse};

/// The smallest size of a part that is not the last, in bytes.
pub const PART_MIN: u64 = 5 * 1024 * 1024;
/// The highest part number.
pub const PART_NUMBER_MAX: i32 = 10_000;

const UPLOAD: &str = "upload.json";

/// A multipart upload in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Upload {
    pub id: String,
    pub bucket: String,
    pub key: String,
    pub attributes: Attributes,
    pub tags: Vec<(String, String)>,
    pub algorithm: Option<Algorithm>,
    pub checksum_kind: Option<ChecksumKind>,
    pub initiated: SystemTime,
}

/// An uploaded part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct UploadedPart {
    pub number: i32,
    pub size: u64,
    /// In hexadecimal; also the entity tag.
    pub md5: String,
    pub crc32: u32,
    pub checksums: Checksums,
    pub modified: SystemTime,
    /// The name of its file. Every upload of a part has a new file, so that one rename of the record replaces the part.
    file: String,
}

/// All uploads that are neither completed nor aborted.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    locks: Locks,
}

impl Uploads {
    /// Opens the uploads in a folder.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, locks: Locks::new() })
    }

    /// Begins an upload and gives it an id.
    pub fn begin(&self, mut upload: Upload) -> S3Result<Upload> {
        upload.id = uuid::Uuid::new_v4().simple().to_string();
        let folder = self.folder.join(&upload.id);
        fs::create_dir(&folder).at(&folder)?;
        write_json(&folder.join(UPLOAD), &upload).at(&folder)?;
        Ok(upload)
    }

    /// Returns an upload.
    ///
    /// # Errors
    /// `NoSuchUpload`, also if the upload is for another key.
    pub fn get(&self, id: &str, bucket: &str, key: &str) -> S3Result<Upload> {
        let upload = self.load(id)?.filter(|upload| upload.bucket == bucket && upload.key == key);
        upload.ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist: {id}"))
    }

    fn load(&self, id: &str) -> S3Result<Option<Upload>> {
        // Only ids in the form of `begin`: any other text could be a path.
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
            return Ok(None);
        }
        let path = self.folder.join(id).join(UPLOAD);
        let text = found(fs::read(&path)).at(&path)?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Adds a finished file as a part. Replaces an earlier part of this number.
    pub fn add_part(&self, upload: &Upload, number: i32, file: &Scratch, digests: Digests) -> S3Result<UploadedPart> {
        let part = UploadedPart {
            number,
            size: digests.size,
            md5: digests.md5,
            crc32: digests.crc32,
            checksums: digests.checksums,
            modified: SystemTime::now(),
            file: format!("{}.part", uuid::Uuid::new_v4().simple()),
        };
        let folder = self.folder.join(&upload.id);
        let _writing = self.locks.write("", &upload.id);
        self.get(&upload.id, &upload.bucket, &upload.key)?;
        let record = folder.join(format!("{number:05}.json"));
        let replaced = read_part(&record).at(&record)?;
        fs::rename(&file.path, folder.join(&part.file)).at(&folder)?;
        write_json(&record, &part).at(&record)?;
        if let Some(replaced) = replaced {
            found(fs::remove_file(folder.join(replaced.file))).at(&folder)?;
        }
        Ok(part)
    }

    /// Returns the uploaded parts, sorted by number.
    pub fn parts(&self, upload: &Upload) -> S3Result<Vec<UploadedPart>> {
        let folder = self.folder.join(&upload.id);
        let mut parts = Vec::new();
        for entry in found(fs::read_dir(&folder)).at(&folder)?.into_iter().flatten() {
            let path = entry.at(&folder)?.path();
            let is_part = path.extension().is_some_and(|extension| extension == "json") && !path.ends_with(UPLOAD);
            if is_part {
                parts.extend(read_part(&path).at(&path)?);
            }
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    /// Appends the parts that `choose` selects to a file, calls `done`, and removes the upload if that succeeds. The
    /// upload is locked meanwhile.
    pub fn complete<T>(
        &self,
        upload: &Upload,
        choose: impl FnOnce(Vec<UploadedPart>) -> S3Result<Vec<UploadedPart>>,
        target: &mut File,
        done: impl FnOnce(Vec<UploadedPart>) -> S3Result<T>,
    ) -> S3Result<T> {
        let folder = self.folder.join(&upload.id);
        let _writing = self.locks.write("", &upload.id);
        self.get(&upload.id, &upload.bucket, &upload.key)?;
        let parts = choose(self.parts(upload)?)?;
        for part in &parts {
            let path = folder.join(&part.file);
            let copied = File::open(&path).and_then(|mut file| io::copy(&mut file, target)).at(&path)?;
            if copied != part.size {
                let number = part.number;
                return refuse(S3ErrorCode::InternalError, format!("part {number} of {} is damaged", upload.key));
            }
        }
        let result = done(parts)?;
        self.discard(&upload.id)?;
        Ok(result)
    }

    /// Aborts an upload.
    ///
    /// # Errors
    /// `NoSuchUpload`.
    pub fn abort(&self, id: &str, bucket: &str, key: &str) -> S3Result<()> {
        let upload = self.get(id, bucket, key)?;
        let _writing = self.locks.write("", &upload.id);
        self.discard(&upload.id)
    }

    /// Aborts all uploads for which `chosen` returns true.
    pub fn abort_where(&self, chosen: impl Fn(&Upload) -> bool) -> S3Result<()> {
        for upload in self.all()?.iter().filter(|upload| chosen(upload)) {
            let _writing = self.locks.write("", &upload.id);
            self.discard(&upload.id)?;
        }
        Ok(())
    }

    /// Returns all uploads, sorted by key and then by their start.
    pub fn all(&self) -> S3Result<Vec<Upload>> {
        let mut uploads = Vec::new();
        for entry in fs::read_dir(&self.folder).at(&self.folder)? {
            let name = entry.at(&self.folder)?.file_name();
            if let Some(id) = name.to_str() {
                uploads.extend(self.load(id)?);
            }
        }
        uploads.sort_by(|a, b| (&a.key, a.initiated, &a.id).cmp(&(&b.key, b.initiated, &b.id)));
        Ok(uploads)
    }

    fn discard(&self, id: &str) -> S3Result<()> {
        let folder = self.folder.join(id);
        // The record first: from here on the upload does not exist, even if the process ends before the rest is
        // removed.
        found(fs::remove_file(folder.join(UPLOAD))).at(&folder)?;
        found(fs::remove_dir_all(&folder)).at(&folder).map(drop)
    }
}

fn read_part(path: &Path) -> io::Result<Option<UploadedPart>> {
    Ok(found(fs::read(path))?.and_then(|text| serde_json::from_slice(&text).ok()))
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let scratch = path.with_extension("new");
    fs::write(&scratch, serde_json::to_vec(value)?)?;
    fs::rename(scratch, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn upload(key: &str) -> Upload {
        Upload {
            id: String::new(),
            bucket: "media".to_owned(),
            key: key.to_owned(),
            attributes: Attributes::default(),
            tags: Vec::new(),
            algorithm: None,
            checksum_kind: None,
            initiated: SystemTime::now(),
        }
    }

    fn add(uploads: &Uploads, upload: &Upload, number: i32, bytes: &[u8]) -> UploadedPart {
        let file = Scratch { path: uploads.folder.join("incoming") };
        fs::write(&file.path, bytes).unwrap();
        let digests = crate::digest::hash(bytes, crate::digest::WantedAlgorithms::default()).unwrap();
        uploads.add_part(upload, number, &file, digests).unwrap()
    }

    #[test]
    fn a_part_replaces_the_earlier_one_of_its_number_and_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().to_owned()).unwrap();
        let upload = uploads.begin(upload("a")).unwrap();
        add(&uploads, &upload, 2, b"second");
        add(&uploads, &upload, 1, b"old");
        add(&uploads, &upload, 1, b"new");
        let sizes: Vec<_> = uploads.parts(&upload).unwrap().iter().map(|part| (part.number, part.size)).collect();
        assert_eq!(sizes, [(1, 3), (2, 6)]);
        assert_eq!(
            fs::read_dir(folder.path().join(&upload.id)).unwrap().count(),
            5,
            "two files, two records, the upload"
        );

        let mut target = tempfile::tempfile().unwrap();
        uploads.complete(&upload, Ok, &mut target, |_| Ok(())).unwrap();
        io::Seek::rewind(&mut target).unwrap();
        assert_eq!(io::read_to_string(target).unwrap(), "newsecond");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of a completed upload");
    }

    #[test]
    fn an_upload_that_could_not_be_completed_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().to_owned()).unwrap();
        let upload = uploads.begin(upload("a")).unwrap();
        add(&uploads, &upload, 1, b"bytes");
        let mut target = tempfile::tempfile().unwrap();
        let failed: S3Result<()> =
            uploads.complete(&upload, Ok, &mut target, |_| refuse(S3ErrorCode::PreconditionFailed, "no"));
        assert!(failed.is_err());
        assert_eq!(uploads.parts(&upload).unwrap().len(), 1);
        // Also in the next process.
        assert_eq!(Uploads::open(folder.path().to_owned()).unwrap().all().unwrap(), [upload]);
    }

    #[test]
    fn an_unknown_id_is_refused_and_never_used_as_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().join("uploads")).unwrap();
        fs::write(folder.path().join(UPLOAD), serde_json::to_vec(&upload("a")).unwrap()).unwrap();
        for id in ["..", "", ".", "../uploads", &"0".repeat(32), &"A".repeat(32)] {
            assert_eq!(uploads.get(id, "media", "a").unwrap_err().code(), &S3ErrorCode::NoSuchUpload, "{id}");
        }
        let real = uploads.begin(upload("a")).unwrap();
        assert!(uploads.get(&real.id, "media", "a").is_ok());
        assert!(uploads.get(&real.id, "media", "b").is_err());
        assert!(uploads.get(&real.id, "other", "a").is_err());
    }
}
