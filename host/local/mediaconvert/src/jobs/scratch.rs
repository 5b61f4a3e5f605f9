//! The folder of a running job, and those that a killed process has left behind.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// The beginning of the folders' names.
const PREFIX: &str = "mediaconvert-";

/// The file that is locked as long as the job runs. The operating system releases the lock of a process that dies.
const LOCK: &str = "stagehost.lock";

/// The folder of a running job. It is removed when this is dropped.
pub(super) struct ScratchFolder {
    folder: TempDir,
    _lock: File,
}

impl ScratchFolder {
    /// Makes a folder in the system's folder for temporary files.
    pub(super) fn new() -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    fn new_in(place: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        // The file gets its name when it is locked, so that nobody sees it unlocked as long as this process lives.
        let (new, name) = (folder.path().join(".lock"), folder.path().join(LOCK));
        let lock = File::create_new(&new)?;
        lock.lock()?;
        std::fs::rename(new, name)?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders of processes that were killed.
pub(crate) fn remove_leftovers() {
    remove_leftovers_in(&std::env::temp_dir());
}

fn remove_leftovers_in(place: &Path) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let folder = entry.path();
        let lock = folder.join(LOCK);
        // Another program's folder may have the same prefix, but not this file in it.
        if !lock.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        let Ok(file) = File::open(&lock) else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => tracing::info!(folder = %folder.display(), "the folder of a killed job is removed"),
            Err(error) => tracing::warn!(folder = %folder.display(), %error, "a killed job's folder stays"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_of_dead_processes_go_and_those_of_living_ones_stay() {
        let place = tempfile::tempdir().unwrap();
        let alive = ScratchFolder::new_in(place.path()).unwrap();
        // A process that was killed has no lock any more.
        let dead = place.path().join("mediaconvert-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        std::fs::write(dead.join("output-0.mp4"), "half").unwrap();
        let foreign = place.path().join("mediaconvert-of-others");
        std::fs::create_dir(&foreign).unwrap();

        remove_leftovers_in(place.path());
        assert!(alive.path().is_dir() && foreign.is_dir());
        assert!(!dead.exists());

        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }
}
