//! One decoder per format, all of them bounded: the memory that a picture needs is estimated from its header and checked
//! before it is decoded, and no decoder may allocate more.
//!
//! A damaged file is refused and never shown in part: a listing with a gray band across the kitchen is worse than one
//! whose missing photo is named. So a JPEG whose data stops early, which some viewers fill up with gray, is `corrupt` here.

mod decoded;
mod jpeg;
mod limits;
mod png_gif;
mod samples;
mod tiff;
mod webp;

pub use decoded::Decoded;
pub use limits::Limits;

use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::Size;

/// Decodes `source`, which is of `format`.
///
/// For the picture's size, `wanted` returns the largest size that will be made of it, both upright. A decoder may skip
/// detail that is not needed for that. The file's bytes are freed as soon as they are not needed.
///
/// # Errors
/// If the file is damaged, larger than `limits`, or of a kind that is not supported.
pub fn decode(
    format: Format,
    source: Vec<u8>,
    limits: Limits,
    wanted: &dyn Fn(Size) -> Size,
) -> Result<Decoded, PictureError> {
    match format {
        Format::Jpeg => jpeg::decode(source, limits, wanted),
        Format::Png => png_gif::decode_png(source, limits),
        Format::Gif => png_gif::decode_gif(source, limits),
        Format::WebP => webp::decode(source, limits),
        Format::Tiff => tiff::decode(source, limits),
    }
}
