//! Errors: of opening the folder, and of requests as S3 reports them.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use s3s::{S3Error, S3ErrorCode, S3Result};

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder, or the hidden folder in it, cannot be created or read.
    #[error("the S3 folder {path} cannot be used: {source}. Choose a folder that you may write to")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another process serves the folder. Two processes would remove each other's unfinished files.
    #[error("the S3 folder {path} is served by another process. Stop that one, or choose another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// Adds the path to an error of the file system.
pub trait AtPath<T> {
    /// Turns it into an S3 error: `AccessDenied`, `KeyTooLongError` if the name is too long for the file system,
    /// `StorageFull` if the disk is full, otherwise `InternalError`.
    fn at(self, path: &Path) -> S3Result<T>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: &Path) -> S3Result<T> {
        self.map_err(|error| io_error(&path.display().to_string(), error))
    }
}

/// Returns the error for a failure of the file system. A full disk has a code of its own and a status that SDKs do not retry:
/// trying again does not help.
pub fn io_error(what: &str, error: io::Error) -> S3Error {
    let message = format!("{what}: {error}");
    let mut failure = match error.kind() {
        ErrorKind::InvalidFilename => S3Error::with_message(S3ErrorCode::KeyTooLongError, message),
        ErrorKind::PermissionDenied => S3Error::with_message(S3ErrorCode::AccessDenied, message),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            custom_error("StorageFull", hyper::StatusCode::INSUFFICIENT_STORAGE, format!("the disk is full: {message}"))
        }
        _ => S3Error::with_message(S3ErrorCode::InternalError, message),
    };
    failure.set_source(Box::new(error));
    failure
}

/// Returns an error of S3 with this message.
pub fn refuse<T>(code: S3ErrorCode, message: impl Into<String>) -> S3Result<T> {
    Err(S3Error::with_message(code, message.into()))
}

/// Returns an error of S3 that `s3s` does not define.
pub fn custom_error(code: &'static str, status: hyper::StatusCode, message: impl Into<String>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message.into());
    error.set_status_code(status);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_that_no_sdk_retries() {
        let error = io_error("a/b", ErrorKind::StorageFull.into());
        assert_eq!(
            (error.code().as_str(), error.status_code().map(|status| status.as_u16())),
            ("StorageFull", Some(507))
        );
        assert!(error.message().is_some_and(|message| message.starts_with("the disk is full: a/b: ")), "{error}");
        assert_eq!(io_error("a/b", ErrorKind::Other.into()).code().as_str(), "InternalError");
    }
}
