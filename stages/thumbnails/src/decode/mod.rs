//! One decoder per format, all of them bounded: what a picture would need is worked out from its header and refused
//! before it is decoded, and no decoder may allocate beyond that.
//!
//! A damaged file is refused, never half shown: a listing with a gray band across the kitchen is worse than one with a
//! photo missing and named. So a JPEG whose data stops before its end, which some viewers fill up, is `corrupt` here.

mod jpeg;
mod png_gif;
mod tiff;
mod webp;

use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::Raster;

/// How large a source may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pixels, as the header says.
    pub pixels: u64,
    /// Bytes of memory for decoding, as worked out from the header.
    pub memory: u64,
}

/// A decoded picture, as stored: not yet upright, not yet in sRGB.
#[derive(Debug)]
pub struct Decoded {
    /// The pixels, possibly at a fraction of their full size.
    pub raster: Raster,
    /// How much of [`Decoded::raster`] is picture, from the top left corner. Less than all of it where a fraction of the
    /// full size ends within a pixel.
    pub extent: (f64, f64),
    /// The picture's full size, as stored.
    pub full: Size,
    /// How it must be turned.
    pub orientation: Orientation,
    /// The bytes of its ICC profile, whole.
    pub profile: Option<Vec<u8>>,
}

impl Decoded {
    /// A picture that was decoded at its full size.
    fn whole(raster: Raster, orientation: Orientation, profile: Option<Vec<u8>>) -> Self {
        let full = raster.size();
        Self { raster, extent: (f64::from(full.width), f64::from(full.height)), full, orientation, profile }
    }
}

/// Decodes `source`, which is of `format`.
///
/// `wanted` gives the largest size that will be made of a picture, both upright; a decoder that can may skip detail that
/// is not needed for it. The file's bytes are let go of as soon as they are not needed.
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

impl Limits {
    /// Checks a size from a header.
    fn check_size(&self, format: Format, size: Size) -> Result<(), PictureError> {
        let name = format.name();
        if size.pixels() == 0 {
            return Err(PictureError::Corrupt(format!("{name}: the header gives a size of {size}")));
        }
        if size.pixels() > self.pixels {
            return Err(PictureError::TooLarge(format!(
                "{name}: {size} is {:.1} megapixels, more than the {:.1} that `maxPixels` allows",
                size.pixels() as f64 / 1e6,
                self.pixels as f64 / 1e6
            )));
        }
        Ok(())
    }

    /// Checks how many bytes decoding will take at its peak.
    fn check_memory(&self, format: Format, size: Size, bytes: u64) -> Result<(), PictureError> {
        if bytes > self.memory {
            return Err(PictureError::TooLarge(format!(
                "{}: decoding {size} takes {} MiB of memory, more than the {} that `maxMemory` allows",
                format.name(),
                bytes.div_ceil(1 << 20),
                self.memory >> 20
            )));
        }
        Ok(())
    }
}

/// The orientation from an EXIF block, with or without JPEG's `Exif` before it.
fn exif_orientation(block: &[u8]) -> Orientation {
    stage_probe::exif_orientation(block).map(|value| Orientation::from_exif(value.into())).unwrap_or_default()
}

/// Rounds samples of 16 bits, in the machine's byte order, to 8 bits, in place.
fn narrow(mut samples: Vec<u8>) -> Vec<u8> {
    let count = samples.len() / 2;
    for i in 0..count {
        let wide = u32::from(u16::from_ne_bytes([samples[2 * i], samples[2 * i + 1]]));
        // 65535 / 255 is 257: exact at both ends, rounded between.
        samples[i] = ((wide + 128) / 257) as u8;
    }
    samples.truncate(count);
    samples
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sixteen_bits_are_rounded_to_eight() {
        let wide: Vec<u8> =
            [0u16, 128, 129, 257, 32_896, 65_534, 65_535].iter().flat_map(|s| s.to_ne_bytes()).collect();
        assert_eq!(narrow(wide), [0, 0, 1, 1, 128, 255, 255]);
    }
}
