//! TIFF: the first picture of the file. Gray, RGB and CMYK with 8 or 16 bits per sample, and gray with 1 bit.

use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{PlanarConfiguration, Tag};
use tiff::{ColorType, TiffError, TiffUnsupportedError};

use super::decoded::Decoded;
use super::limits::Limits;
use super::samples::narrow;
use crate::colour::MAX_PROFILE;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

const NAME: &str = Format::Tiff.name();

pub(super) fn decode(source: Vec<u8>, limits: Limits, orientation: Orientation) -> Result<Decoded, PictureError> {
    let length = source.len();
    let explain = |e: TiffError| explain(&e, length);
    check_directory(&source, limits)?;
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
        _ => return Err(unsupported_samples()),
    };
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(explain)?;
    if planar == Some(PlanarConfiguration::Planar.to_u16()) && layout.channels() > 1 {
        // Such files are rare, and tiled ones make the library panic.
        return Err(PictureError::Unsupported(
            "is a TIFF with separate colour planes; accepted are TIFFs with interleaved samples".to_owned(),
        ));
    }

    // A strip or a tile is decoded as a whole, so its size counts like the picture's.
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

    let profile = decoder.get_tag_u8_vec(Tag::IccProfile).ok().filter(|p| p.len() <= MAX_PROFILE);
    let samples = match decoder.read_image().map_err(explain)? {
        DecodingResult::U8(samples) if depth == 1 => spread_bits(&samples, size),
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => narrow(samples.into_iter().flat_map(u16::to_ne_bytes).collect()),
        _ => return Err(unsupported_samples()),
    };
    if samples.len() as u64 != size.pixels() * layout.channels() as u64 {
        let what = format!("it has {} samples for {size} pixels", samples.len());
        return Err(PictureError::damaged(NAME, &what));
    }
    Ok(Decoded::whole(Raster::new(size, layout, samples)?, orientation, profile))
}

/// Checks the first directory's entries: their values lie in the file, and reading them takes no more memory than allowed.
/// The library takes memory for as many values as an entry claims to have, before it reads them and before it can be given
/// limits.
fn check_directory(source: &[u8], limits: Limits) -> Result<(), PictureError> {
    /// The sizes of the types of values, by their numbers (TIFF 6.0, section 2).
    const SIZES: [u64; 14] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];
    /// What the library takes for each value.
    const IN_MEMORY: u64 = 32;
    /// Tags from here on are private, and the library does not read them, except the profile.
    const PRIVATE: u64 = 0x8000;

    let little = source.starts_with(b"II");
    let number = |at: u64, bytes: u64| {
        let (start, end) = (usize::try_from(at).ok()?, usize::try_from(at + bytes).ok()?);
        let digits = source.get(start..end)?;
        let add = |number: u64, digit: &u8| number << 8 | u64::from(*digit);
        Some(if little { digits.iter().rev().fold(0, add) } else { digits.iter().fold(0, add) })
    };
    let read = |at, bytes| number(at, bytes).ok_or_else(|| PictureError::cut_off(NAME, source.len()));
    let directory = read(4, 4)?;
    for index in 0..read(directory, 2)? {
        let entry = directory + 2 + 12 * index;
        let (tag, kind, count) = (read(entry, 2)?, read(entry + 2, 2)?, read(entry + 4, 4)?);
        let size = usize::try_from(kind).ok().and_then(|kind| SIZES.get(kind)).copied().unwrap_or(0);
        let offset = read(entry + 8, 4)?;
        if tag >= PRIVATE && tag != u64::from(Tag::IccProfile.to_u16()) {
            continue;
        }
        if size * count > 4 && offset + size * count > source.len() as u64 {
            return Err(PictureError::cut_off(NAME, source.len()));
        }
        if IN_MEMORY * count > limits.memory {
            return Err(PictureError::too_much_memory(NAME, "`maxMemory`"));
        }
    }
    Ok(())
}

/// Returns samples of one bit, with rows padded to bytes, as samples of one byte.
fn spread_bits(packed: &[u8], size: Size) -> Vec<u8> {
    let width = size.width as usize;
    let mut samples = Vec::with_capacity(width * size.height as usize);
    for row in packed.chunks_exact(width.div_ceil(8)) {
        let bits = row.iter().flat_map(|byte| (0..8).rev().map(move |bit| if byte >> bit & 1 == 1 { 255 } else { 0 }));
        samples.extend(bits.take(width));
    }
    samples
}

fn unsupported_samples() -> PictureError {
    PictureError::Unsupported(
        "is a TIFF with samples that are not supported; accepted are gray, RGB and CMYK pictures with 8 or 16 bits per \
         sample, and gray ones with 1 bit"
            .to_owned(),
    )
}

fn explain(error: &TiffError, bytes: usize) -> PictureError {
    use TiffUnsupportedError::{UnknownCompressionMethod, UnsupportedCompressionMethod};
    match error {
        TiffError::IoError(_) => PictureError::cut_off(NAME, bytes),
        TiffError::UnsupportedError(UnknownCompressionMethod | UnsupportedCompressionMethod(_)) => {
            PictureError::Unsupported("is a TIFF with a compression method that is not supported".to_owned())
        }
        TiffError::UnsupportedError(_) => unsupported_samples(),
        TiffError::LimitsExceeded => PictureError::too_much_memory(NAME, "`maxMemory`"),
        // The library's text contains its own data structures, so it is left out.
        _ => PictureError::damaged(NAME, "its data breaks the rules of the format"),
    }
}
