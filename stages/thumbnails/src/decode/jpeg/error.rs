//! The errors of JPEG decoding.

use crate::error::PictureError;
use crate::format::Format;

const NAME: &str = Format::Jpeg.name();

/// Returns the error for a file that breaks the format's rules.
pub fn damaged(what: &str) -> PictureError {
    PictureError::damaged(NAME, what)
}

/// Returns the error for a file that ends after `bytes` bytes.
pub fn cut_off(bytes: usize) -> PictureError {
    PictureError::cut_off(NAME, bytes)
}

/// Returns the error for a kind of JPEG that no camera writes.
pub fn unsupported(what: &str) -> PictureError {
    PictureError::Unsupported(format!(
        "is a JPEG with {what}; accepted are baseline and progressive JPEGs with samples of 8 bits"
    ))
}
