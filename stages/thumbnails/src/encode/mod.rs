//! Encoding pictures as files. The files carry no metadata; without a profile, every reader assumes sRGB.

pub mod jpeg;

use crate::config::OutputFormat;
use crate::error::PictureError;
use crate::geometry::Size;

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
