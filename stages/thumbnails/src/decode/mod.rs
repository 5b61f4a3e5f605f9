//! One decoder per format, all of them bounded: the memory that a picture needs is estimated from its header and checked
//! before it is decoded, and no decoder may allocate more.
//!
//! A damaged file is refused and never shown in part: a listing with a gray band across the kitchen is worse than one
//! whose missing photo is named. So a JPEG whose data stops early, which some viewers fill up with gray, is `corrupt` here.

mod decoded;
#[cfg(any(feature = "heic", feature = "avif"))]
mod heif;
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
use crate::geometry::{Orientation, Size};

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
    let orientation = orientation(&source);
    match format {
        Format::Jpeg => jpeg::decode(source, limits, orientation, wanted),
        Format::Png => png_gif::decode_png(source, limits, orientation),
        Format::Gif => png_gif::decode_gif(source, limits, orientation),
        Format::WebP => webp::decode(source, limits, orientation),
        Format::Tiff => tiff::decode(source, limits, orientation),
        #[cfg(feature = "heic")]
        Format::Heic => heif::decode(format, source, limits),
        #[cfg(feature = "avif")]
        Format::Avif => heif::decode(format, source, limits),
    }
}

/// Returns how a file's picture must be turned, as the probe reads it, which has told portraits from landscapes before.
/// The decoders' libraries read another block where there are several, or one that is broken.
fn orientation(source: &[u8]) -> Orientation {
    let probed = stage_probe::probe(&mut &*source);
    probed.map(|found| Orientation::from_exif(found.orientation.into())).unwrap_or_default()
}
