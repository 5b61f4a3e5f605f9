//! Objects: one file and one record each, changed together.
//!
//! A lock per key makes the check of a condition and the replacement one step: conditional writes are atomic, and no
//! reader gets the bytes of one version with the entity tag of another. Bytes are never written under a lock: a body is
//! first written to a file in the hidden folder, which is then renamed into place.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use s3s::{S3ErrorCode, S3Result, s3_error};

use super::locks::Locks;
use super::record::{Attributes, ChecksumKind, ObjectRecord, PartRecord, Stamp};
use super::records::ObjectRecords;
use super::scratch::Scratch;
use super::tree::{Tree, found};
use super::uploads::Uploads;
use super::write_condition::WriteCondition;
use crate::digest::{Algorithm, Checksums, Digests, WantedAlgorithms, hash};
use crate::error::{AtPath, FolderError, refuse};

/// The folder in the root for everything but objects. The name of a bucket cannot begin with a dot.
const HIDDEN: &str = ".stagehost";

/// Buckets and objects in a folder.
#[derive(Debug)]
pub struct ObjectStore {
    pub tree: Tree,
    pub uploads: Uploads,
    records: ObjectRecords,
    scratch: PathBuf,
    keys: Locks,
    /// Locked while a file that a person added is hashed, so that it is hashed once.
    hashing: Locks,
    /// The lock file, locked while this process serves the folder.
    _lock_file: File,
}

/// An open object. Replacing the object changes neither the open file nor the record.
#[derive(Debug)]
pub struct OpenObject {
    pub file: File,
    pub record: ObjectRecord,
}

/// The properties of a new object besides its bytes.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewObject {
    pub etag: String,
    pub checksums: Checksums,
    pub checksum_kind: ChecksumKind,
    pub crc32: u32,
    pub attributes: Attributes,
    pub tags: Vec<(String, String)>,
    pub parts: Vec<PartRecord>,
}

impl NewObject {
    /// Returns an object that was written whole, with the checksums of these algorithms.
    pub fn whole(
        digests: Digests,
        algorithms: impl IntoIterator<Item = Algorithm>,
        attributes: Attributes,
        tags: Vec<(String, String)>,
    ) -> Self {
        Self {
            etag: digests.md5,
            checksums: digests.checksums.only(algorithms),
            checksum_kind: ChecksumKind::FullObject,
            crc32: digests.crc32,
            attributes,
            tags,
            parts: Vec::new(),
        }
    }
}

impl ObjectStore {
    /// Opens a folder, creates what is missing, and removes unfinished files of an earlier process.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| FolderError::Folder { path, source }
        };
        fs::create_dir_all(root).map_err(failed(root))?;
        // The path of the root may contain symbolic links; paths below it may not.
        let root = root.canonicalize().map_err(failed(root))?;
        let hidden = root.join(HIDDEN).join("s3");
        fs::create_dir_all(&hidden).map_err(failed(&hidden))?;
        let inside = hidden.canonicalize().map_err(failed(&hidden))?;
        if !inside.starts_with(&root) {
            let source = io::Error::new(io::ErrorKind::PermissionDenied, "it is a link to a place outside of the root");
            return Err(FolderError::Folder { path: hidden, source });
        }

        let lock_file = File::create(hidden.join("lock")).map_err(failed(&hidden))?;
        match lock_file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { path: root }),
            Err(TryLockError::Error(source)) => return Err(FolderError::Folder { path: hidden, source }),
        }
        let scratch = hidden.join("tmp");
        found(fs::remove_dir_all(&scratch)).map_err(failed(&scratch))?;
        fs::create_dir(&scratch).map_err(failed(&scratch))?;
        let folds_case = folds_case(&scratch).map_err(failed(&scratch))?;

        Ok(Self {
            tree: Tree::new(root, folds_case),
            uploads: Uploads::open(hidden.join("uploads")).map_err(failed(&hidden))?,
            records: ObjectRecords::new(hidden.join("meta")),
            scratch,
            keys: Locks::new(),
            hashing: Locks::new(),
            _lock_file: lock_file,
        })
    }

    /// Returns the folder of a bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let path = self.tree.bucket(bucket).at(Path::new(bucket))?;
        path.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist: {bucket}"))
    }

    /// Removes an empty bucket, its records and its uploads.
    pub fn delete_bucket(&self, bucket: &str) -> S3Result<()> {
        let path = self.bucket(bucket)?;
        if !self.tree.remove_bucket(&path).at(&path)? {
            return refuse(S3ErrorCode::BucketNotEmpty, "The bucket you tried to delete is not empty");
        }
        self.records.remove_bucket(bucket).at(&path)?;
        self.uploads.abort_where(|upload| upload.bucket == bucket)
    }

    /// Creates an unfinished file.
    pub fn scratch(&self) -> S3Result<(File, Scratch)> {
        let scratch = Scratch { path: self.scratch.join(uuid::Uuid::new_v4().simple().to_string()) };
        let file = File::options().read(true).write(true).create_new(true).open(&scratch.path).at(&scratch.path)?;
        Ok((file, scratch))
    }

    /// Opens an object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    pub fn read(&self, bucket: &str, key: &str) -> S3Result<OpenObject> {
        let folder = self.bucket(bucket)?;
        let (file, stamp) = {
            let _reading = self.keys.read(bucket, key);
            let Some((file, located)) = self.tree.open(&folder, key).at(Path::new(key))? else {
                return refuse(S3ErrorCode::NoSuchKey, format!("The specified key does not exist: {key}"));
            };
            let stamp = Stamp::of(&located.metadata);
            if let Some(record) = self.records.load(bucket, key, stamp).at(&located.path)? {
                return Ok(OpenObject { file, record });
            }
            (file, stamp)
        };
        self.hash_found_file(bucket, &folder, key, file, stamp)
    }

    /// Hashes a file that a person added, and stores its record.
    fn hash_found_file(
        &self,
        bucket: &str,
        folder: &Path,
        key: &str,
        file: File,
        stamp: Stamp,
    ) -> S3Result<OpenObject> {
        let _hashing = self.hashing.write(bucket, key);
        if let Some(record) = self.records.load(bucket, key, stamp).at(folder)? {
            return Ok(OpenObject { file, record });
        }
        let digests = file.try_clone().and_then(|file| hash(file, WantedAlgorithms::default())).at(Path::new(key))?;
        if Stamp::of(&file.metadata().at(Path::new(key))?) != stamp || digests.size != stamp.size {
            let message = format!("{key} was changed while it was read; try again when the file is complete");
            return refuse(S3ErrorCode::ServiceUnavailable, message);
        }
        // The clone shares its position with the file, so the position is reset.
        io::Seek::rewind(&mut &file).at(Path::new(key))?;
        let record = ObjectRecord::of_found_file(key, stamp, digests);
        let _writing = self.keys.write(bucket, key);
        let now = self.tree.locate(folder, key).at(Path::new(key))?;
        if now.is_some_and(|located| Stamp::of(&located.metadata) == stamp) {
            self.save(bucket, &record)?;
        }
        Ok(OpenObject { file, record })
    }

    /// Returns the record of an object.
    pub fn describe(&self, bucket: &str, key: &str) -> S3Result<ObjectRecord> {
        Ok(self.read(bucket, key)?.record)
    }

    /// Checks a condition before a body is received. [`publish`](Self::publish) checks it again.
    pub fn check(&self, bucket: &str, key: &str, condition: &WriteCondition) -> S3Result<()> {
        if condition.is_none() {
            return self.bucket(bucket).map(drop);
        }
        let current = match self.describe(bucket, key) {
            Ok(record) => Some(record),
            Err(error) if error.code() == &S3ErrorCode::NoSuchKey => None,
            Err(error) => return Err(error),
        };
        condition.check(key, current.is_some(), current.as_ref())
    }

    /// Makes a finished file the object, if the condition is true at that moment.
    pub fn publish(
        &self,
        bucket: &str,
        key: &str,
        file: &Scratch,
        object: NewObject,
        condition: &WriteCondition,
    ) -> S3Result<ObjectRecord> {
        if condition.if_match.is_some() {
            // May hash a file that a person added, which must not happen under the lock.
            self.check(bucket, key, condition)?;
        }
        let folder = self.bucket(bucket)?;
        let stamp = Stamp::of(&fs::metadata(&file.path).at(&file.path)?);
        let record = ObjectRecord {
            key: key.to_owned(),
            stamp,
            etag: object.etag,
            checksums: object.checksums,
            checksum_kind: object.checksum_kind,
            crc32: object.crc32,
            attributes: object.attributes,
            tags: object.tags,
            parts: object.parts,
        };

        let _writing = self.keys.write(bucket, key);
        let (exists, current) = self.current(bucket, &folder, key)?;
        condition.check(key, exists, current.as_ref())?;
        self.save(bucket, &record)?;
        if let Err(error) = self.tree.publish(&file.path, &folder, key).at(Path::new(key)) {
            match current {
                Some(current) => self.save(bucket, &current)?,
                None => self.records.remove(bucket, key).at(Path::new(key))?,
            }
            // If the bucket has been removed meanwhile, that is the more precise error.
            return self.bucket(bucket).and(Err(error));
        }
        Ok(record)
    }

    /// Removes an object, if it exists.
    pub fn delete(&self, bucket: &str, key: &str, condition: &WriteCondition) -> S3Result<()> {
        if condition.if_match.is_some() {
            self.check(bucket, key, condition)?;
        }
        let folder = self.bucket(bucket)?;
        let _writing = self.keys.write(bucket, key);
        let (exists, current) = self.current(bucket, &folder, key)?;
        condition.check(key, exists, current.as_ref())?;
        self.tree.remove(&folder, key).at(Path::new(key))?;
        self.records.remove(bucket, key).at(Path::new(key))
    }

    /// Replaces an object's tags.
    pub fn set_tags(&self, bucket: &str, key: &str, tags: Vec<(String, String)>) -> S3Result<()> {
        for _ in 0..3 {
            let known = self.describe(bucket, key)?;
            let folder = self.bucket(bucket)?;
            let _writing = self.keys.write(bucket, key);
            let (_, current) = self.current(bucket, &folder, key)?;
            // If the file has just been replaced, its record is read again.
            let Some(mut record) = current.filter(|current| current.stamp == known.stamp) else { continue };
            record.tags = tags;
            return self.save(bucket, &record);
        }
        refuse(S3ErrorCode::OperationAborted, format!("{key} keeps changing; try again"))
    }

    /// Returns whether the object exists, and its record if that holds for the current file.
    fn current(&self, bucket: &str, folder: &Path, key: &str) -> S3Result<(bool, Option<ObjectRecord>)> {
        let Some(located) = self.tree.locate(folder, key).at(Path::new(key))? else { return Ok((false, None)) };
        Ok((true, self.records.load(bucket, key, Stamp::of(&located.metadata)).at(&located.path)?))
    }

    fn save(&self, bucket: &str, record: &ObjectRecord) -> S3Result<()> {
        let scratch = Scratch { path: self.scratch.join(uuid::Uuid::new_v4().simple().to_string()) };
        self.records.save(bucket, record, &scratch.path).at(Path::new(&record.key))
    }
}

/// Returns whether the disk treats `a` and `A` as one name, by creating a file.
fn folds_case(folder: &Path) -> io::Result<bool> {
    let probe = folder.join("Case");
    File::create(&probe)?;
    let folds = folder.join("cASE").exists();
    fs::remove_file(probe)?;
    Ok(folds)
}

#[cfg(test)]
mod tests;
