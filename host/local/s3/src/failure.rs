//! From what went wrong on the disk to what S3 says.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use s3s::{S3Error, S3ErrorCode, S3Result};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder, or the hidden folder in it, cannot be made or read.
    #[error("the S3 folder {path} cannot be used: {source}. Choose a folder that you may write to")]
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process serves it. Two would remove each other's unfinished files.
    #[error("the S3 folder {path} is served by another process. Stop that one, or choose another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// Names the place of an error of the file system.
pub trait AtPath<T> {
    /// As S3 reports it: `InternalError`, unless the name was the caller's and too long for the disk.
    fn at(self, path: &Path) -> S3Result<T>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: &Path) -> S3Result<T> {
        self.map_err(|error| {
            let code = match error.kind() {
                ErrorKind::InvalidFilename => S3ErrorCode::KeyTooLongError,
                ErrorKind::PermissionDenied => S3ErrorCode::AccessDenied,
                _ => S3ErrorCode::InternalError,
            };
            let message = format!("{}: {error}", path.display());
            let mut failure = S3Error::with_message(code, message);
            failure.set_source(Box::new(error));
            failure
        })
    }
}

/// An error of S3 with a message of ours.
pub fn refuse<T>(code: S3ErrorCode, message: impl Into<String>) -> S3Result<T> {
    Err(S3Error::with_message(code, message.into()))
}

/// An error of S3 that `s3s` has no name for.
pub fn unnamed(code: &'static str, status: hyper::StatusCode, message: impl Into<String>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message.into());
    error.set_status_code(status);
    error
}
