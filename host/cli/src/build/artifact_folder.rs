//! The folder of compiled artifacts of this user: bounded, and writable by this user alone, because its files are executed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

/// The most bytes of artifacts that are kept, the newest ones first. A stage with an interpreter has about 60 MiB.
const MOST_BYTES: u64 = 4 << 30;
/// How long an artifact is kept after it was used last.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// An artifact is marked as used if it was not for this long.
const MARKED_EVERY: Duration = Duration::from_secs(3600);

/// The extension of artifacts.
const EXTENSION: &str = "cwasm";

/// Artifacts by name.
pub struct ArtifactFolder(PathBuf);

impl ArtifactFolder {
    /// Opens the folder below the user's cache folder.
    ///
    /// # Errors
    /// If there is none, or others may write to it.
    pub fn open() -> Result<Self> {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
            .context("there is no folder for compiled stages: neither XDG_CACHE_HOME nor HOME is set")?;
        let folder = base.join("stagehost/artifacts");
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, PermissionsExt};
            let metadata = std::fs::metadata(&folder)?;
            let own = tempfile::NamedTempFile::new_in(&folder)?.as_file().metadata()?.uid();
            anyhow::ensure!(
                metadata.uid() == own && metadata.permissions().mode() & 0o022 == 0,
                "others may write to {}; make it yours alone (chmod 700) or remove it",
                folder.display()
            );
        }
        Ok(Self(folder))
    }

    /// Returns the artifact's file, if it is there, and marks it as used.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let file = self.file(name);
        let modified = file.metadata().ok()?.modified().ok();
        let now = SystemTime::now();
        if modified.and_then(|modified| now.duration_since(modified).ok()).is_some_and(|age| age > MARKED_EVERY)
            && let Ok(opened) = std::fs::File::options().append(true).open(&file)
        {
            // Without the mark it is only deleted sooner.
            let _ = opened.set_modified(now);
        }
        Some(file)
    }

    /// Stores an artifact whole, and deletes others if there are too many. Returns its file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn store(&self, name: &str, artifact: &[u8]) -> Result<PathBuf> {
        let file = self.file(name);
        // With the extension, what a killed process leaves is deleted like an artifact.
        let extension = format!(".{EXTENSION}");
        let written = tempfile::Builder::new()
            .suffix(&extension)
            .tempfile_in(&self.0)
            .and_then(|mut temporary| std::io::Write::write_all(&mut temporary, artifact).map(|()| temporary))
            .and_then(|temporary| temporary.persist(&file).map_err(Into::into));
        written.with_context(|| format!("cannot keep the compiled artifact {}", file.display()))?;
        prune(&self.0, &file, MOST_BYTES, SystemTime::now());
        Ok(file)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.{EXTENSION}"))
    }
}

/// Deletes artifacts that were not used for long, and the oldest ones beyond `most` bytes, but not `new`. A process that has
/// mapped one keeps it. What cannot be deleted stays.
fn prune(folder: &Path, new: &Path, most: u64, now: SystemTime) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut artifacts: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == EXTENSION))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    artifacts.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0_u64;
    for (used, length, file) in artifacts {
        bytes = bytes.saturating_add(length);
        let old = now.duration_since(used).is_ok_and(|age| age > KEPT);
        if file != new && (old || bytes > most) {
            let _ = std::fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn artifacts_that_are_old_or_too_many_are_deleted_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let add = |name: &str, days: u64| {
            let file = folder.path().join(name);
            std::fs::write(&file, [0; 10]).unwrap();
            let used = now - Duration::from_secs(days * 24 * 3600);
            std::fs::File::options().append(true).open(&file).unwrap().set_modified(used).unwrap();
            file
        };
        for (name, days) in [("a.cwasm", 31), ("b.cwasm", 3), ("c.cwasm", 2), ("notes.txt", 99)] {
            add(name, days);
        }
        let new = add("new.cwasm", 0);
        let left = || {
            let mut names: Vec<_> = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        prune(folder.path(), &new, 1000, now);
        assert_eq!(left(), ["b.cwasm", "c.cwasm", "new.cwasm", "notes.txt"]);
        prune(folder.path(), &new, 25, now);
        assert_eq!(left(), ["c.cwasm", "new.cwasm", "notes.txt"]);
        prune(folder.path(), &new, 5, now);
        assert_eq!(left(), ["new.cwasm", "notes.txt"], "the one that was just stored stays");
    }
}
