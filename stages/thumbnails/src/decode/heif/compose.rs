//! From items to one picture: coded ones, tiles, overlays, opacity.

use std::cell::Cell;

use heifer_isobmff::ItemId;

use super::container::{Change, Container};
use super::convert::{Target, write_gray, write_rgb};
use super::cost::DEEPEST;
use super::frame::{Colours, Frame};
use super::overlay;
use crate::decode::limits::Limits;
use crate::error::PictureError;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

/// A decoded item.
pub(super) struct Picture {
    pub(super) raster: Raster,
    /// What its codec or its container says of its colours.
    pub(super) colours: Colours,
}

/// Decodes items.
pub(super) struct Composer<'a> {
    container: &'a Container<'a>,
    limits: Limits,
    /// How many pixels may still be decoded. Tiles may overlap the edge, and a few pictures may be decoded beside the
    /// primary one, but the same one must not be a thousand tiles.
    left: Cell<u64>,
}

impl<'a> Composer<'a> {
    pub(super) fn new(container: &'a Container<'a>, limits: Limits) -> Self {
        Self { container, limits, left: Cell::new(limits.pixels.saturating_mul(4)) }
    }

    /// Returns the picture to show, and how it must still be turned.
    pub(super) fn primary(&self, item: ItemId) -> Result<(Picture, Orientation), PictureError> {
        let Picture { mut raster, colours } = self.whole(item, 0, Samples::Colours)?;
        let mut turns = Vec::new();
        for change in self.container.changes(item, raster.size())? {
            match change {
                Change::Cut(left, top, size) => raster = overlay::cut(&raster, left, top, size)?,
                Change::Turn(orientation) => turns.push(orientation),
            }
        }
        Ok((Picture { raster, colours }, combined(&turns)))
    }

    /// Returns a part of another picture, cut and turned.
    fn part(&self, item: ItemId, depth: u32, samples: Samples) -> Result<Picture, PictureError> {
        let Picture { mut raster, colours } = self.whole(item, depth, samples)?;
        for change in self.container.changes(item, raster.size())? {
            raster = match change {
                Change::Cut(left, top, size) => overlay::cut(&raster, left, top, size)?,
                Change::Turn(orientation) => raster.oriented(orientation),
            };
        }
        Ok(Picture { raster, colours })
    }

    /// Returns an item before it is cut and turned.
    fn whole(&self, item: ItemId, depth: u32, samples: Samples) -> Result<Picture, PictureError> {
        if depth > DEEPEST {
            return Err(self.container.damaged("its pictures are made of each other"));
        }
        let kind = self.container.kind(item)?;
        let picture = match &kind.0 {
            b"grid" => self.grid(item, depth, samples)?,
            b"iovl" => self.overlay(item, depth, samples)?,
            b"iden" => match self.container.sources(item) {
                &[source] => self.part(source, depth + 1, samples)?,
                _ => return Err(self.container.damaged("a picture in it is not made of exactly one other")),
            },
            _ => self.coded(item, samples)?,
        };
        match self.container.opacity(item)? {
            Some(opacity) if samples == Samples::Colours => {
                let opacity = self.part(opacity, depth + 1, Samples::Opacity)?.raster;
                let raster = overlay::with_opacity(&picture.raster, &opacity, self.container.premultiplied(item))?;
                Ok(Picture { raster, ..picture })
            }
            _ => Ok(picture),
        }
    }

    fn coded(&self, item: ItemId, samples: Samples) -> Result<Picture, PictureError> {
        let frame = self.frame(item)?;
        let size = self.container.size(item)?;
        let colours = self.container.colours(item, frame.colours)?;
        let mut canvas = Canvas::new(size, samples.layout(&frame))?;
        self.place(&frame, colours, samples, size, &mut canvas, (0, 0))?;
        Ok(Picture { raster: canvas.finish()?, colours })
    }

    /// Returns the frame of a coded item, which is at least as large as the item.
    fn frame(&self, item: ItemId) -> Result<Frame, PictureError> {
        let size = self.container.size(item)?;
        self.limits.check_size(self.container.format(), size)?;
        let left = self.left.get().checked_sub(size.pixels());
        self.left.set(left.ok_or_else(|| self.container.damaged("it decodes many times the pixels that it shows"))?);
        // Codecs fill up to whole blocks.
        let most = (u64::from(size.width) + 64) * (u64::from(size.height) + 64);
        let kind = self.container.kind(item)?;
        let frame = match &kind.0 {
            #[cfg(feature = "heic")]
            b"hvc1" | b"hev1" => super::hevc::decode(self.container, item, most)?,
            #[cfg(feature = "avif")]
            b"av01" => super::av1::decode(self.container, item, most)?,
            _ => {
                let _ = most;
                return Err(self.container.unsupported(&format!("with pictures coded as `{kind}`")));
            }
        };
        if frame.size.width < size.width || frame.size.height < size.height {
            return Err(self.container.damaged("a picture in it is smaller than its header says"));
        }
        if frame.depth.iter().any(|depth| !(8..=16).contains(depth)) {
            return Err(self.container.unsupported("with more than 16 bits per sample"));
        }
        Ok(frame)
    }

    fn grid(&self, item: ItemId, depth: u32, samples: Samples) -> Result<Picture, PictureError> {
        let grid = self.container.grid(item)?;
        let size = Size::new(grid.output_width, grid.output_height);
        self.has_size(item, size)?;
        let columns = u32::from(grid.columns);
        let tiles = self.container.sources(item);
        if tiles.len() as u64 != u64::from(columns) * u64::from(grid.rows) {
            return Err(self.container.damaged("the number of its tiles is not that of its rows and columns"));
        }
        let mut drawn: Option<(Canvas, Colours, Size)> = None;
        for (number, &tile) in (0u32..).zip(tiles) {
            let plain = self.is_plain(tile)?;
            let tile = if plain {
                Tile::Frame(self.frame(tile)?, tile)
            } else {
                Tile::Picture(self.part(tile, depth + 1, samples)?)
            };
            let (this, colours, layout) = match &tile {
                Tile::Frame(frame, item) => {
                    (self.container.size(*item)?, self.container.colours(*item, frame.colours)?, samples.layout(frame))
                }
                Tile::Picture(picture) => (picture.raster.size(), picture.colours, picture.raster.layout()),
            };
            let (canvas, _, common) = match &mut drawn {
                Some(drawn) => drawn,
                None => {
                    let reach = |side: u32, count: u16| u64::from(side) * u64::from(count);
                    if reach(this.width, grid.columns) < size.width.into()
                        || reach(this.height, grid.rows) < size.height.into()
                    {
                        return Err(self.container.damaged("its tiles do not cover it"));
                    }
                    drawn.insert((Canvas::new(size, layout)?, colours, this))
                }
            };
            if *common != this || canvas.layout != layout {
                return Err(self.container.damaged("its tiles differ in size or kind"));
            }
            let (left, top) = (
                u64::from(number % columns) * u64::from(this.width),
                u64::from(number / columns) * u64::from(this.height),
            );
            let (Ok(left), Ok(top)) = (u32::try_from(left), u32::try_from(top)) else { continue };
            if left >= size.width || top >= size.height {
                continue;
            }
            let shown = Size::new(this.width.min(size.width - left), this.height.min(size.height - top));
            match tile {
                Tile::Frame(frame, _) => self.place(&frame, colours, samples, shown, canvas, (left, top))?,
                Tile::Picture(picture) => canvas.copy(&picture.raster, shown, (left, top)),
            }
        }
        let (canvas, colours, _) = drawn.ok_or_else(|| self.container.damaged("it has no tiles"))?;
        Ok(Picture { raster: canvas.finish()?, colours: self.container.colours(item, colours)? })
    }

    /// Checks that an item that is made of others is as large as its header says, from which the cost was computed.
    fn has_size(&self, item: ItemId, size: Size) -> Result<(), PictureError> {
        self.limits.check_size(self.container.format(), size)?;
        if size == self.container.size(item)? {
            return Ok(());
        }
        Err(self.container.damaged("its parts make a picture of another size than its header says"))
    }

    /// Returns whether an item's frame can be used as it is.
    fn is_plain(&self, item: ItemId) -> Result<bool, PictureError> {
        let container = self.container;
        Ok(container.sources(item).is_empty()
            && container.changes(item, container.size(item)?)?.is_empty()
            && container.opacity(item)?.is_none())
    }

    fn overlay(&self, item: ItemId, depth: u32, samples: Samples) -> Result<Picture, PictureError> {
        let sources = self.container.sources(item);
        let described = overlay::Overlay::parse(&self.container.data(item)?, sources.len())
            .ok_or_else(|| self.container.damaged("the places of its parts are missing"))?;
        self.has_size(item, described.size)?;
        let mut canvas = described.canvas();
        let mut first = None;
        for (&source, &place) in sources.iter().zip(&described.places) {
            let part = self.part(source, depth + 1, samples)?;
            overlay::draw(&part.raster, &mut canvas, described.size, place);
            first.get_or_insert(part.colours);
        }
        let colours = first.ok_or_else(|| self.container.damaged("it is made of nothing"))?;
        Ok(Picture { raster: overlay::opaque_if_possible(described.size, canvas)?, colours })
    }

    /// Writes the top left `part` of a frame to a place in the canvas.
    fn place(
        &self,
        frame: &Frame,
        colours: Colours,
        samples: Samples,
        part: Size,
        canvas: &mut Canvas,
        place: (u32, u32),
    ) -> Result<(), PictureError> {
        let target = canvas.target(place);
        match (samples, frame.chroma) {
            (Samples::Opacity, _) => write_gray(frame, true, part, target),
            (Samples::Colours, None) => write_gray(frame, colours.full_range, part, target),
            (Samples::Colours, Some(chroma)) => write_rgb(self.container, frame, chroma, colours, part, target)?,
        }
        Ok(())
    }
}

/// Returns the orientation that equals several turns and mirrors, one after the other.
fn combined(changes: &[Orientation]) -> Orientation {
    // Quarter turns clockwise, and whether left and right are exchanged after them.
    let (mut quarters, mut mirrored) = (0, false);
    for change in changes {
        let (turn, mirror) = match change {
            Orientation::Turn90 => (1, false),
            Orientation::Turn180 => (2, false),
            Orientation::Turn270 => (3, false),
            Orientation::MirrorHorizontal => (0, true),
            // Top and bottom are exchanged by half a turn and exchanging left and right.
            Orientation::MirrorVertical => (2, true),
            Orientation::Upright | Orientation::Transpose | Orientation::Transverse => (0, false),
        };
        // A turn after a mirror is the opposite turn before it.
        quarters = if mirrored { quarters + 4 - turn } else { quarters + turn } % 4;
        mirrored ^= mirror;
    }
    match (quarters, mirrored) {
        (0, false) => Orientation::Upright,
        (1, false) => Orientation::Turn90,
        (2, false) => Orientation::Turn180,
        (_, false) => Orientation::Turn270,
        (0, true) => Orientation::MirrorHorizontal,
        (1, true) => Orientation::Transpose,
        (2, true) => Orientation::MirrorVertical,
        (_, true) => Orientation::Transverse,
    }
}

/// What is wanted of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Samples {
    Colours,
    /// Lightness as it is coded, which is another item's opacity.
    Opacity,
}

impl Samples {
    fn layout(self, frame: &Frame) -> Layout {
        if self == Samples::Opacity || frame.chroma.is_none() { Layout::Gray } else { Layout::Rgb }
    }
}

enum Tile {
    Frame(Frame, ItemId),
    Picture(Picture),
}

/// A picture that is being drawn.
struct Canvas {
    size: Size,
    layout: Layout,
    samples: Vec<u8>,
}

impl Canvas {
    fn new(size: Size, layout: Layout) -> Result<Self, PictureError> {
        let bytes = usize::try_from(size.pixels())
            .ok()
            .and_then(|pixels| pixels.checked_mul(layout.channels()))
            .ok_or_else(|| PictureError::too_much_memory("HEIF"))?;
        Ok(Self { size, layout, samples: vec![0; bytes] })
    }

    fn target(&mut self, (left, top): (u32, u32)) -> Target<'_> {
        let stride = self.size.width as usize * self.layout.channels();
        let start = top as usize * stride + left as usize * self.layout.channels();
        Target { samples: self.samples.get_mut(start..).unwrap_or_default(), stride }
    }

    fn copy(&mut self, picture: &Raster, part: Size, place: (u32, u32)) {
        let channels = self.layout.channels();
        let target = self.target(place);
        let bytes = part.width as usize * channels;
        let rows = picture.samples().chunks_exact(picture.size().width as usize * channels);
        for (row, out) in rows.zip(target.samples.chunks_mut(target.stride)).take(part.height as usize) {
            row.iter().take(bytes).zip(out).for_each(|(sample, out)| *out = *sample);
        }
    }

    fn finish(self) -> Result<Raster, PictureError> {
        Raster::new(self.size, self.layout, self.samples)
    }
}
