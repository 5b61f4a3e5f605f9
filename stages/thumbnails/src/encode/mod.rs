//! Encoding pictures as files. The files carry no metadata; without a profile, every reader assumes sRGB.

pub mod jpeg;

use crate::config::OutputFormat;
use crate::error::PictureError;
use crate::geometry::Size;

/// Returns the most bytes that writing a picture of this size takes. With `halved`, a JPEG has its colours at half the columns
/// and half the rows.
pub fn memory(size: Size, format: OutputFormat, halved: bool) -> u64 {
    // Measured on noise at quality 100. A sample of a JPEG: itself, up to 6 bytes of symbols until their codes are known, and a
    // byte of the file. A photo at quality 85 takes a third of it.
    const SAMPLE_OF_JPEG: u64 = 8;
    const PIXEL_OF_WEBP: u64 = 13;
    match format {
        OutputFormat::Jpeg if halved => SAMPLE_OF_JPEG * (size.pixels() + 2 * size.halved().pixels()),
        OutputFormat::Jpeg => SAMPLE_OF_JPEG * 3 * size.pixels(),
        OutputFormat::Webp => PIXEL_OF_WEBP * size.pixels(),
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
