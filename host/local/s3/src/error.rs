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
    /// otherwise `InternalError`.
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
