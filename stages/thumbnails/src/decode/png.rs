//! PNG, row by row. The first frame of an animation is decoded.
//!
//! A file with all rows is complete: the mark at its end and the last bytes of its data may be missing.

use std::io::{Cursor, ErrorKind};

use png::{BitDepth, ColorType, DecodingError, Info, Reader, Transformations};

use super::decoded::Decoded;
use super::limits::Limits;
use super::rows::{self, Rows};
use super::target::stored_target;
use crate::colour::{MAX_PROFILE, StatedColours};
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::Layout;

const NAME: &str = Format::Png.name();

/// What the library takes beside the rows: its window of inflated data, and chunks such as profiles.
const LIBRARY: u64 = 1 << 20;

/// The most that the library may take for chunks, which say nothing of how large they are inflated.
const CHUNKS: u64 = 32 << 20;

/// Decodes a picture. `by_exif` is the profile for colours that only its EXIF states.
pub(super) fn decode(
    source: Vec<u8>,
    limits: Limits,
    orientation: Orientation,
    by_exif: Option<Vec<u8>>,
    wanted: &dyn Fn(Size) -> Size,
) -> Result<Decoded, PictureError> {
    // Width and height follow the signature and the length and name of IHDR.
    let header = source.get(16..24).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let stored = header.map(|[w0, w1, w2, w3, h0, h1, h2, h3]| {
        Size::new(u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]))
    });
    if let Some(size) = stored {
        limits.check_size(Format::Png, size)?;
    }
    let explain = |error: DecodingError| explain(&error, source.len());
    let row = u64::from(stored.map_or(0, |size| size.width)).saturating_mul(8);
    let library = usize::try_from(limits.memory.min(CHUNKS.saturating_add(2 * row))).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(source.as_slice()), png::Limits { bytes: library });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(explain)?;

    let size = Size::new(reader.info().width, reader.info().height);
    let (layout, wide) = match reader.output_color_type() {
        (ColorType::Grayscale, depth) => (Layout::Gray, depth == BitDepth::Sixteen),
        (ColorType::GrayscaleAlpha, depth) => (Layout::GrayAlpha, depth == BitDepth::Sixteen),
        (ColorType::Rgb, depth) => (Layout::Rgb, depth == BitDepth::Sixteen),
        (ColorType::Rgba, depth) => (Layout::Rgba, depth == BitDepth::Sixteen),
        (ColorType::Indexed, _) => return Err(PictureError::damaged(NAME, "its palette is missing")),
    };
    let target = stored_target(size, orientation, wanted);
    let interlaced = reader.info().interlaced;
    let factor = rows::factor(size, target);
    let stored = size.pixels().saturating_mul((layout.channels() << u32::from(wide)) as u64);
    let whole = if interlaced { stored } else { 0 };
    // Every row is held a few times: inflated, unfiltered and converted.
    let line = 8 * u64::from(size.width) * layout.channels() as u64;
    let taken = rows::memory(size, layout, factor);
    let decoding = (source.len() as u64).saturating_add(taken).saturating_add(whole).saturating_add(line + LIBRARY);
    limits.check_memory(Format::Png, size, decoding.max(taken + rows::resizing(size, layout, factor, target)))?;

    let (stated, icc) = colours(reader.info());
    let samples = Samples { layout, wide, table: stated.as_ref().and_then(|stated| stated.table(wide)) };
    let mut taken = Rows::new(size, layout, factor);
    if interlaced {
        passes(&mut reader, size, &samples, &mut taken, source.len())?;
    } else {
        lines(&mut reader, &samples, &mut taken, size, source.len())?;
    }
    let profile = match (stated, icc) {
        (Some(stated), _) => stated.into_profile(),
        (None, Some(icc)) => Some(icc),
        (None, None) => by_exif,
    };
    drop(reader);
    drop(source);
    taken.finish(orientation, profile)
}

/// Returns how the file states its colours: by numbers or by a profile, neither, or both as nothing. Where there are
/// several, the order is that of the third edition, section 4.3: cICP, iCCP, sRGB, then gAMA and cHRM.
fn colours(info: &Info<'_>) -> (Option<StatedColours>, Option<Vec<u8>>) {
    if let Some(cicp) = &info.coding_independent_code_points
        && let Some(stated) =
            StatedColours::by_cicp(cicp.color_primaries, cicp.transfer_function, cicp.is_video_full_range_image)
    {
        return (Some(stated), None);
    }
    if let Some(icc) = info.icc_profile.as_ref().filter(|icc| icc.len() <= MAX_PROFILE) {
        return (None, Some(icc.to_vec()));
    }
    if info.srgb.is_some() {
        return (Some(StatedColours::srgb()), None);
    }
    let chromaticities = info
        .chrm_chunk
        .map(|c| [c.white, c.red, c.green, c.blue].map(|(x, y)| [x, y].map(|value| f64::from(value.into_value()))));
    let gamma = info.gama_chunk.map(|gamma| f64::from(gamma.into_value()));
    if gamma.is_none() && chromaticities.is_none() {
        return (None, None);
    }
    (Some(StatedColours::by_gamma(gamma, chromaticities)), None)
}

/// How the samples of a row become bytes.
struct Samples {
    layout: Layout,
    /// Whether they have 16 bits.
    wide: bool,
    /// The byte of every value of a colour.
    table: Option<Vec<u8>>,
}

impl Samples {
    /// Returns the row's bytes; `bytes` is room for them.
    fn narrowed<'a>(&self, row: &'a [u8], bytes: &'a mut Vec<u8>) -> &'a [u8] {
        if !self.wide && self.table.is_none() {
            return row;
        }
        bytes.clear();
        let channels = self.layout.channels();
        let colours = if self.layout.has_alpha() { channels - 1 } else { channels };
        let table = self.table.as_deref();
        let byte = |value: u16, channel: usize| match table {
            Some(table) if channel < colours => table.get(usize::from(value)).copied().unwrap_or(u8::MAX),
            // 65535 / 255 is 257: exact at both ends, rounded between.
            _ if self.wide => ((u32::from(value) + 128) / 257) as u8,
            _ => value as u8,
        };
        if self.wide {
            let (pairs, _) = row.as_chunks::<2>();
            bytes.extend(pairs.iter().enumerate().map(|(at, pair)| byte(u16::from_be_bytes(*pair), at % channels)));
        } else {
            bytes.extend(row.iter().enumerate().map(|(at, sample)| byte((*sample).into(), at % channels)));
        }
        bytes
    }
}

type File<'a> = Reader<Cursor<&'a [u8]>>;

/// Reads the rows from the top.
fn lines(
    reader: &mut File<'_>,
    samples: &Samples,
    taken: &mut Rows,
    size: Size,
    bytes: usize,
) -> Result<(), PictureError> {
    let mut row = vec![0; line(reader, size)?];
    let mut narrowed = Vec::new();
    loop {
        match reader.read_row(&mut row) {
            Ok(Some(_)) => taken.push(samples.narrowed(&row, &mut narrowed)),
            Ok(None) => return Ok(()),
            // Only what follows the last row is missing.
            Err(error) if is_end(&error) && taken.taken() == size.height => return Ok(()),
            Err(error) if is_end(&error) => {
                return Err(PictureError::Corrupt(format!(
                    "is cut off: the {NAME} data ends in line {} of {}, before the picture is complete",
                    taken.taken() + 1,
                    size.height
                )));
            }
            Err(error) => return Err(explain(&error, bytes)),
        }
    }
}

/// Reads the rows of all passes of an interlaced picture, which is complete after the last of them.
fn passes(
    reader: &mut File<'_>,
    size: Size,
    samples: &Samples,
    taken: &mut Rows,
    bytes: usize,
) -> Result<(), PictureError> {
    let length = line(reader, size)?;
    let mut row = vec![0; length];
    let mut whole = vec![0; length * size.height as usize];
    let bits = (samples.layout.channels() * if samples.wide { 16 } else { 8 }) as u8;
    let expected = interlaced_rows(size);
    let mut count = 0;
    loop {
        match reader.read_row(&mut row) {
            Ok(Some(png::InterlaceInfo::Adam7(place))) => {
                png::expand_interlaced_row(&mut whole, length, &row, &place, bits);
                count += 1;
            }
            Ok(Some(png::InterlaceInfo::Null(_))) => {
                return Err(PictureError::defect("an interlaced PNG has no passes"));
            }
            Ok(None) => break,
            Err(error) if is_end(&error) && count == expected => break,
            Err(error) if is_end(&error) => {
                return Err(PictureError::Corrupt(format!(
                    "is cut off: the {NAME} data ends in row {} of the {expected} of all its passes",
                    count + 1
                )));
            }
            Err(error) => return Err(explain(&error, bytes)),
        }
    }
    let mut narrowed = Vec::new();
    whole.chunks_exact(length).for_each(|row| taken.push(samples.narrowed(row, &mut narrowed)));
    Ok(())
}

/// Returns the number of rows in the seven passes (section 8.1).
fn interlaced_rows(size: Size) -> u64 {
    const PASSES: [(u32, u32, u32, u32); 7] =
        [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];
    let rows = |&(left, _, top, step): &(u32, u32, u32, u32)| {
        if size.width <= left { 0 } else { u64::from(size.height.saturating_sub(top).div_ceil(step)) }
    };
    PASSES.iter().map(rows).sum()
}

fn line(reader: &File<'_>, size: Size) -> Result<usize, PictureError> {
    reader.output_line_size(size.width).ok_or_else(|| PictureError::too_much_memory(NAME))
}

fn is_end(error: &DecodingError) -> bool {
    matches!(error, DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof)
}

fn explain(error: &DecodingError, bytes: usize) -> PictureError {
    match error {
        DecodingError::IoError(_) => PictureError::cut_off(NAME, bytes),
        DecodingError::LimitsExceeded => PictureError::too_much_memory(NAME),
        DecodingError::Format(error) if error.to_string().starts_with("CRC error") => {
            PictureError::damaged(NAME, "its data does not match its checksum, so it was changed after it was written")
        }
        // The library's text contains its own data structures, so it is left out.
        _ => PictureError::damaged(NAME, "its data breaks the rules of the format"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_all_passes_are_counted() {
        assert_eq!(interlaced_rows(Size::new(8, 8)), 15);
        assert_eq!(interlaced_rows(Size::new(1, 1)), 1);
        assert_eq!(interlaced_rows(Size::new(3, 2)), 4);
    }

    #[test]
    fn samples_of_16_bits_are_rounded_and_opacity_is_left_out_of_the_table() {
        let samples = Samples { layout: Layout::GrayAlpha, wide: true, table: None };
        let row: Vec<u8> = [129u16, 65_534, 32_896, 128].iter().flat_map(|value| value.to_be_bytes()).collect();
        assert_eq!(samples.narrowed(&row, &mut Vec::new()), [1, 255, 128, 0]);
        let table = Some((0..=255u8).map(|value| 255 - value).collect());
        let inverted = Samples { layout: Layout::GrayAlpha, wide: false, table };
        assert_eq!(inverted.narrowed(&[0, 7, 255, 9], &mut Vec::new()), [255, 7, 0, 9]);
    }
}
