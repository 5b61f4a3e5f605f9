//! WebP: lossy, lossless, with opacity; of an animation, the first frame.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::{Decoded, Limits, exif_orientation};
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::Size;
use crate::raster::{Layout, Raster};

pub(super) fn decode(source: Vec<u8>, limits: Limits) -> Result<Decoded, PictureError> {
    let length = source.len();
    let mut decoder = WebPDecoder::new(Cursor::new(source)).map_err(|e| explain(&e, length))?;
    let (width, height) = decoder.dimensions();
    let size = Size::new(width, height);
    limits.check_size(Format::WebP, size)?;
    // A lossless picture is decoded to four bytes a pixel before it is handed over; a lossy one to planes of 1.5.
    let bytes = decoder.output_buffer_size().unwrap_or(usize::MAX);
    let peak = (bytes as u64).saturating_add(4 * size.pixels()).saturating_add(length as u64);
    limits.check_memory(Format::WebP, size, peak)?;
    // Metadata chunks say how long they are: none is longer than the file.
    decoder.set_memory_limit(length);

    let orientation = decoder.exif_metadata().ok().flatten().map(|e| exif_orientation(&e)).unwrap_or_default();
    let profile = decoder.icc_profile().ok().flatten();
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    decoder.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    let mut samples = vec![0; bytes];
    decoder.read_image(&mut samples).map_err(|e| explain(&e, length))?;
    Ok(Decoded::whole(Raster::new(size, layout, samples)?, orientation, profile))
}

fn explain(error: &DecodingError, bytes: usize) -> PictureError {
    match error {
        DecodingError::IoError(_) => {
            PictureError::Corrupt(format!("WebP: the file ends after {bytes} bytes, before the picture does"))
        }
        DecodingError::MemoryLimitExceeded => {
            PictureError::TooLarge("WebP: decoding takes more memory than `maxMemory` allows".to_owned())
        }
        DecodingError::ImageTooLarge => PictureError::TooLarge("WebP: the picture is too large".to_owned()),
        DecodingError::UnsupportedFeature(what) => PictureError::Unsupported(format!("WebP: {what} is not rendered")),
        other => PictureError::Corrupt(format!("WebP: {other}")),
    }
}
