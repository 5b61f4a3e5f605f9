//! The visible tree: finding, placing and removing an object's file, and walking over all of them.
//!
//! `keys` says what a key's path is on an empty disk. What is already there can stand in the way: a directory where an
//! object's name should go, an object where a directory should, a name that differs only by case. This module decides
//! between the forms that `keys` offers. It never follows a symbolic link below the root: a link is not an object, and
//! a directory that is one holds none.
//!
//! Changes to the tree are few system calls each and take turns, so that an object that makes room for a directory is
//! not lost to somebody who writes or removes it just then. Readers need no turn: an object moves aside by one rename,
//! and they look at its plain name first and at the other one second.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::keys;

/// How often a step that lost a race against another request is tried.
const ATTEMPTS: usize = 32;

/// The folder of all buckets.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    folds_case: bool,
    changing: Mutex<()>,
}

/// An object's file as it was found.
#[derive(Debug)]
pub struct Located {
    pub path: PathBuf,
    pub metadata: Metadata,
}

/// What a walk does at each directory and object.
pub trait Visitor {
    /// Whether keys that begin with `prefix` are wanted.
    fn enter(&mut self, prefix: &str) -> bool;
    /// An object. `false` ends the walk.
    fn object(&mut self, key: String) -> bool;
}

impl Tree {
    /// `folds_case`: the disk takes `a` and `A` for one name.
    pub fn new(root: PathBuf, folds_case: bool) -> Self {
        Self { root, folds_case, changing: Mutex::new(()) }
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of all folders that could be buckets, sorted.
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

    /// A bucket's folder, where there is one.
    pub fn bucket(&self, bucket: &str) -> io::Result<Option<PathBuf>> {
        // The name comes from a request. S3's rules leave no room for a path in it.
        if !s3s::path::check_bucket_name(bucket) {
            return Ok(None);
        }
        let path = self.root.join(bucket);
        Ok(found(fs::symlink_metadata(&path))?.filter(Metadata::is_dir).map(|_| path))
    }

    /// Makes a bucket's folder. `false`: it was there.
    pub fn create_bucket(&self, bucket: &str) -> io::Result<bool> {
        match fs::create_dir(self.root.join(bucket)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a bucket's folder and the empty directories in it. `false`: something else is left in it.
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

    /// The file of an object, where there is one.
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

    /// Opens an object for reading.
    pub fn open(&self, bucket: &Path, key: &str) -> io::Result<Option<(fs::File, Located)>> {
        for _ in 0..ATTEMPTS {
            let Some(mut located) = self.locate(bucket, key)? else { return Ok(None) };
            let Some(file) = found(fs::File::open(&located.path))? else { continue };
            // What was opened is what is described, even if the name has changed hands since.
            located.metadata = file.metadata()?;
            if located.metadata.is_file() {
                return Ok(Some((file, located)));
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, format!("the file of {key} keeps changing")))
    }

    /// Moves a finished file to where the object belongs, replacing what was there at once.
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
        // From a time when the plain name was a directory's.
        found(fs::remove_file(beside)).map(drop)
    }

    /// Removes an object and the directories which it leaves empty. `false`: there was none.
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

    /// Visits every object of a bucket, in no order.
    pub fn walk(&self, bucket: &Path, visitor: &mut dyn Visitor) -> io::Result<()> {
        let mut pending = vec![(bucket.to_owned(), String::new(), false)];
        while let Some((directory, prefix, continued)) = pending.pop() {
            if !visitor.enter(&prefix) {
                continue;
            }
            // A directory may go while the walk is on its way.
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

    /// Whether this file is what a request for the key would find.
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

    /// A key's directories and the plain name of its file, spelt as they are, or would be, on this disk.
    fn path(&self, bucket: &Path, key: &str) -> io::Result<(Vec<String>, String)> {
        let mut directory = bucket.to_owned();
        let mut names = Vec::new();
        for segment in key.split('/') {
            let chosen = if self.folds_case { spelling(&directory, segment)? } else { keys::segment_names(segment) };
            directory.extend(&chosen);
            names.extend(chosen);
        }
        // There is a segment in every key, and a name in every segment.
        let name = names.pop().unwrap_or_default();
        Ok((names, name))
    }
}

/// Which names a segment has in a directory where case is folded: the plain ones, unless they mean another's file.
fn spelling(directory: &Path, segment: &str) -> io::Result<Vec<String>> {
    let plain = keys::segment_names(segment);
    let [name] = plain.as_slice() else { return Ok(keys::spelt_out(segment)) };
    if segment.is_empty() {
        return Ok(plain);
    }
    let spelt = keys::spelt_out(segment);
    let Some(entries) = found(fs::read_dir(directory))? else { return Ok(plain) };
    let mut taken = false;
    for entry in entries {
        let entry = entry?.file_name();
        let Some(entry) = entry.to_str() else { continue };
        let entry = entry.strip_suffix("%o").unwrap_or(entry);
        if entry == name {
            return Ok(plain);
        }
        if spelt.first().is_some_and(|spelt| spelt == entry) {
            return Ok(spelt);
        }
        taken |= entry.to_lowercase() == name.to_lowercase();
    }
    Ok(if taken { spelt } else { plain })
}

/// Makes what is missing of nested directories; an object in the way moves beside its directory.
fn make_directories(bucket: &Path, names: &[String]) -> io::Result<PathBuf> {
    let mut directory = bucket.to_owned();
    for name in names {
        let beside = directory.join(keys::object_form(name));
        directory.push(name);
        match found(fs::symlink_metadata(&directory))? {
            Some(metadata) if metadata.is_dir() => continue,
            Some(metadata) if metadata.is_file() => fs::rename(&directory, beside)?,
            Some(_) => {
                let message = format!("{} is a link or a device, which is never followed", directory.display());
                return Err(io::Error::new(ErrorKind::PermissionDenied, message));
            }
            None => {}
        }
        fs::create_dir(&directory)?;
    }
    Ok(directory)
}

/// `None` for what is not there, also where a file stands in place of one of its directories.
pub fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
