//! TIFF as scanners, cameras and drawing programs write it: gray, palettes, RGB, CMYK, YCbCr and CIELAB, in strips or tiles,
//! interleaved or in planes, with any common compression, in TIFF 6.0 and BigTIFF.
//!
//! The library for TIFF decodes a part of this, some of it wrongly, so the project decodes it itself; compressions are
//! libraries'. What is not decoded is refused by name. Rows are unpacked one by one and never held twice.

mod chunk_rows;
mod chunks;
mod colours;
mod directory;
mod fault;
mod fax;
mod floats;
mod jpeg;
mod old_jpeg;
mod page;
mod unpacked;

use self::chunk_rows::Conversion;
use self::directory::Directory;
use self::fault::{Fault, NAME};
use self::page::{Packing, Page};
use self::unpacked::Unpacked;
use super::decoded::Decoded;
use super::limits::Limits;
use super::rows::{self, Rows};
use super::target::stored_target;
use crate::colour::{MAX_PROFILE, with_curve_of_srgb};
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};

const JPEG_TABLES: u16 = 347;
const ICC_PROFILE: u16 = 34_675;

/// Returns the offset of the first directory.
///
/// # Errors
/// If the file ends before it is stated.
pub(super) fn first_directory(source: &[u8]) -> Result<u64, PictureError> {
    let cut_off = || PictureError::cut_off(NAME, source.len());
    let header = source.first_chunk::<8>().ok_or_else(cut_off)?;
    let long = |bytes: [u8; 4]| if header[0] == b'I' { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    match *header {
        [b'I', b'I', 43, 0, ..] | [b'M', b'M', 0, 43, ..] => {
            let offset = source.get(8..16).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).ok_or_else(cut_off)?;
            Ok(if header[0] == b'I' { u64::from_le_bytes(offset) } else { u64::from_be_bytes(offset) })
        }
        [_, _, _, _, a, b, c, d] => Ok(long([a, b, c, d]).into()),
    }
}

/// Decodes the picture whose directory is at the offset `at`, which the probe has chosen.
pub(super) fn decode(
    source: Vec<u8>,
    limits: Limits,
    at: u64,
    orientation: Orientation,
    wanted: &dyn Fn(Size) -> Size,
) -> Result<Decoded, PictureError> {
    let directory = Directory::read(&source, at)?;
    let size = page::size(&directory)?;
    limits.check_size(Format::Tiff, size)?;
    let page = Page::read(&directory)?;
    let layout = page.layout();
    let target = stored_target(size, orientation, wanted);
    let factor = rows::factor(size, target);
    if page.chunks.tiled {
        limits.check_size(Format::Tiff, Size::new(page.chunks.width, page.chunks.height))?;
    }
    let profile = directory.bytes(ICC_PROFILE).filter(|profile| profile.len() <= MAX_PROFILE).map(<[u8]>::to_vec);
    // Floating-point numbers are light, unless a profile says something else.
    let (profile, are_light) = match (page.floats, profile) {
        (false, profile) => (profile, false),
        (true, None) => (None, true),
        (true, Some(profile)) => match with_curve_of_srgb(&profile) {
            Some(encoded) => (Some(encoded), true),
            None => (Some(profile), false),
        },
    };
    let file = File { directory: &directory, page: &page, conversion: Conversion::new(&page, are_light), limits };
    let taken = rows::memory(size, layout, factor);
    let decoding = (source.len() as u64).saturating_add(taken).saturating_add(file.memory());
    limits.check_memory(Format::Tiff, size, decoding.max(taken + rows::resizing(size, layout, factor, target)))?;

    let mut rows = Rows::new(size, layout, factor);
    if page.chunks.tiled {
        file.tiles(&mut rows)?
    } else {
        file.strips(&mut rows)?
    }
    file.conversion.seen.check()?;
    rows.finish(orientation, profile)
}

/// A picture and the file that it is in.
struct File<'a> {
    directory: &'a Directory<'a>,
    page: &'a Page,
    conversion: Conversion<'a>,
    limits: Limits,
}

impl File<'_> {
    /// Returns the bytes that decoding takes beside the rows.
    fn memory(&self) -> u64 {
        let chunks = &self.page.chunks;
        let pixels = u64::from(chunks.width) * u64::from(chunks.height);
        let samples = self.page.samples as u64;
        let band = if chunks.tiled {
            u64::from(self.page.size.width) * u64::from(chunks.height) * self.page.layout().channels() as u64
        } else {
            0
        };
        let whole = match self.page.packing {
            // The decoder's planes or its own copy, and the interleaved samples.
            packing if packing.is_picture() => pixels.saturating_mul(3 * samples),
            _ => 0,
        };
        let file = self.directory.file().len() as u64;
        // Reversed bits and the streams of JPEG are copies of a chunk's data.
        let copy = if self.page.reversed || whole > 0 { file.min(pixels.saturating_mul(2 * samples)) } else { 0 };
        // Tables of the decompressors, and what they keep of the data, one for each plane.
        let tables = ((samples + 1) << 18).saturating_add(self.page.planes as u64 * unpacked::kept(self.page.packing));
        band.saturating_add(whole).saturating_add(copy).saturating_add(tables) + self.conversion.memory(chunks.width)
    }

    /// Returns the data of a chunk, plane by plane.
    fn planes<'b>(
        &'b self,
        line: u32,
        column: u32,
        reversed: &'b mut Vec<Vec<u8>>,
    ) -> Result<Vec<Unpacked<'b>>, PictureError> {
        let page = self.page;
        let count = page.planes;
        let data = |plane| page.chunks.data(self.directory.file(), plane, line, column);
        match page.packing {
            packing if packing.is_picture() => (0..count).map(|plane| self.stream(data(plane), line)).collect(),
            packing => {
                if page.reversed {
                    *reversed = (0..count).map(|plane| unpacked::reversed(data(plane))).collect();
                    let reversed: &'b Vec<Vec<u8>> = reversed;
                    return Ok(reversed.iter().map(|data| Unpacked::new(data, packing, page.chunks.width)).collect());
                }
                Ok((0..count).map(|plane| Unpacked::new(data(plane), packing, page.chunks.width)).collect())
            }
        }
    }

    /// Decodes the picture that a chunk is, whose samples are then stored ones.
    fn stream<'b>(&self, stream: &[u8], line: u32) -> Result<Unpacked<'b>, PictureError> {
        let page = self.page;
        if stream.is_empty() {
            return Err(self.fault(Fault::Ends, line * page.chunks.height));
        }
        let raster = match page.packing {
            Packing::WebP => super::webp::decode_raster(stream, page.samples == 4, self.limits)?,
            // Without the mark that begins a stream, it is data alone.
            Packing::OldJpeg if !stream.starts_with(b"\xFF\xD8") => {
                let size = Size::new(page.chunks.width, page.chunks.rows(line, page.size));
                let file = old_jpeg::file(self.directory, size, page.samples, page.ycbcr_in_jpeg, stream)?;
                super::jpeg::decode_within(file, page.ycbcr_in_jpeg, self.limits)?
            }
            packing => {
                let tables = if packing == Packing::Jpeg { self.directory.bytes(JPEG_TABLES) } else { None };
                jpeg::decode(tables, stream, page.ycbcr_in_jpeg, self.limits)?
            }
        };
        let (size, samples) = (raster.size(), raster.layout().channels());
        if samples != if page.planar { 1 } else { page.samples } {
            let what =
                format!("a picture within it has {samples} samples per pixel, and its directory says another number");
            return Err(PictureError::damaged(NAME, &what));
        }
        if size.width < page.chunks.width || size.height < page.chunks.rows(line, page.size) {
            let what = format!("a picture within it has {size} pixels, which is too small");
            return Err(PictureError::damaged(NAME, &what));
        }
        let (wide, used) = (size.width as usize * samples, page.chunks.width as usize * samples);
        let mut samples = raster.into_samples();
        if wide > used {
            samples = samples.chunks_exact(wide).flat_map(|row| row.get(..used).unwrap_or_default()).copied().collect();
        }
        Ok(Unpacked::whole(samples))
    }

    fn strips(&self, rows: &mut Rows) -> Result<(), PictureError> {
        let chunks = &self.page.chunks;
        for line in 0..chunks.down {
            let mut reversed = Vec::new();
            let mut strip = self.conversion.rows(chunks.width, self.planes(line, 0, &mut reversed)?);
            for _ in 0..chunks.rows(line, self.page.size) {
                let row = strip.next().map_err(|fault| self.fault(fault, rows.taken()))?;
                rows.push(row);
            }
        }
        Ok(())
    }

    fn tiles(&self, rows: &mut Rows) -> Result<(), PictureError> {
        let (chunks, size) = (&self.page.chunks, self.page.size);
        let channels = self.page.layout().channels();
        let stride = size.width as usize * channels;
        let mut band = vec![0; stride * chunks.height as usize];
        for line in 0..chunks.down {
            let used = chunks.height.min(size.height - line * chunks.height) as usize;
            for column in 0..chunks.across {
                let mut reversed = Vec::new();
                let mut tile = self.conversion.rows(chunks.width, self.planes(line, column, &mut reversed)?);
                let start = (column * chunks.width) as usize * channels;
                for (index, row) in band.chunks_exact_mut(stride).take(used).enumerate() {
                    let found = tile.next().map_err(|fault| self.fault(fault, line * chunks.height + index as u32))?;
                    let place = row.get_mut(start..).unwrap_or_default();
                    let width = place.len().min(found.len());
                    if let (Some(place), Some(found)) = (place.get_mut(..width), found.get(..width)) {
                        place.copy_from_slice(found);
                    }
                }
            }
            band.chunks_exact(stride).take(used).for_each(|row| rows.push(row));
        }
        Ok(())
    }

    /// Returns the error for a row that cannot be read.
    fn fault(&self, fault: Fault, row: u32) -> PictureError {
        let (line, lines) = (row + 1, self.page.size.height);
        match fault {
            Fault::Ends => PictureError::Corrupt(format!(
                "is cut off: the {NAME} data ends in line {line} of {lines}, before the picture is complete"
            )),
            Fault::Broken => PictureError::damaged(
                NAME,
                &format!("the data of line {line} of {lines} breaks the rules of its compression"),
            ),
            Fault::Memory => PictureError::too_much_memory(NAME),
        }
    }
}
