//! Encoding pictures as files. The files carry no metadata; without a profile, every reader assumes sRGB.

pub mod jpeg;

use crate::config::{Config, OutputFormat};
use crate::error::PictureError;
use crate::geometry::Size;
use crate::webp;

/// Returns the most bytes that writing a picture of this size takes, whatever is in it; the picture itself is included. With
/// `halved`, a JPEG has its colours at half the columns and half the rows; `opacity` says whether the picture may have it.
pub fn memory(size: Size, config: &Config, halved: bool, opacity: bool) -> u64 {
    match config.format {
        OutputFormat::Jpeg => jpeg::memory(size, halved),
        OutputFormat::Webp => webp::memory(size, config.lossless, opacity),
    }
}

/// Checks that a format can hold a picture of this size.
///
/// # Errors
/// `TooLarge` with the limit.
pub fn fits(size: Size, format: OutputFormat) -> Result<(), PictureError> {
    let (name, longest) = match format {
        OutputFormat::Jpeg => ("JPEG", 65_535),
        OutputFormat::Webp => ("WebP", 16_383),
    };
    if size.width.max(size.height) <= longest {
        return Ok(());
    }
    Err(PictureError::TooLarge(format!(
        "would be a {name} of {size} pixels, and a side of that format has at most {longest} (`boxes`, `widths`, `format`)"
    )))
}
