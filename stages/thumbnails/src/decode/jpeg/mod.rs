//! JPEG, decoded at the smallest of the scales 1/1, 1/2, 1/4 and 1/8 that still covers the wanted size.
//!
//! The inverse cosine transform itself scales, so a photo of 12 megapixels never exists at full size. [`sequential`]
//! decodes what cameras write. The library decodes the rest: progressive and CMYK pictures, several scans, unusual
//! sampling, and pictures that are wanted at nearly their full size. It takes zeros for missing data, so [`complete`] looks
//! for that first.

mod complete;
mod error;
mod header;
mod huffman;
mod idct;
mod sequential;

use jpeg_decoder::{Decoder, Error, PixelFormat};

use self::error::{damaged, explain, unsupported};
use self::header::{Frame, Header};
use super::decoded::Decoded;
use super::limits::Limits;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

pub(super) fn decode(
    source: Vec<u8>,
    limits: Limits,
    orientation: Orientation,
    wanted: &dyn Fn(Size) -> Size,
) -> Result<Decoded, PictureError> {
    let header = Header::read(&source)?;
    let frame = header.frame.as_ref().ok_or_else(|| damaged("it has no frame header"))?;
    let full = Size::new(frame.width.into(), frame.height.into());
    limits.check_size(Format::Jpeg, full)?;
    check_kind(frame)?;

    let target = orientation.apply(wanted(orientation.apply(full)));
    let eighths = smallest_scale(full, target);
    let scaled = Size::new(scale_side(full.width, eighths), scale_side(full.height, eighths));

    let samples = frame.components.len() as u64;
    let pixels = scaled.pixels() * samples;
    let (layout, pixels) = if sequential::supports(&header, frame, eighths) {
        limits.check_memory(Format::Jpeg, full, source.len() as u64 + pixels)?;
        let pixels = sequential::decode(&source, &header, frame, eighths, scaled)?;
        (if samples == 1 { Layout::Gray } else { Layout::Rgb }, pixels)
    } else {
        // Planes and pixels. A progressive picture also keeps every coefficient, two bytes each, until its last scan.
        let stored = frame.stored_samples().max(full.pixels() * samples);
        let planes = (stored * u64::from(eighths * eighths) / 64).max(pixels);
        let coefficients = if frame.marker == 0xC2 { 2 * stored } else { 0 };
        limits.check_memory(Format::Jpeg, full, source.len() as u64 + pixels + planes + coefficients)?;
        complete::check(&source)?;
        by_library(&source, &header, limits, scaled)?
    };
    let profile = header.profile();
    drop(source);
    let raster = Raster::new(scaled, layout, pixels)?;
    let ratio = f64::from(eighths) / 8.0;
    let extent = |side: u32, got: u32| (f64::from(side) * ratio).clamp(1.0, f64::from(got));
    let extent = (extent(full.width, scaled.width), extent(full.height, scaled.height));
    Ok(Decoded { raster, extent, full, orientation, profile })
}

/// Decodes a picture at its full size, with interleaved samples: gray, RGB or inks.
pub(super) fn decode_raster(source: Vec<u8>, limits: Limits) -> Result<Raster, PictureError> {
    decode(source, limits, Orientation::Upright, &|size| size).map(|decoded| decoded.raster)
}

/// Refuses the kinds of JPEG that no camera writes.
fn check_kind(frame: &Frame) -> Result<(), PictureError> {
    let what = match frame.marker {
        0xC0..=0xC2 if frame.precision == 8 => return Ok(()),
        0xC0..=0xC2 => format!("samples of {} bits", frame.precision),
        0xC3 => "lossless coding (SOF3)".to_owned(),
        0xC9..=0xCB => "arithmetic coding".to_owned(),
        _ => "hierarchical coding".to_owned(),
    };
    Err(unsupported(&what))
}

/// Decodes with the library. `scaled` is exactly the size at one of its scales, so it uses that scale.
fn by_library(source: &[u8], header: &Header, limits: Limits, scaled: Size) -> Result<(Layout, Vec<u8>), PictureError> {
    let explain = |error: Error| explain(&error, source.len());
    let mut decoder = Decoder::new(source);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    // Both sides are at most the full ones, which are u16.
    let got = match header.frame.as_ref() {
        // Of a side of a few pixels, several scales make the same number, and the library takes the smallest.
        Some(frame) if (frame.width.into(), frame.height.into()) == (scaled.width, scaled.height) => {
            (frame.width, frame.height)
        }
        _ => decoder.scale(scaled.width as u16, scaled.height as u16).map_err(explain)?,
    };
    if (u32::from(got.0), u32::from(got.1)) != (scaled.width, scaled.height) {
        return Err(PictureError::defect(format!("the JPEG was scaled to {}x{} and not to {scaled}", got.0, got.1)));
    }
    let mut pixels = decoder.decode().map_err(explain)?;
    let layout = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::L8) => Layout::Gray,
        Some(PixelFormat::RGB24) => Layout::Rgb,
        Some(PixelFormat::CMYK32) => {
            // The library expects all CMYK pictures as Adobe writes them, inverted. Others are not inverted.
            if header.adobe.is_none() {
                pixels.iter_mut().for_each(|ink| *ink = 255 - *ink);
            }
            Layout::Cmyk
        }
        Some(PixelFormat::L16) | None => return Err(unsupported("samples of 16 bits")),
    };
    Ok((layout, pixels))
}

/// Returns the scale in eighths. The full size covers every target, because nothing is enlarged. It is the only scale of
/// pictures with a side of a few pixels; see [`by_library`].
fn smallest_scale(full: Size, target: Size) -> u32 {
    if full.width.min(full.height) < 8 {
        return 8;
    }
    [1, 2, 4]
        .into_iter()
        // Complete pixels must cover the target; the last column and row may be incomplete.
        .find(|&eighths| full.width * eighths / 8 >= target.width && full.height * eighths / 8 >= target.height)
        .unwrap_or(8)
}

fn scale_side(side: u32, eighths: u32) -> u32 {
    (side * eighths).div_ceil(8)
}

#[cfg(test)]
mod tests;
