//! Files of native code, hashed and mapped through the same open file, so that nobody can swap them in between.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// An open file whose digest was checked. Renaming, replacing or removing its name has no effect on it.
#[derive(Debug)]
pub(crate) struct CheckedFile {
    file: File,
    path: PathBuf,
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The file is missing or cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is a symbolic link, a folder or a pipe.
    #[error("{} is not a plain file", .path.display())]
    NotPlain {
        /// The path.
        path: PathBuf,
    },
    /// Its content has another digest.
    #[error("{} has the digest {found}, not the expected {expected}", .path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Its digest.
        found: String,
        /// The expected digest.
        expected: String,
    },
}

impl FileError {
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

impl CheckedFile {
    /// Opens a file and checks its digest. Symbolic links are refused.
    pub(crate) fn open(path: &Path, blake3: &str) -> Result<Self, FileError> {
        let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
        let not_plain = || FileError::NotPlain { path: path.to_owned() };
        let mut options = File::options();
        options.read(true);
        #[cfg(unix)]
        {
            use rustix::fs::OFlags;
            // NONBLOCK, because opening a pipe would wait for its other end.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
        }
        let file = match options.open(path) {
            Err(_) if path.is_symlink() => return Err(not_plain()),
            file => file.map_err(unreadable)?,
        };
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(not_plain());
        }
        let found = digest_of(&file).map_err(unreadable)?;
        if found != blake3 {
            return Err(FileError::Digest { path: path.to_owned(), found, expected: blake3.to_owned() });
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// Returns bytes whose digest was checked as a file in memory, for when the disk cannot be written. It is sealed
    /// against writing, and its memory is held as long as the code is mapped.
    #[cfg(target_os = "linux")]
    pub(crate) fn in_memory(bytes: &[u8]) -> std::io::Result<Self> {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
        use std::io::Write as _;
        let file = memfd_create("stagehost-artifact", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut file = File::from(file);
        file.write_all(bytes)?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(Self { file, path: "(memory)".into() })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn in_memory(_: &[u8]) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// Returns the open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Returns a path that leads to this open file, even if another file has its name by now.
    #[cfg(target_os = "linux")]
    pub(crate) fn same_file(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn same_file(&self) -> PathBuf {
        self.path.clone()
    }

    /// Returns its path when it was opened, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn digest_of(mut file: &File) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("blake3:{}", hasher.finalize().to_hex())),
            read => hasher.update(&buffer[..read]),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use stagehost_registry::blake3_of;

    use super::*;

    #[test]
    fn files_with_other_bytes_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"one").unwrap();
        assert!(CheckedFile::open(&path, &blake3_of(b"one")).is_ok());
        assert!(matches!(CheckedFile::open(&path, &blake3_of(b"two")), Err(FileError::Digest { .. })));
        assert!(matches!(CheckedFile::open(folder.path(), &blake3_of(b"")), Err(FileError::NotPlain { .. })));
        assert!(CheckedFile::open(&folder.path().join("b"), &blake3_of(b"")).unwrap_err().is_missing());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("real"), b"one").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("real"), &link).unwrap();
        let error = CheckedFile::open(&link, &blake3_of(b"one")).unwrap_err();
        assert!(matches!(error, FileError::NotPlain { .. }), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_in_memory_can_be_read_but_not_written() {
        let checked = CheckedFile::in_memory(b"one").unwrap();
        assert_eq!(std::fs::read(checked.same_file()).unwrap(), b"one");
        let written = File::options()
            .write(true)
            .open(checked.same_file())
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"two"));
        assert!(written.is_err());
        assert_eq!(std::fs::read(checked.same_file()).unwrap(), b"one");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_takes_the_name_after_the_check_is_not_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&path, b"one").unwrap();
        let checked = CheckedFile::open(&path, &blake3_of(b"one")).unwrap();
        std::fs::write(&other, b"two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read(checked.same_file()).unwrap(), b"one");
    }
}
