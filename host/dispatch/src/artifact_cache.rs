//! Artifacts that came from the registry, kept on this machine's disk: by digest, never believed, bounded in size.
//!
//! ```text
//! <blake3>.cwasm     native code
//! <name>.signed      the manifest or record that was signed about it, checked anew whenever it is read
//! ```
//!
//! Nothing in here counts because it is here. The folder is this user's alone all the same: less to think about.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use stagehost_registry::Blob;

use crate::checked_file::{CheckedFile, FileError};

/// Half of what `/tmp` of a Lambda function has unless it is configured to have more: a new artifact is written beside those
/// that are there, and the cache is not alone in that folder.
pub const DEFAULT_CACHE_BYTES: u64 = 256 << 20;

/// What a process that died has left half-written is removed when it is that old.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Why there can be no cache in a folder.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Somebody else could put native code in there.
    #[error("{} {reason}; remove it, or make it this user's alone (chmod 700)", .path.display())]
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
    /// A cache in `folder`, which is made if it is missing, of at most `max_bytes` of code.
    ///
    /// # Errors
    /// If the folder is not this user's alone.
    pub fn open(folder: impl Into<PathBuf>, max_bytes: u64) -> Result<Self, CacheError> {
        let folder = folder.into();
        let io = |source| CacheError::Io { path: folder.clone(), source };
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made.map_err(io)?,
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

    /// The code with that digest, if it is here and still what its name says.
    pub(crate) fn get(&self, code: &Blob) -> Result<Option<CheckedFile>, FileError> {
        match CheckedFile::open(&self.path(code), &code.digest) {
            Ok(file) => {
                // Used just now; whoever cannot note that is only removed earlier.
                let _ = file.file().set_modified(SystemTime::now());
                Ok(Some(file))
            }
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps code. What has not been used for longest makes room.
    pub(crate) fn put(&self, code: &Blob, bytes: &[u8]) -> Result<CheckedFile, CacheError> {
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

    /// A signed text that was kept.
    pub(crate) fn statement(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.statement_path(name)).ok()
    }

    /// Keeps a signed text. If that does not work, the registry is asked again, that is all.
    pub(crate) fn keep_statement(&self, name: &str, text: &[u8]) {
        let path = self.statement_path(name);
        if let Err(error) = self.write(&path, text) {
            tracing::warn!(%error, file = %path.display(), "a signed text is not kept");
        }
    }

    fn path(&self, code: &Blob) -> PathBuf {
        self.folder.join(format!("{}.cwasm", code.digest.trim_start_matches("blake3:")))
    }

    fn statement_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.signed"))
    }

    /// Whole or not at all. A link that has the name is replaced, not followed.
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::with_prefix_in(".", &self.folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }

    /// Removes code until no more than `bytes` are left, `but` aside. Mapped code stays mapped without its name.
    fn make_room(&self, bytes: u64, but: &Path) {
        let is_code = |path: &Path| path.extension().is_some_and(|e| e == "cwasm") && path != but;
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

    fn blob(bytes: &[u8]) -> Blob {
        Blob { digest: blake3_of(bytes), bytes: bytes.len() as u64 }
    }

    fn cache(folder: &tempfile::TempDir, max_bytes: u64) -> ArtifactCache {
        ArtifactCache::open(folder.path().join("cache"), max_bytes).unwrap()
    }

    #[test]
    fn what_was_kept_is_found_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 100);
        assert!(cache.get(&blob(b"one")).unwrap().is_none());
        cache.put(&blob(b"one"), b"one").unwrap();
        assert!(cache.get(&blob(b"one")).unwrap().is_some());
        assert!(cache.get(&blob(b"two")).unwrap().is_none());
    }

    #[test]
    fn code_that_changed_on_the_disk_is_not_given_and_can_be_kept_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 100);
        let path = cache.put(&blob(b"one"), b"one").unwrap().path().to_owned();
        std::fs::write(&path, b"0ne").unwrap();
        assert!(matches!(cache.get(&blob(b"one")), Err(FileError::Digest { .. })));
        cache.put(&blob(b"one"), b"one").unwrap();
        assert!(cache.get(&blob(b"one")).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_cache_is_neither_followed_nor_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 100);
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, b"one").unwrap();
        let path = cache.path(&blob(b"one"));
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(matches!(cache.get(&blob(b"one")), Err(FileError::NotPlain { .. })));
        std::fs::write(&elsewhere, b"untouched").unwrap();
        cache.put(&blob(b"one"), b"one").unwrap();
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"untouched");
        assert!(cache.get(&blob(b"one")).unwrap().is_some());
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 10);
        let old = |bytes: &[u8], seconds: u64| {
            let file = cache.put(&blob(bytes), bytes).unwrap();
            file.file().set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        };
        old(b"aaaa", 300);
        old(b"bbbb", 200);
        // Used again, so the other one is older now.
        cache.get(&blob(b"aaaa")).unwrap().unwrap();
        cache.put(&blob(b"cccc"), b"cccc").unwrap();
        let there = |bytes: &[u8]| cache.get(&blob(bytes)).unwrap().is_some();
        assert!(there(b"aaaa") && !there(b"bbbb") && there(b"cccc"));
    }

    #[test]
    fn one_that_is_larger_than_the_bound_can_still_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 3);
        cache.put(&blob(b"ab"), b"ab").unwrap();
        let file = cache.put(&blob(b"a large one"), b"a large one").unwrap();
        assert_eq!(std::fs::read(file.same_file()).unwrap(), b"a large one");
        assert!(cache.get(&blob(b"ab")).unwrap().is_none());
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
    fn what_a_process_that_died_has_left_is_removed_and_what_is_being_written_is_not() {
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
