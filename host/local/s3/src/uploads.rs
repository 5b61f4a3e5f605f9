//! Uploads in parts, in the hidden folder: one directory each, with a file and a record for every part.
//!
//! They outlive the process, as on S3, until they are completed or aborted. Parts are put together by the kernel
//! (`copy_file_range`, which shares blocks where the file system can); none of their bytes is in memory for it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use s3s::{S3ErrorCode, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use crate::digest::{Algorithm, Checksums, Digests};
use crate::failure::{AtPath, refuse};
use crate::record::{Attributes, ChecksumKind};
use crate::store::{Locks, Scratch};
use crate::tree::found;

/// The smallest part that may be followed by another, in bytes.
pub const PART_MIN: u64 = 5 * 1024 * 1024;
/// The highest part number.
pub const PART_NUMBER_MAX: i32 = 10_000;

const UPLOAD: &str = "upload.json";

/// An upload that was begun.
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

/// A part that has arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Part {
    pub number: i32,
    pub size: u64,
    /// Also its entity tag.
    pub md5: String,
    pub crc32: u32,
    pub checksums: Checksums,
    pub modified: SystemTime,
    /// The name of its file. Each arrival has its own, so replacing a part is one rename of its record.
    file: String,
}

/// All uploads that are neither completed nor aborted.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    locks: Locks,
}

impl Uploads {
    /// Those in this folder.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, locks: Locks::new() })
    }

    /// Begins one. Its id is made here.
    pub fn begin(&self, mut upload: Upload) -> S3Result<Upload> {
        upload.id = uuid::Uuid::new_v4().simple().to_string();
        let folder = self.folder.join(&upload.id);
        fs::create_dir(&folder).at(&folder)?;
        write_json(&folder.join(UPLOAD), &upload).at(&folder)?;
        Ok(upload)
    }

    /// One upload, or `NoSuchUpload`, also when it is for another key.
    pub fn get(&self, id: &str, bucket: &str, key: &str) -> S3Result<Upload> {
        let upload = self.load(id)?.filter(|upload| upload.bucket == bucket && upload.key == key);
        upload.ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist: {id}"))
    }

    fn load(&self, id: &str) -> S3Result<Option<Upload>> {
        // Only what `begin` makes: anything else could be a path.
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
            return Ok(None);
        }
        let path = self.folder.join(id).join(UPLOAD);
        let text = found(fs::read(&path)).at(&path)?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Takes a finished file as a part, replacing an earlier one of that number.
    pub fn add_part(&self, upload: &Upload, number: i32, file: &Scratch, digests: Digests) -> S3Result<Part> {
        let part = Part {
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

    /// The parts that have arrived, by number.
    pub fn parts(&self, upload: &Upload) -> S3Result<Vec<Part>> {
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

    /// Appends parts to a file, then calls `done`; the upload is gone once that has succeeded. Nothing else happens to
    /// the upload meanwhile.
    pub fn complete<T>(
        &self,
        upload: &Upload,
        choose: impl FnOnce(Vec<Part>) -> S3Result<Vec<Part>>,
        target: &mut File,
        done: impl FnOnce(Vec<Part>) -> S3Result<T>,
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
                return refuse(S3ErrorCode::InternalError, format!("part {number} of {} was damaged", upload.key));
            }
        }
        let result = done(parts)?;
        self.discard(&upload.id)?;
        Ok(result)
    }

    /// Gives an upload up. `NoSuchUpload` if there is none.
    pub fn abort(&self, id: &str, bucket: &str, key: &str) -> S3Result<()> {
        let upload = self.get(id, bucket, key)?;
        let _writing = self.locks.write("", &upload.id);
        self.discard(&upload.id)
    }

    /// Gives up all that a caller chooses.
    pub fn abort_where(&self, chosen: impl Fn(&Upload) -> bool) -> S3Result<()> {
        for upload in self.all()?.iter().filter(|upload| chosen(upload)) {
            let _writing = self.locks.write("", &upload.id);
            self.discard(&upload.id)?;
        }
        Ok(())
    }

    /// All uploads, by key and, for one key, by their beginning.
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
        // Its record first: from here on it does not exist, even if the rest takes a moment or the process ends.
        found(fs::remove_file(folder.join(UPLOAD))).at(&folder)?;
        found(fs::remove_dir_all(&folder)).at(&folder).map(drop)
    }
}

fn read_part(path: &Path) -> io::Result<Option<Part>> {
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

    fn add(uploads: &Uploads, upload: &Upload, number: i32, bytes: &[u8]) -> Part {
        let file = Scratch { path: uploads.folder.join("incoming") };
        fs::write(&file.path, bytes).unwrap();
        let digests = crate::digest::hash(bytes, crate::digest::Wanted::default()).unwrap();
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
    fn an_upload_that_could_not_be_completed_is_still_there() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(folder.path().to_owned()).unwrap();
        let upload = uploads.begin(upload("a")).unwrap();
        add(&uploads, &upload, 1, b"bytes");
        let mut target = tempfile::tempfile().unwrap();
        let failed: S3Result<()> =
            uploads.complete(&upload, Ok, &mut target, |_| refuse(S3ErrorCode::PreconditionFailed, "no"));
        assert!(failed.is_err());
        assert_eq!(uploads.parts(&upload).unwrap().len(), 1);
        // And in the next process.
        assert_eq!(Uploads::open(folder.path().to_owned()).unwrap().all().unwrap(), [upload]);
    }

    #[test]
    fn an_id_that_was_not_given_out_is_no_upload_and_never_a_path() {
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
