//! WebP: lossy and lossless, with opacity. The first frame of an animation is decoded.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::decoded::Decoded;
use super::limits::Limits;
use super::rows;
use super::target::stored_target;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

const NAME: &str = Format::WebP.name();

/// The most that a part of a lossy frame claims to have, in bytes. The library takes memory for it before it is read.
const PART: u64 = 1 << 24;

pub(super) fn decode(
    source: Vec<u8>,
    limits: Limits,
    orientation: Orientation,
    wanted: &dyn Fn(Size) -> Size,
) -> Result<Decoded, PictureError> {
    let length = source.len();
    let mut decoder = WebPDecoder::new(Cursor::new(source)).map_err(|e| explain(&e, length))?;
    let (width, height) = decoder.dimensions();
    let size = Size::new(width, height);
    limits.check_size(Format::WebP, size)?;
    // Before the output is written, a lossless picture takes four bytes per pixel, and the planes of a lossy one take 1.5.
    let bytes = decoder.output_buffer_size().unwrap_or(usize::MAX);
    let peak = (bytes as u64).saturating_add(4 * size.pixels()).saturating_add(length as u64 + PART);
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    let resizing = rows::resizing(size, layout, 1, stored_target(size, orientation, wanted));
    limits.check_memory(Format::WebP, size, peak.max((bytes as u64).saturating_add(resizing)))?;
    // Metadata chunks give their own lengths; none is longer than the file.
    decoder.set_memory_limit(length);

    let profile = decoder.icc_profile().ok().flatten();
    decoder.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    let mut samples = vec![0; bytes];
    decoder.read_image(&mut samples).map_err(|e| explain(&e, length))?;
    Ok(Decoded::whole(Raster::new(size, layout, samples)?, orientation, profile))
}

/// Decodes a WebP within another file, as RGB or, with `opacity`, RGBA.
pub(super) fn decode_raster(file: &[u8], opacity: bool, limits: Limits) -> Result<Raster, PictureError> {
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(|e| explain(&e, file.len()))?;
    let (width, height) = decoder.dimensions();
    let size = Size::new(width, height);
    limits.check_size(Format::WebP, size)?;
    decoder.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    let mut samples = vec![0; decoder.output_buffer_size().unwrap_or(0)];
    decoder.read_image(&mut samples).map_err(|e| explain(&e, file.len()))?;
    // Encoders leave opacity out where it is full everywhere.
    let samples = match (decoder.has_alpha(), opacity) {
        (false, true) => samples.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect(),
        (true, false) => samples.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect(),
        _ => samples,
    };
    Raster::new(size, if opacity { Layout::Rgba } else { Layout::Rgb }, samples)
}

fn explain(error: &DecodingError, bytes: usize) -> PictureError {
    match error {
        DecodingError::IoError(_) => PictureError::cut_off(NAME, bytes),
        DecodingError::MemoryLimitExceeded => PictureError::too_much_memory(NAME),
        DecodingError::ImageTooLarge => {
            PictureError::TooLarge("is a WebP with more pixels than the format allows".to_owned())
        }
        DecodingError::UnsupportedFeature(_) => {
            PictureError::Unsupported("is a WebP with a feature that is not supported".to_owned())
        }
        // The library's text contains its own data structures, so it is left out.
        _ => PictureError::damaged(NAME, "its data breaks the rules of the format"),
    }
}
