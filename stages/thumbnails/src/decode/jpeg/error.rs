//! The errors of JPEG decoding.

use jpeg_decoder::{Error, UnsupportedFeature};

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

/// Returns the library's error, for a file of `bytes` bytes.
pub fn explain(error: &Error, bytes: usize) -> PictureError {
    match error {
        Error::Format(what) => damaged(what),
        Error::Unsupported(UnsupportedFeature::ComponentCount(count)) => {
            unsupported(&format!("{count} colour channels"))
        }
        Error::Unsupported(UnsupportedFeature::SubsamplingRatio | UnsupportedFeature::NonIntegerSubsamplingRatio) => {
            unsupported("unusual chroma subsampling")
        }
        Error::Unsupported(UnsupportedFeature::ColorTransform(_)) => unsupported("an unusual colour transform"),
        // The other features are refused before the library sees the file.
        Error::Unsupported(_) => unsupported("an unusual feature"),
        Error::Io(_) => cut_off(bytes),
        Error::Internal(what) => PictureError::defect(what),
    }
}
