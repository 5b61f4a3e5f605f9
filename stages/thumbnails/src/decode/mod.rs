//! One decoder per format, all of them bounded: the memory that a picture needs is estimated from its header and checked
//! before it is decoded, and no decoder may allocate more.
//!
//! A damaged file is refused and never shown in part: a listing with a gray band across the kitchen is worse than one
//! whose missing photo is named. So a JPEG whose data stops early, which some viewers fill up with gray, is `corrupt` here.

mod decoded;
mod gif;
#[cfg(any(feature = "heic", feature = "avif"))]
mod heif;
mod jpeg;
mod limits;
mod png;
mod rows;
mod target;
mod tiff;
mod webp;

pub use decoded::{Decoded, DecodedPixels, WantedScale};
pub use limits::Limits;

use stage_probe::ProbeError;

use crate::colour::adobe_rgb;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::Raster;

/// Returns a picture's size, upright, as its header gives it. `None` if that cannot be read.
pub fn upright_size(mut source: &[u8]) -> Option<Size> {
    let found = stage_probe::probe(&mut source).ok()?.pixels?;
    Some(Size::new(found.width, found.height))
}

/// Decodes `source`, which is of `format`.
///
/// For the picture's size, upright, `wanted` returns what will be made of it. A decoder may skip
/// detail that is not needed for that. The file's bytes are freed as soon as they are not needed.
///
/// # Errors
/// If the file is damaged, larger than `limits`, or of a kind that is not supported.
pub fn decode(
    format: Format,
    source: Vec<u8>,
    limits: Limits,
    wanted: &dyn Fn(Size) -> WantedScale,
) -> Result<Decoded, PictureError> {
    // Orientation and colours are as the probe reads them, because the validate stage has used its orientation already. Of
    // several EXIF blocks, or of broken ones, the decoders' libraries would read another.
    let probed = match stage_probe::probe(&mut source.as_slice()) {
        // The pixels may be complete, and the file ends within the EXIF after them, which may turn the picture.
        Err(ProbeError::Truncated { .. }) if matches!(format, Format::Png | Format::WebP) => {
            return Err(PictureError::cut_off(format.name(), source.len()));
        }
        answer => answer.ok(),
    };
    let orientation = probed.as_ref().map(|found| Orientation::from_exif(found.orientation.into())).unwrap_or_default();
    let by_exif = || probed.as_ref().filter(|found| found.adobe_rgb).map(|_| adobe_rgb());
    let size = |upright: Size| wanted(upright).size;
    let mut decoded = match format {
        Format::Jpeg => jpeg::decode(source, limits, orientation, wanted)?,
        // Its own chunks come before its EXIF.
        Format::Png => return png::decode(source, limits, orientation, by_exif().flatten(), &size),
        Format::Gif => gif::decode(source, limits, orientation, &size)?,
        Format::WebP => webp::decode(source, limits, orientation, &size)?,
        Format::Tiff => {
            let directory = match &probed {
                Some(found) => found.content(),
                // The decoder returns the error of the first directory.
                None => tiff::first_directory(&source)?,
            };
            tiff::decode(source, limits, directory, orientation, &size)?
        }
        #[cfg(feature = "heic")]
        Format::Heic => heif::decode(format, source, limits)?,
        #[cfg(feature = "avif")]
        Format::Avif => heif::decode(format, source, limits)?,
    };
    if decoded.profile.is_none() {
        decoded.profile = by_exif().flatten();
    }
    Ok(decoded)
}

/// Returns interleaved pixels, and the columns and rows that the picture covers.
///
/// # Errors
/// If planes are incomplete.
pub fn interleaved(pixels: DecodedPixels) -> Result<(Raster, (f64, f64)), PictureError> {
    match pixels {
        DecodedPixels::Interleaved { raster, extent } => Ok((raster, extent)),
        DecodedPixels::Planar(planes) => jpeg::pixels(planes),
    }
}
