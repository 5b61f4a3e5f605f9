//! TIFF: the first picture of the file. Gray, RGB and CMYK of 8 or 16 bits, gray of 1 bit.

use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{PlanarConfiguration, Tag};
use tiff::{ColorType, TiffError};

use super::{Decoded, Limits, narrow};
use crate::colour::MAX_PROFILE;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

pub(super) fn decode(source: Vec<u8>, limits: Limits) -> Result<Decoded, PictureError> {
    let length = source.len();
    let explain = |e: TiffError| explain(&e, length);
    let mut decoder = Decoder::new(Cursor::new(source)).map_err(explain)?;
    let (width, height) = decoder.dimensions().map_err(explain)?;
    let size = Size::new(width, height);
    limits.check_size(Format::Tiff, size)?;

    let colours = decoder.colortype().map_err(explain)?;
    let (layout, depth) = match colours {
        ColorType::Gray(depth @ (1 | 8 | 16)) => (Layout::Gray, depth),
        ColorType::GrayA(depth @ (8 | 16)) => (Layout::GrayAlpha, depth),
        ColorType::RGB(depth @ (8 | 16)) => (Layout::Rgb, depth),
        ColorType::RGBA(depth @ (8 | 16)) => (Layout::Rgba, depth),
        ColorType::CMYK(depth @ (8 | 16)) => (Layout::Cmyk, depth),
        other => return Err(PictureError::Unsupported(format!("TIFF: samples of kind {other:?} are not rendered"))),
    };
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(explain)?;
    if planar == Some(PlanarConfiguration::Planar.to_u16()) && layout.channels() > 1 {
        // Rare, and where the library is least tried: tiled ones make it panic.
        return Err(PictureError::Unsupported("TIFF: separate colour planes are not rendered".to_owned()));
    }

    // A strip or a tile is decoded whole, so its size counts as the picture's own does.
    let mut side = |tag| decoder.find_tag_unsigned::<u32>(tag).map_err(explain);
    let chunk = match (side(Tag::TileWidth)?, side(Tag::TileLength)?) {
        (Some(tile_width), Some(tile_height)) => {
            let tile = Size::new(tile_width, tile_height);
            limits.check_size(Format::Tiff, tile)?;
            tile
        }
        _ => Size::new(width, side(Tag::RowsPerStrip)?.unwrap_or(height).min(height)),
    };
    let pixel = layout.channels() as u64 * u64::from(depth).div_ceil(8);
    let bytes = size.pixels().saturating_mul(pixel);
    let chunk_bytes = chunk.pixels().saturating_mul(pixel);
    let peak = bytes.saturating_add(chunk_bytes).saturating_add(length as u64);
    limits.check_memory(Format::Tiff, size, peak)?;
    let bound = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut bounds = tiff::decoder::Limits::default();
    bounds.decoding_buffer_size = bound(bytes);
    bounds.intermediate_buffer_size = bound(limits.memory.saturating_sub(bytes));
    bounds.ifd_value_size = length.max(1 << 16);
    let mut decoder = decoder.with_limits(bounds);

    let orientation = decoder
        .find_tag_unsigned::<u16>(Tag::Orientation)
        .map_err(explain)?
        .map(Orientation::from_exif)
        .unwrap_or_default();
    let profile = decoder.get_tag_u8_vec(Tag::IccProfile).ok().filter(|p| p.len() <= MAX_PROFILE);
    let samples = match decoder.read_image().map_err(explain)? {
        DecodingResult::U8(samples) if depth == 1 => spread_bits(&samples, size),
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => narrow(samples.into_iter().flat_map(u16::to_ne_bytes).collect()),
        _ => return Err(PictureError::Unsupported("TIFF: samples other than unsigned integers".to_owned())),
    };
    if samples.len() as u64 != size.pixels() * layout.channels() as u64 {
        return Err(PictureError::Corrupt(format!("TIFF: the strips hold {} bytes for {size} pixels", samples.len())));
    }
    Ok(Decoded::whole(Raster::new(size, layout, samples)?, orientation, profile))
}

/// One bit a sample, rows padded to bytes, to one byte a sample.
fn spread_bits(packed: &[u8], size: Size) -> Vec<u8> {
    let width = size.width as usize;
    let mut samples = Vec::with_capacity(width * size.height as usize);
    for row in packed.chunks_exact(width.div_ceil(8)) {
        let bits = row.iter().flat_map(|byte| (0..8).rev().map(move |bit| if byte >> bit & 1 == 1 { 255 } else { 0 }));
        samples.extend(bits.take(width));
    }
    samples
}

fn explain(error: &TiffError, bytes: usize) -> PictureError {
    match error {
        TiffError::IoError(_) => {
            PictureError::Corrupt(format!("TIFF: the file ends after {bytes} bytes, before the picture does"))
        }
        TiffError::UnsupportedError(what) => PictureError::Unsupported(format!("TIFF: {what}")),
        TiffError::LimitsExceeded => {
            PictureError::TooLarge("TIFF: decoding takes more memory than `maxMemory` allows".to_owned())
        }
        other => PictureError::Corrupt(format!("TIFF: {other}")),
    }
}
