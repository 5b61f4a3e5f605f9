//! The visible tree: finding, placing and removing the file of an object, and walking over all files.
//!
//! `keys` defines the path of a key on an empty disk. Existing files can conflict with it: a directory that has the
//! name of the object, an object that has the name of a directory, a name that differs only by case. This module
//! selects one of the forms of `keys`. It never follows a symbolic link below the root: a link is neither an object nor
//! a directory of objects.
//!
//! Changes to the tree are a few system calls under one lock. So an object that is renamed to make room for a directory
//! cannot be lost to a concurrent write or removal. Readers need no lock: an object moves by one rename, and readers
//! look for its plain name first and for the other one second.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};

use super::keys;

/// How often an open that races with other requests is tried.
const ATTEMPTS: usize = 32;

/// The folder of all buckets.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    folds_case: bool,
    changing: Mutex<()>,
}

/// The file of an object.
#[derive(Debug)]
pub struct Located {
    pub path: PathBuf,
    pub metadata: Metadata,
}

/// The callbacks of [`Tree::walk`].
pub trait Visitor {
    /// Returns whether to visit keys that begin with `prefix`.
    fn enter(&mut self, prefix: &str) -> bool;
    /// Visits an object. Returns whether to continue.
    fn object(&mut self, key: String) -> bool;
}

impl Tree {
    /// Returns the tree in a folder. `folds_case`: the disk treats `a` and `A` as one name.
    pub fn new(root: PathBuf, folds_case: bool) -> Self {
        Self { root, folds_case, changing: Mutex::new(()) }
    }

    /// Locks the tree for a change.
    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock()
    }

    /// Returns all buckets, sorted by name.
    pub fn buckets(&self) -> io::Result<Vec<(String, Metadata)>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if s3s::path::check_bucket_name(&name) && entry.file_type()?.is_dir() {
                buckets.push((name, entry.metadata()?));
            }
        }
        buckets.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(buckets)
    }

    /// Returns the folder of a bucket, if it exists.
    pub fn bucket(&self, bucket: &str) -> io::Result<Option<PathBuf>> {
        // The name comes from a request. S3's rules for names exclude paths.
        if !s3s::path::check_bucket_name(bucket) {
            return Ok(None);
        }
        let path = self.root.join(bucket);
        Ok(found(fs::symlink_metadata(&path))?.filter(Metadata::is_dir).map(|_| path))
    }

    /// Creates the folder of a bucket. Returns `false` if it exists.
    pub fn create_bucket(&self, bucket: &str) -> io::Result<bool> {
        match fs::create_dir(self.root.join(bucket)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the folder of a bucket and the empty directories in it. Returns `false` if it contains anything else.
    pub fn remove_bucket(&self, bucket: &Path) -> io::Result<bool> {
        let _turn = self.change();
        let mut directories = vec![bucket.to_owned()];
        let mut next = 0;
        while let Some(directory) = directories.get(next).cloned() {
            next += 1;
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                if !entry.file_type()?.is_dir() {
                    return Ok(false);
                }
                directories.push(entry.path());
            }
        }
        for directory in directories.iter().rev() {
            match fs::remove_dir(directory) {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => return Ok(false),
                other => other?,
            }
        }
        Ok(true)
    }

    /// Returns the file of an object, if it exists.
    pub fn locate(&self, bucket: &Path, key: &str) -> io::Result<Option<Located>> {
        let (directories, name) = self.path(bucket, key)?;
        let mut directory = bucket.to_owned();
        for part in directories {
            directory.push(part);
            if !found(fs::symlink_metadata(&directory))?.is_some_and(|metadata| metadata.is_dir()) {
                return Ok(None);
            }
        }
        for candidate in [name.clone(), keys::object_form(&name)] {
            let path = directory.join(candidate);
            if let Some(metadata) = found(fs::symlink_metadata(&path))?.filter(Metadata::is_file) {
                return Ok(Some(Located { path, metadata }));
            }
        }
        Ok(None)
    }

    /// Opens an object for reading, if it exists.
    pub fn open(&self, bucket: &Path, key: &str) -> io::Result<Option<(fs::File, Located)>> {
        for _ in 0..ATTEMPTS {
            let Some(mut located) = self.locate(bucket, key)? else { return Ok(None) };
            let Some(file) = found(fs::File::open(&located.path))? else { continue };
            // The metadata of the open file, even if the name refers to another file by now.
            located.metadata = file.metadata()?;
            if located.metadata.is_file() {
                return Ok(Some((file, located)));
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, format!("the file of {key} keeps changing")))
    }

    /// Moves a finished file to the object's place, replacing an existing object atomically.
    pub fn publish(&self, file: &Path, bucket: &Path, key: &str) -> io::Result<()> {
        let _turn = self.change();
        let (directories, name) = self.path(bucket, key)?;
        let directory = make_directories(bucket, &directories)?;
        let plain = directory.join(&name);
        let beside = directory.join(keys::object_form(&name));
        if found(fs::symlink_metadata(&plain))?.is_some_and(|metadata| metadata.is_dir()) {
            return fs::rename(file, beside);
        }
        fs::rename(file, plain)?;
        // An older file from a time when a directory had the plain name.
        found(fs::remove_file(beside)).map(drop)
    }

    /// Removes an object and the directories that become empty. Returns `false` if the object does not exist.
    pub fn remove(&self, bucket: &Path, key: &str) -> io::Result<bool> {
        let _turn = self.change();
        let mut removed = false;
        while let Some(located) = self.locate(bucket, key)? {
            found(fs::remove_file(&located.path))?;
            removed = true;
            let mut parent = located.path.parent();
            while let Some(directory) = parent.filter(|directory| *directory != bucket) {
                if fs::remove_dir(directory).is_err() {
                    break;
                }
                parent = directory.parent();
            }
        }
        Ok(removed)
    }

    /// Visits every object of a bucket, in no particular order.
    pub fn walk(&self, bucket: &Path, visitor: &mut dyn Visitor) -> io::Result<()> {
        let mut pending = vec![(bucket.to_owned(), String::new(), false)];
        while let Some((directory, prefix, continued)) = pending.pop() {
            if !visitor.enter(&prefix) {
                continue;
            }
            // A directory may be removed during the walk.
            let Some(entries) = found(fs::read_dir(&directory))? else { continue };
            for entry in entries {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let Some(kind) = found(entry.file_type())? else { continue };
                if kind.is_dir() {
                    if let Some(more) = keys::directory_prefix(&name, continued) {
                        let below = format!("{prefix}{more}");
                        if below.len() <= keys::KEY_MAX {
                            pending.push((entry.path(), below, keys::is_continued(&name)));
                        }
                    }
                } else if kind.is_file() {
                    let Some(more) = keys::file_suffix(&name, continued) else { continue };
                    let key = format!("{prefix}{more}");
                    if self.leads_to(bucket, &key, &entry.path())? && !visitor.object(key) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns whether a request for the key finds this file.
    fn leads_to(&self, bucket: &Path, key: &str, path: &Path) -> io::Result<bool> {
        if key.is_empty() || key.len() > keys::KEY_MAX {
            return Ok(false);
        }
        let relative = path.strip_prefix(bucket).unwrap_or(path);
        if !self.folds_case && relative.iter().eq(keys::names(key).iter().map(OsStr::new)) {
            return Ok(true);
        }
        Ok(self.locate(bucket, key)?.is_some_and(|located| located.path == path))
    }

    /// Returns the directories of a key and the plain name of its file, as they are or would be on this disk.
    fn path(&self, bucket: &Path, key: &str) -> io::Result<(Vec<String>, String)> {
        let mut directory = bucket.to_owned();
        let mut names = Vec::new();
        for segment in key.split('/') {
            let chosen = if self.folds_case {
                names_on_case_folding_disk(&directory, segment)?
            } else {
                keys::segment_names(segment)
            };
            directory.extend(&chosen);
            names.extend(chosen);
        }
        // Every key has a segment, and every segment has a name.
        let name = names.pop().unwrap_or_default();
        Ok((names, name))
    }
}

/// Returns the names of a segment on a disk that folds case: the plain ones, unless they refer to the file of another
/// key.
fn names_on_case_folding_disk(directory: &Path, segment: &str) -> io::Result<Vec<String>> {
    let plain = keys::segment_names(segment);
    let [name] = plain.as_slice() else { return Ok(keys::escape_all(segment)) };
    if segment.is_empty() {
        return Ok(plain);
    }
    let escaped = keys::escape_all(segment);
    let Some(entries) = found(fs::read_dir(directory))? else { return Ok(plain) };
    let mut taken = false;
    for entry in entries {
        let entry = entry?.file_name();
        let Some(entry) = entry.to_str() else { continue };
        let entry = entry.strip_suffix(keys::OBJECT).unwrap_or(entry);
        if entry == name {
            return Ok(plain);
        }
        if escaped.first().is_some_and(|escaped| escaped == entry) {
            return Ok(escaped);
        }
        taken |= entry.to_lowercase() == name.to_lowercase();
    }
    Ok(if taken { escaped } else { plain })
}

/// Creates missing directories. An object that has the name of a directory is renamed to its other form.
fn make_directories(bucket: &Path, names: &[String]) -> io::Result<PathBuf> {
    let mut directory = bucket.to_owned();
    for name in names {
        let beside = directory.join(keys::object_form(name));
        directory.push(name);
        match found(fs::symlink_metadata(&directory))? {
            Some(metadata) if metadata.is_dir() => continue,
            Some(metadata) if metadata.is_file() => fs::rename(&directory, beside)?,
            Some(_) => {
                let message = format!("{} is a link or a device and is not followed", directory.display());
                return Err(io::Error::new(ErrorKind::PermissionDenied, message));
            }
            None => {}
        }
        fs::create_dir(&directory)?;
    }
    Ok(directory)
}

/// Returns `None` if the file or one of its directories does not exist.
pub fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
