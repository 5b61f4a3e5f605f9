//! Documents as files. Several processes may use one folder: a file appears whole under its name or not at all.
//! Replacing is serialised by a file lock, which the operating system releases if its holder dies.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::document::{Found, MAX_BYTES, Tag};
use crate::error::StorageError;
use crate::name;
use crate::storage::Storage;

/// The file that is locked while a document is compared and replaced. No document's name begins with a dot.
const LOCK: &str = ".lock";

/// A folder of documents.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Returns the documents below `root`. The folder is created with the first document.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn failed(&self, doing: &'static str, name: &str) -> impl FnOnce(std::io::Error) -> StorageError {
        let place = self.place(name);
        move |error| StorageError::Failed { doing, place, reason: error.to_string() }
    }

    fn read(&self, name: &str) -> Result<Option<(Bytes, Tag)>, StorageError> {
        name::check(name)?;
        let path = self.root.join(name);
        let bytes = match path.metadata() {
            Ok(metadata) if metadata.len() > MAX_BYTES => {
                return Err(StorageError::TooLarge { place: self.place(name), bytes: metadata.len() });
            }
            Ok(_) => std::fs::read(&path),
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => Ok(Some((bytes.clone().into(), tag(&bytes)))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(self.failed("cannot read", name)(error)),
        }
    }

    /// Writes the bytes to a temporary file beside the document's file. Returns it, and the document's path.
    fn write_temporary(&self, name: &str, bytes: &[u8]) -> Result<(NamedTempFile, PathBuf), StorageError> {
        name::check(name)?;
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root);
        let write = || {
            std::fs::create_dir_all(folder)?;
            let mut file = NamedTempFile::with_prefix_in(".", folder)?;
            // A temporary file is readable by its owner only, but a registry or pins may be shared by a team.
            #[cfg(unix)]
            file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        Ok((write().map_err(self.failed("cannot write", name))?, path))
    }

    fn create_now(&self, name: &str, bytes: &[u8]) -> Result<Option<Tag>, StorageError> {
        let (file, path) = self.write_temporary(name, bytes)?;
        match file.persist_noclobber(path) {
            Ok(_) => Ok(Some(tag(bytes))),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(self.failed("cannot write", name)(error.error)),
        }
    }

    fn replace_now(&self, name: &str, bytes: &[u8], was: &Tag) -> Result<Option<Tag>, StorageError> {
        let (file, path) = self.write_temporary(name, bytes)?;
        let lock = File::create(self.root.join(LOCK)).and_then(|lock| lock.lock().map(|()| lock));
        let _lock = lock.map_err(self.failed("cannot lock", LOCK))?;
        if self.read(name)?.is_none_or(|(_, tag)| tag != *was) {
            return Ok(None);
        }
        file.persist(path).map_err(|error| self.failed("cannot write", name)(error.error))?;
        Ok(Some(tag(bytes)))
    }

    /// Adds the names of all documents below `folder`.
    fn collect(&self, folder: &Path, names: &mut Vec<String>) -> std::io::Result<()> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                self.collect(&path, names)?;
            } else if let Ok(relative) = path.strip_prefix(&self.root)
                && let Some(name) = relative.to_str()
                && name::check(name).is_ok()
            {
                names.push(name.to_owned());
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Storage for Folder {
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, StorageError> {
        Ok(match self.read(name)? {
            None => Found::Missing,
            Some((_, tag)) if unless == Some(&tag) => Found::Unchanged,
            Some((bytes, tag)) => Found::Found { bytes, tag },
        })
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, StorageError> {
        self.create_now(name, &bytes)
    }

    async fn replace(&self, name: &str, bytes: Bytes, was: &Tag) -> Result<Option<Tag>, StorageError> {
        self.replace_now(name, &bytes, was)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let mut names = Vec::new();
        // As on S3, a prefix need not end at a folder. Only the folder in which it ends has to be read.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() {
            name::check(folder)?;
        }
        self.collect(&self.root.join(folder), &mut names).map_err(self.failed("cannot list", prefix))?;
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        Ok(names)
    }

    fn place(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }
}

fn tag(bytes: &[u8]) -> Tag {
    Tag(hex::encode(Sha256::digest(bytes)))
}
