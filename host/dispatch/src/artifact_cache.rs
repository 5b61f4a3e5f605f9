//! Artifacts from the registry, cached on this machine's disk by digest, up to a total size.
//!
//! ```text
//! <blake3>.cwasm     native code
//! <name>.signed      its signed manifest or artifact record
//! ```
//!
//! The cache is not trusted: signatures and digests are checked whenever something is read. Its folder must belong to this
//! user alone as a second line of defence.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use stagehost_registry::Descriptor;

use crate::checked_file::{CheckedFile, FileError};

/// Half of the default size of a Lambda function's `/tmp`. A new artifact is written beside the old ones, and the cache
/// shares the folder with others.
pub const DEFAULT_CACHE_BYTES: u64 = 256 << 20;

/// Temporary files of dead processes are removed at this age.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Why a folder cannot be used as a cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder or a file in it cannot be created, read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Other users could put native code into the folder.
    #[error("{} {reason}; remove it, or restrict it to this user (chmod 700)", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A folder of artifacts.
#[derive(Debug)]
pub struct ArtifactCache {
    folder: PathBuf,
    max_bytes: u64,
}

impl ArtifactCache {
    /// Opens a cache of at most `max_bytes` of code in `folder`, which is created if it is missing.
    ///
    /// # Errors
    /// If the folder cannot be created, or other users may access it.
    pub fn open(folder: impl Into<PathBuf>, max_bytes: u64) -> Result<Self, CacheError> {
        let folder = folder.into();
        let io = |source| CacheError::Io { path: folder.clone(), source };
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => created.map_err(io)?,
        }
        let metadata = std::fs::symlink_metadata(&folder).map_err(io)?;
        let foreign = |reason| CacheError::NotOurs { path: folder.clone(), reason };
        if !metadata.is_dir() {
            return Err(foreign("is not a folder"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
            if metadata.uid() != rustix::process::geteuid().as_raw() {
                return Err(foreign("belongs to another user"));
            }
            if metadata.permissions().mode() & 0o077 != 0 {
                return Err(foreign("is open to other users"));
            }
        }
        let cache = Self { folder, max_bytes };
        cache.clean_up();
        Ok(cache)
    }

    /// Returns the code with this digest; `None` if it is not in the cache.
    ///
    /// # Errors
    /// If the file cannot be read, or its content has another digest.
    pub(crate) fn get(&self, code: &Descriptor) -> Result<Option<CheckedFile>, FileError> {
        match CheckedFile::open(&self.path(code), &code.digest) {
            Ok(file) => {
                // Marks it as used. If that fails, it is only removed earlier.
                let _ = file.file().set_modified(SystemTime::now());
                Ok(Some(file))
            }
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores code, and removes the least recently used code to make room.
    pub(crate) fn put(&self, code: &Descriptor, bytes: &[u8]) -> Result<CheckedFile, CacheError> {
        let path = self.path(code);
        self.make_room(self.max_bytes.saturating_sub(bytes.len() as u64), &path);
        let written = match self.write(&path, bytes) {
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                self.make_room(0, &path);
                self.write(&path, bytes)
            }
            written => written,
        };
        written.map_err(|source| CacheError::Io { path: path.clone(), source })?;
        CheckedFile::open(&path, &code.digest)
            .map_err(|error| CacheError::Io { path, source: std::io::Error::other(error) })
    }

    /// Returns a stored signed document.
    pub(crate) fn statement(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.statement_path(name)).ok()
    }

    /// Stores a signed document. If that fails, it is fetched from the registry again next time.
    pub(crate) fn put_statement(&self, name: &str, text: &[u8]) {
        let path = self.statement_path(name);
        if let Err(error) = self.write(&path, text) {
            tracing::warn!(%error, file = %path.display(), "a signed document cannot be cached");
        }
    }

    fn path(&self, code: &Descriptor) -> PathBuf {
        self.folder.join(format!("{}.cwasm", code.digest.trim_start_matches("blake3:")))
    }

    fn statement_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.signed"))
    }

    /// Writes a file atomically. A link of the same name is replaced, not followed.
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::with_prefix_in(".", &self.folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }

    /// Removes code until at most `bytes` are left, not counting `except`. Mapped code stays mapped.
    fn make_room(&self, bytes: u64, except: &Path) {
        let is_code = |path: &Path| path.extension().is_some_and(|e| e == "cwasm") && path != except;
        let mut files: Vec<_> = self.files().filter(|(path, ..)| is_code(path)).collect();
        files.sort_by_key(|(_, _, used)| *used);
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (path, size, _) in files {
            if total <= bytes {
                break;
            }
            if std::fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
    }

    /// Removes temporary files that dead processes have left.
    fn clean_up(&self) {
        for (path, _, changed) in self.files() {
            let temporary = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if temporary && changed.elapsed().is_ok_and(|age| age > ABANDONED) {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn files(&self) -> impl Iterator<Item = (PathBuf, u64, SystemTime)> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((entry.path(), metadata.len(), metadata.modified().ok()?))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use stagehost_registry::blake3_of;

    use super::*;

    fn code(bytes: &[u8]) -> Descriptor {
        Descriptor { digest: blake3_of(bytes), bytes: bytes.len() as u64 }
    }

    fn cache(folder: &tempfile::TempDir, max_bytes: u64) -> ArtifactCache {
        ArtifactCache::open(folder.path().join("cache"), max_bytes).unwrap()
    }

    #[test]
    fn stored_code_is_found_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 100);
        assert!(cache.get(&code(b"one")).unwrap().is_none());
        cache.put(&code(b"one"), b"one").unwrap();
        assert!(cache.get(&code(b"one")).unwrap().is_some());
        assert!(cache.get(&code(b"two")).unwrap().is_none());
    }

    #[test]
    fn code_that_changed_on_the_disk_is_refused_and_can_be_stored_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 100);
        let path = cache.put(&code(b"one"), b"one").unwrap().path().to_owned();
        std::fs::write(&path, b"0ne").unwrap();
        assert!(matches!(cache.get(&code(b"one")), Err(FileError::Digest { .. })));
        cache.put(&code(b"one"), b"one").unwrap();
        assert!(cache.get(&code(b"one")).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_cache_is_neither_followed_nor_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 100);
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, b"one").unwrap();
        let path = cache.path(&code(b"one"));
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(matches!(cache.get(&code(b"one")), Err(FileError::NotPlain { .. })));
        std::fs::write(&elsewhere, b"untouched").unwrap();
        cache.put(&code(b"one"), b"one").unwrap();
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"untouched");
        assert!(cache.get(&code(b"one")).unwrap().is_some());
    }

    #[test]
    fn the_least_recently_used_code_is_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 10);
        let old = |bytes: &[u8], seconds: u64| {
            let file = cache.put(&code(bytes), bytes).unwrap();
            file.file().set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        };
        old(b"aaaa", 300);
        old(b"bbbb", 200);
        // Makes `bbbb` the least recently used.
        cache.get(&code(b"aaaa")).unwrap().unwrap();
        cache.put(&code(b"cccc"), b"cccc").unwrap();
        let there = |bytes: &[u8]| cache.get(&code(bytes)).unwrap().is_some();
        assert!(there(b"aaaa") && !there(b"bbbb") && there(b"cccc"));
    }

    #[test]
    fn code_that_is_larger_than_the_cache_can_still_be_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 3);
        cache.put(&code(b"ab"), b"ab").unwrap();
        let file = cache.put(&code(b"a large one"), b"a large one").unwrap();
        assert_eq!(std::fs::read(file.same_file()).unwrap(), b"a large one");
        assert!(cache.get(&code(b"ab")).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_may_write_to_or_that_is_a_link_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("cache"), &link).unwrap();
        cache(&folder, 1);
        for (path, why) in [(open, "open to other users"), (link, "not a folder")] {
            let error = ArtifactCache::open(path, 1).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn old_temporary_files_are_removed_and_new_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = cache(&folder, 1).folder;
        for (name, age) in [(".old", 7200), (".new", 1)] {
            let file = std::fs::File::create(root.join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        cache(&folder, 1);
        assert!(!root.join(".old").exists() && root.join(".new").exists());
    }
}
