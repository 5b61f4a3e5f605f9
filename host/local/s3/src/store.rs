//! The objects: one file and one record each, changed together.
//!
//! A lock per key (in stripes, so that their number is fixed) makes "look at what is there, then replace it" one step:
//! conditional writes are atomic, and no reader sees the bytes of one version with the entity tag of another. Bytes are
//! never written under a lock: a body goes to a file in the hidden folder first and is renamed into place.

use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use s3s::dto::ETagCondition;
use s3s::{S3ErrorCode, S3Result, s3_error};

use crate::digest::{Checksums, Wanted, hash};
use crate::failure::{AtPath, StartError, refuse};
use crate::record::{Attributes, ChecksumKind, PartOf, Record, Records, Stamp};
use crate::tree::{Tree, found};
use crate::uploads::Uploads;

/// The one folder in the root that is ours. No bucket's name can begin with a dot.
const HIDDEN: &str = ".stagehost";

/// Buckets and objects in a folder.
#[derive(Debug)]
pub struct Store {
    pub tree: Tree,
    pub uploads: Uploads,
    records: Records,
    scratch: PathBuf,
    keys: Locks,
    /// Held while a file that came by hand is read for the first time, so that it is read once.
    learning: Locks,
    _served: File,
}

/// An object as of one moment: replacing it changes neither the open file nor the record.
#[derive(Debug)]
pub struct Opened {
    pub file: File,
    pub record: Record,
}

/// What an object is to become, besides its bytes.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewObject {
    pub etag: String,
    pub checksums: Checksums,
    pub checksum_kind: ChecksumKind,
    pub crc32: u32,
    pub attributes: Attributes,
    pub tags: Vec<(String, String)>,
    pub parts: Vec<PartOf>,
}

/// Under which condition an object may be replaced.
#[derive(Clone, Debug, Default)]
pub struct WriteCondition {
    /// `If-Match`: only this version.
    pub if_match: Option<ETagCondition>,
    /// `If-None-Match: *`: only where there is none.
    pub if_absent: bool,
}

impl WriteCondition {
    /// From a request's headers.
    pub fn new(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> S3Result<Self> {
        match if_none_match {
            Some(ETagCondition::ETag(_)) => {
                refuse(S3ErrorCode::NotImplemented, "If-None-Match on a write takes only *, as on S3")
            }
            if_none_match => Ok(Self { if_match, if_absent: if_none_match.is_some() }),
        }
    }

    /// Whether there is anything to check.
    pub fn is_none(&self) -> bool {
        self.if_match.is_none() && !self.if_absent
    }

    fn check(&self, key: &str, exists: bool, current: Option<&Record>) -> S3Result<()> {
        if self.if_absent && exists {
            return refuse(S3ErrorCode::PreconditionFailed, format!("{key} exists (If-None-Match: *)"));
        }
        match &self.if_match {
            None => Ok(()),
            Some(_) if !exists => refuse(S3ErrorCode::NoSuchKey, format!("{key} does not exist (If-Match)")),
            Some(ETagCondition::Any) => Ok(()),
            Some(ETagCondition::ETag(etag)) if current.is_some_and(|record| record.etag == etag.value()) => Ok(()),
            Some(_) => refuse(S3ErrorCode::PreconditionFailed, format!("{key} has another entity tag (If-Match)")),
        }
    }
}

impl Store {
    /// Opens a folder, making what is missing, and removes what an earlier process left unfinished.
    pub fn open(root: &Path) -> Result<Self, StartError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Folder { path, source }
        };
        fs::create_dir_all(root).map_err(failed(root))?;
        // The root itself may be reached by links; nothing below it may.
        let root = root.canonicalize().map_err(failed(root))?;
        let hidden = root.join(HIDDEN).join("s3");
        fs::create_dir_all(&hidden).map_err(failed(&hidden))?;
        let inside = hidden.canonicalize().map_err(failed(&hidden))?;
        if !inside.starts_with(&root) {
            let source = io::Error::new(io::ErrorKind::PermissionDenied, "it leads out of the root");
            return Err(StartError::Folder { path: hidden, source });
        }

        let served = File::create(hidden.join("lock")).map_err(failed(&hidden))?;
        match served.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::InUse { path: root }),
            Err(TryLockError::Error(source)) => return Err(StartError::Folder { path: hidden, source }),
        }
        let scratch = hidden.join("tmp");
        found(fs::remove_dir_all(&scratch)).map_err(failed(&scratch))?;
        fs::create_dir(&scratch).map_err(failed(&scratch))?;
        let folds_case = folds_case(&scratch).map_err(failed(&scratch))?;

        Ok(Self {
            tree: Tree::new(root, folds_case),
            uploads: Uploads::open(hidden.join("uploads")).map_err(failed(&hidden))?,
            records: Records::new(hidden.join("meta")),
            scratch,
            keys: Locks::new(),
            learning: Locks::new(),
            _served: served,
        })
    }

    /// A bucket's folder, or `NoSuchBucket`.
    pub fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let path = self.tree.bucket(bucket).at(Path::new(bucket))?;
        path.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist: {bucket}"))
    }

    /// Removes an empty bucket and all that was kept about it.
    pub fn delete_bucket(&self, bucket: &str) -> S3Result<()> {
        let path = self.bucket(bucket)?;
        if !self.tree.remove_bucket(&path).at(&path)? {
            return refuse(S3ErrorCode::BucketNotEmpty, "The bucket you tried to delete is not empty");
        }
        self.records.remove_bucket(bucket).at(&path)?;
        self.uploads.abort_where(|upload| upload.bucket == bucket)
    }

    /// An unfinished file. It is removed unless it is published.
    pub fn scratch(&self) -> S3Result<(File, Scratch)> {
        let scratch = Scratch { path: self.scratch.join(uuid::Uuid::new_v4().simple().to_string()) };
        let file = File::options().read(true).write(true).create_new(true).open(&scratch.path).at(&scratch.path)?;
        Ok((file, scratch))
    }

    /// Opens an object, or `NoSuchKey`.
    pub fn read(&self, bucket: &str, key: &str) -> S3Result<Opened> {
        let folder = self.bucket(bucket)?;
        let (file, stamp) = {
            let _reading = self.keys.read(bucket, key);
            let Some((file, located)) = self.tree.open(&folder, key).at(Path::new(key))? else {
                return refuse(S3ErrorCode::NoSuchKey, format!("The specified key does not exist: {key}"));
            };
            let stamp = Stamp::of(&located.metadata);
            if let Some(record) = self.records.load(bucket, key, stamp).at(&located.path)? {
                return Ok(Opened { file, record });
            }
            (file, stamp)
        };
        self.learn(bucket, &folder, key, file, stamp)
    }

    /// Computes what S3 would know of a file that somebody put there, and keeps it.
    fn learn(&self, bucket: &str, folder: &Path, key: &str, file: File, stamp: Stamp) -> S3Result<Opened> {
        let _learning = self.learning.write(bucket, key);
        if let Some(record) = self.records.load(bucket, key, stamp).at(folder)? {
            return Ok(Opened { file, record });
        }
        let digests = file.try_clone().and_then(|file| hash(file, Wanted::default())).at(Path::new(key))?;
        if Stamp::of(&file.metadata().at(Path::new(key))?) != stamp || digests.size != stamp.size {
            let message = format!("{key} was changed while it was read; try again when its file is complete");
            return refuse(S3ErrorCode::ServiceUnavailable, message);
        }
        // The clone shared its position with the file; reads by offset do not care, others start over.
        io::Seek::rewind(&mut &file).at(Path::new(key))?;
        let record = Record::found(key, stamp, digests);
        let _writing = self.keys.write(bucket, key);
        let now = self.tree.locate(folder, key).at(Path::new(key))?;
        if now.is_some_and(|located| Stamp::of(&located.metadata) == stamp) {
            self.save(bucket, &record)?;
        }
        Ok(Opened { file, record })
    }

    /// What is known of an object.
    pub fn describe(&self, bucket: &str, key: &str) -> S3Result<Record> {
        Ok(self.read(bucket, key)?.record)
    }

    /// Refuses early what [`publish`](Self::publish) would refuse, before a body is read for nothing.
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

    /// Makes a finished file the object, if the condition holds at that moment.
    pub fn publish(
        &self,
        bucket: &str,
        key: &str,
        file: &Scratch,
        object: NewObject,
        condition: &WriteCondition,
    ) -> S3Result<Record> {
        if condition.if_match.is_some() {
            // Reads a file that came by hand, which must not happen under the lock.
            self.check(bucket, key, condition)?;
        }
        let folder = self.bucket(bucket)?;
        let stamp = Stamp::of(&fs::metadata(&file.path).at(&file.path)?);
        let record = Record {
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
            // A bucket that went meanwhile says more than a missing directory.
            return self.bucket(bucket).and(Err(error));
        }
        Ok(record)
    }

    /// Removes an object. One that is not there is no error.
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
            // It may have been replaced by hand just now; then it is read again.
            let Some(mut record) = current.filter(|current| current.stamp == known.stamp) else { continue };
            record.tags = tags;
            return self.save(bucket, &record);
        }
        refuse(S3ErrorCode::OperationAborted, format!("{key} keeps changing; try again"))
    }

    fn current(&self, bucket: &str, folder: &Path, key: &str) -> S3Result<(bool, Option<Record>)> {
        let Some(located) = self.tree.locate(folder, key).at(Path::new(key))? else { return Ok((false, None)) };
        Ok((true, self.records.load(bucket, key, Stamp::of(&located.metadata)).at(&located.path)?))
    }

    fn save(&self, bucket: &str, record: &Record) -> S3Result<()> {
        let scratch = Scratch { path: self.scratch.join(uuid::Uuid::new_v4().simple().to_string()) };
        self.records.save(bucket, record, &scratch.path).at(Path::new(&record.key))
    }
}

/// The path of an unfinished file, which goes with it.
#[derive(Debug)]
pub struct Scratch {
    pub path: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Published ones are not there any more; what cannot be removed goes at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Locks by name, a fixed number of them.
#[derive(Debug)]
pub struct Locks(Vec<RwLock<()>>);

impl Locks {
    /// All free.
    pub fn new() -> Self {
        Self((0..1024).map(|_| RwLock::new(())).collect())
    }

    fn stripe(&self, space: &str, name: &str) -> &RwLock<()> {
        let mut hasher = DefaultHasher::new();
        // Two keys that one disk may take for the same file must not be written at once.
        (space, name.to_lowercase()).hash(&mut hasher);
        let stripe = usize::try_from(hasher.finish() % 1024).unwrap_or(0);
        &self.0[stripe]
    }

    /// Shared.
    pub fn read(&self, space: &str, name: &str) -> RwLockReadGuard<'_, ()> {
        self.stripe(space, name).read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Alone.
    pub fn write(&self, space: &str, name: &str) -> RwLockWriteGuard<'_, ()> {
        self.stripe(space, name).write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the disk takes `a` and `A` for one name, found out by trying.
fn folds_case(folder: &Path) -> io::Result<bool> {
    let probe = folder.join("Case");
    File::create(&probe)?;
    let folds = folder.join("cASE").exists();
    fs::remove_file(probe)?;
    Ok(folds)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
