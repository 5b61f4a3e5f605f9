//! Where the data of a picture lies: in strips, each as wide as the picture, or in tiles.

use super::directory::Directory;
use super::fault::NAME;
use crate::error::PictureError;
use crate::geometry::Size;

/// The most strips or tiles of a picture: 100 megapixels in the smallest tiles and four planes have fewer.
const MOST: u64 = 1 << 21;

/// The strips or tiles of a picture.
pub(super) struct Chunks {
    /// Whether they are tiles, all of the same size. The last strip is as high as what is left.
    pub(super) tiled: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) across: u32,
    pub(super) down: u32,
    /// Offset and length, plane by plane, from left to right, from the top.
    places: Vec<(u64, u64)>,
}

mod tag {
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_LENGTHS: u16 = 279;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_LENGTHS: u16 = 325;
    pub const JPEG_STREAM: u16 = 513;
}

impl Chunks {
    /// Returns the chunks of a picture of `planes` planes. With `may_be_one_stream`, all data is in one JPEG if a
    /// tag gives its place.
    ///
    /// # Errors
    /// If fewer are listed than the picture needs.
    pub(super) fn read(
        directory: &Directory<'_>,
        size: Size,
        planes: usize,
        may_be_one_stream: bool,
    ) -> Result<Self, PictureError> {
        let side = |tag| Ok(directory.number(tag)?.and_then(|side| u32::try_from(side).ok()).filter(|side| *side > 0));
        let rest = directory.file().len() as u64;
        let stream = if may_be_one_stream { directory.number(tag::JPEG_STREAM)? } else { None };
        if let Some(at) = stream.filter(|at| directory.slice(*at, 2).is_ok_and(|mark| mark == b"\xFF\xD8")) {
            // The length that writers give often leaves out the data; the stream says itself where it ends.
            let places = vec![(at, rest.saturating_sub(at))];
            return Ok(Self { tiled: false, width: size.width, height: size.height, across: 1, down: 1, places });
        }
        let (tile_width, tile_height) = (side(tag::TILE_WIDTH)?, side(tag::TILE_HEIGHT)?);
        let (tiled, width, height) = match tile_width.zip(tile_height) {
            Some((width, height)) => (true, width, height),
            None => (false, size.width, side(tag::ROWS_PER_STRIP)?.unwrap_or(size.height).min(size.height)),
        };
        let (across, down) = (size.width.div_ceil(width), size.height.div_ceil(height));
        let needed = u64::from(across) * u64::from(down) * planes as u64;
        if needed > MOST {
            return Err(PictureError::damaged(NAME, &format!("it claims to have {needed} strips or tiles")));
        }
        // Some writers list tiles under the tags of strips, or the other way round.
        let either = |first: u16, second: u16| {
            if directory.count(first) > 0 {
                directory.numbers(first, needed)
            } else {
                directory.numbers(second, needed)
            }
        };
        let (offsets, mut lengths) = if tiled {
            (either(tag::TILE_OFFSETS, tag::STRIP_OFFSETS)?, either(tag::TILE_LENGTHS, tag::STRIP_LENGTHS)?)
        } else {
            (either(tag::STRIP_OFFSETS, tag::TILE_OFFSETS)?, either(tag::STRIP_LENGTHS, tag::TILE_LENGTHS)?)
        };
        if (offsets.len() as u64) < needed {
            let (what, listed) = (if tiled { "tiles" } else { "strips" }, offsets.len());
            return Err(PictureError::damaged(NAME, &format!("it lists {listed} of its {needed} {what}")));
        }
        // A missing length goes to the end of the file: the data says itself where it ends.
        lengths.resize(offsets.len(), 0);
        let length = |(offset, length): (u64, u64)| (offset, if length == 0 && offset > 0 { rest } else { length });
        let places = offsets.into_iter().zip(lengths).map(length).collect();
        Ok(Self { tiled, width, height, across, down, places })
    }

    /// Returns the rows of the chunks in a line of chunks: all tiles have them all, the last strip has what is left.
    pub(super) fn rows(&self, line: u32, picture: Size) -> u32 {
        if self.tiled { self.height } else { self.height.min(picture.height.saturating_sub(line * self.height)) }
    }

    /// Returns the data of a chunk, as much of it as the file has.
    pub(super) fn data<'a>(&self, file: &'a [u8], plane: usize, line: u32, column: u32) -> &'a [u8] {
        let index = (plane * self.down as usize + line as usize) * self.across as usize + column as usize;
        let (offset, length) = self.places.get(index).copied().unwrap_or_default();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.len());
        let end = usize::try_from(offset.saturating_add(length)).unwrap_or(usize::MAX).min(file.len());
        file.get(start..end).unwrap_or_default()
    }
}
