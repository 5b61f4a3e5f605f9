//! Encoding pictures as files. The files carry no metadata; without a profile, every reader assumes sRGB.
//!
//! WebP is written losslessly: the lossy encoders in Rust are young, and one in C would need a C toolchain for WebAssembly
//! on every machine that builds this stage. A lossless photo is several times larger than a JPEG. The format is meant for
//! renderings and drawings, or for bounds so small that the size does not matter.

pub mod jpeg;

use image_webp::{ColorType as WebPColour, WebPEncoder};

use crate::config::OutputFormat;
use crate::error::PictureError;
use crate::geometry::Size;
use crate::raster::{Layout, Raster};

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

/// Returns the lossless WebP of a picture that is upright and in sRGB.
///
/// # Errors
/// If a side is longer than a WebP can be.
pub fn webp(picture: &Raster) -> Result<Vec<u8>, PictureError> {
    let size = picture.size();
    let failed =
        |what: &dyn std::fmt::Display| PictureError::defect(format!("writing a WebP of {size} pixels failed: {what}"));
    let colour = match picture.layout() {
        Layout::Gray => WebPColour::L8,
        Layout::GrayAlpha => WebPColour::La8,
        Layout::Rgb => WebPColour::Rgb8,
        Layout::Rgba => WebPColour::Rgba8,
        Layout::Cmyk => return Err(failed(&"it is CMYK")),
    };
    let mut out = Vec::new();
    WebPEncoder::new(&mut out).encode(picture.samples(), size.width, size.height, colour).map_err(|e| failed(&e))?;
    Ok(out)
}
