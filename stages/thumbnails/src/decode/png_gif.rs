//! PNG and GIF. The first frame of an animation is decoded.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::error::{ImageError, LimitErrorKind};
use image::{ColorType, ImageDecoder};

use super::decoded::Decoded;
use super::limits::Limits;
use super::samples::narrow;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

pub(super) fn decode_png(source: Vec<u8>, limits: Limits, orientation: Orientation) -> Result<Decoded, PictureError> {
    // Width and height follow the signature and the length and name of IHDR.
    if let Some([w0, w1, w2, w3, h0, h1, h2, h3]) = source.get(16..24).and_then(|b| <&[u8; 8]>::try_from(b).ok()) {
        let size = Size::new(u32::from_be_bytes([*w0, *w1, *w2, *w3]), u32::from_be_bytes([*h0, *h1, *h2, *h3]));
        limits.check_size(Format::Png, size)?;
    }
    let length = source.len();
    let decoder = PngDecoder::with_limits(Cursor::new(source), image_limits(limits))
        .map_err(|e| explain(Format::Png, &e, length))?;
    read(Format::Png, decoder, limits, length, orientation)
}

pub(super) fn decode_gif(source: Vec<u8>, limits: Limits, orientation: Orientation) -> Result<Decoded, PictureError> {
    // The logical screen follows the signature.
    if let Some([w0, w1, h0, h1]) = source.get(6..10).and_then(|b| <&[u8; 4]>::try_from(b).ok()) {
        let size = Size::new(u16::from_le_bytes([*w0, *w1]).into(), u16::from_le_bytes([*h0, *h1]).into());
        limits.check_size(Format::Gif, size)?;
    }
    let length = source.len();
    let mut decoder = GifDecoder::new(Cursor::new(source)).map_err(|e| explain(Format::Gif, &e, length))?;
    // A frame may claim to be larger than its screen; its pixels count, too.
    decoder.set_limits(image_limits(limits)).map_err(|e| explain(Format::Gif, &e, length))?;
    read(Format::Gif, decoder, limits, length, orientation)
}

fn image_limits(limits: Limits) -> image::Limits {
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(limits.memory.min(limits.pixels.saturating_mul(8)));
    bounds
}

fn read(
    format: Format,
    mut decoder: impl ImageDecoder,
    limits: Limits,
    length: usize,
    orientation: Orientation,
) -> Result<Decoded, PictureError> {
    let (width, height) = decoder.dimensions();
    let size = Size::new(width, height);
    limits.check_size(format, size)?;
    let (layout, wide) = match decoder.color_type() {
        ColorType::L8 => (Layout::Gray, false),
        ColorType::La8 => (Layout::GrayAlpha, false),
        ColorType::Rgb8 => (Layout::Rgb, false),
        ColorType::Rgba8 => (Layout::Rgba, false),
        ColorType::L16 => (Layout::Gray, true),
        ColorType::La16 => (Layout::GrayAlpha, true),
        ColorType::Rgb16 => (Layout::Rgb, true),
        ColorType::Rgba16 => (Layout::Rgba, true),
        _ => return Err(unsupported(format)),
    };
    let bytes = decoder.total_bytes();
    limits.check_memory(format, size, bytes.saturating_add(length as u64))?;
    let profile = decoder.icc_profile().ok().flatten();
    let bytes = usize::try_from(bytes).map_err(|_| PictureError::too_much_memory(format.name(), "`maxMemory`"))?;
    let mut samples = vec![0; bytes];
    decoder.read_image(&mut samples).map_err(|e| explain(format, &e, length))?;
    let samples = if wide { narrow(samples) } else { samples };
    Ok(Decoded::whole(Raster::new(size, layout, samples)?, orientation, profile))
}

fn unsupported(format: Format) -> PictureError {
    PictureError::Unsupported(format!(
        "is a {} of a kind that is not supported; accepted are gray and RGB pictures with 8 or 16 bits per sample",
        format.name()
    ))
}

fn explain(format: Format, error: &ImageError, bytes: usize) -> PictureError {
    let name = format.name();
    match error {
        ImageError::Limits(e) if matches!(e.kind(), LimitErrorKind::DimensionError) => {
            PictureError::TooLarge(format!("is a {name} with more pixels than are accepted (`maxPixels`)"))
        }
        ImageError::Limits(_) => PictureError::too_much_memory(name, "`maxPixels` or `maxMemory`"),
        ImageError::Unsupported(_) => unsupported(format),
        ImageError::IoError(_) => PictureError::cut_off(name, bytes),
        ImageError::Parameter(_) => PictureError::damaged(name, "it has no frame"),
        // The library's text contains its own data structures, so it is left out.
        _ => PictureError::damaged(name, "its data breaks the rules of the format"),
    }
}
