//! The boxes of a HEIF: items, their properties, how they refer to each other.

use heifer_isobmff::boxes::{ColorInfo, Grid, Property};
use heifer_isobmff::{Error, FourCC, HeifFile, ItemId};

use super::frame::Colours;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};

/// What an item turns or cuts off, in the order in which it does so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// Keep this part: left, top, size.
    Cut(u32, u32, Size),
    /// Turn or mirror.
    Turn(Orientation),
}

/// A parsed file.
pub(super) struct Container<'a> {
    file: HeifFile<'a>,
    format: Format,
    length: usize,
}

/// A file may go on after its pictures, or be cut off in a box that holds more than them: if the last outermost box claims to
/// be longer than the file, it is given the length that is left. What is missing is found when a picture needs it.
pub(super) fn mend_last_box(source: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(header) = source.get(at..at + 8).and_then(|bytes| bytes.first_chunk::<8>()) {
        let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let left = (source.len() - at) as u64;
        let size = match size {
            0 => return,
            1 => match source.get(at + 8..at + 16).and_then(|bytes| bytes.first_chunk::<8>()) {
                Some(large) => u64::from_be_bytes(*large),
                None => break,
            },
            size => u64::from(size),
        };
        let known = matches!(&header[4..], b"ftyp" | b"meta" | b"mdat" | b"free" | b"skip" | b"moov");
        if size < 8 || (size > left && !known) {
            break;
        }
        if size > left {
            // Zero means "to the end of the file". A long length after it becomes content, which moves nothing: places are
            // counted from the file's beginning.
            source[at..at + 4].fill(0);
            return;
        }
        at += size as usize;
    }
    source.truncate(at);
}

impl<'a> Container<'a> {
    pub(super) fn parse(source: &'a [u8], format: Format) -> Result<Self, PictureError> {
        let file = HeifFile::parse(source).map_err(|error| explain(&error, format, source.len()))?;
        Ok(Self { file, format, length: source.len() })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn file(&self) -> &HeifFile<'a> {
        &self.file
    }

    /// Returns the item to show. One that maps tones for another screen (`tmap`) stands for the picture that it is made of.
    pub(super) fn primary(&self) -> ItemId {
        let primary = self.file.primary_id;
        match self.kind(primary) {
            Ok(FourCC([b't', b'm', b'a', b'p'])) => self.sources(primary).first().copied().unwrap_or(primary),
            _ => primary,
        }
    }

    pub(super) fn kind(&self, item: ItemId) -> Result<FourCC, PictureError> {
        Ok(self.file.item(item).map_err(|e| self.fault(&e))?.item_type)
    }

    /// Returns the items that a derived one is made of.
    pub(super) fn sources(&self, item: ItemId) -> &[ItemId] {
        self.file.referenced_items(item, b"dimg")
    }

    pub(super) fn data(&self, item: ItemId) -> Result<std::borrow::Cow<'a, [u8]>, PictureError> {
        self.file.item_data(item).map_err(|e| self.fault(&e))
    }

    fn properties(&self, item: ItemId) -> Result<impl Iterator<Item = &Property>, PictureError> {
        self.file.item_properties(item).map_err(|e| self.fault(&e))
    }

    /// Returns an item's size before it is cut or turned.
    pub(super) fn size(&self, item: ItemId) -> Result<Size, PictureError> {
        let size = self.file.image_size(item).map_err(|e| self.fault(&e))?;
        match size {
            Some((width, height)) if width > 0 && height > 0 => Ok(Size::new(width, height)),
            _ => Err(self.damaged("a picture in it has no size")),
        }
    }

    pub(super) fn grid(&self, item: ItemId) -> Result<Grid, PictureError> {
        self.file.grid(item).map_err(|e| self.fault(&e))
    }

    /// Returns the item with this item's opacity.
    pub(super) fn opacity(&self, item: ItemId) -> Result<Option<ItemId>, PictureError> {
        for other in self.file.referencing_items(item, b"auxl") {
            let alpha = |property: &Property| {
                matches!(property, Property::AuxiliaryType(kind)
                    if kind == "urn:mpeg:hevc:2015:auxid:1" || kind == "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
            };
            if self.properties(other)?.any(alpha) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Returns whether this item's colours are multiplied by its opacity.
    pub(super) fn premultiplied(&self, item: ItemId) -> bool {
        !self.file.referenced_items(item, b"prem").is_empty()
    }

    /// Returns what is cut off an item of `size`, and how it is turned, in order.
    pub(super) fn changes(&self, item: ItemId, size: Size) -> Result<Vec<Change>, PictureError> {
        let mut changes = Vec::new();
        for property in self.properties(item)? {
            match *property {
                Property::CleanAperture { width, height, horiz_offset, vert_offset } => {
                    if changes.iter().any(|change| matches!(change, Change::Turn(_))) {
                        return Err(self.unsupported("that is cut after it is turned"));
                    }
                    let (left, width) = self.aperture(size.width, width, horiz_offset)?;
                    let (top, height) = self.aperture(size.height, height, vert_offset)?;
                    changes.push(Change::Cut(left, top, Size::new(width, height)));
                }
                // Counter-clockwise.
                Property::Rotation(1) => changes.push(Change::Turn(Orientation::Turn270)),
                Property::Rotation(2) => changes.push(Change::Turn(Orientation::Turn180)),
                Property::Rotation(3) => changes.push(Change::Turn(Orientation::Turn90)),
                Property::Mirror(true) => changes.push(Change::Turn(Orientation::MirrorVertical)),
                Property::Mirror(false) => changes.push(Change::Turn(Orientation::MirrorHorizontal)),
                _ => {}
            }
        }
        Ok(changes)
    }

    /// Returns where a clean aperture begins and how long it is, along one axis (ISO/IEC 14496-12, section 12.1.4).
    fn aperture(&self, side: u32, length: (u32, u32), offset: (i32, u32)) -> Result<(u32, u32), PictureError> {
        let wrong = || self.damaged("it cuts a part from a picture that is not within it");
        if length.1 == 0 || offset.1 == 0 {
            return Err(wrong());
        }
        let kept = f64::from(length.0) / f64::from(length.1);
        let middle = f64::from(offset.0) / f64::from(offset.1) + (f64::from(side) - 1.0) / 2.0;
        let begin = (middle - (kept - 1.0) / 2.0).round().max(0.0);
        let kept = kept.round().min(f64::from(side) - begin);
        if kept < 1.0 { Err(wrong()) } else { Ok((begin as u32, kept as u32)) }
    }

    /// Returns the ICC profile of an item, or of the first one that it is made of.
    pub(super) fn icc_profile(&self, item: ItemId) -> Result<Option<&[u8]>, PictureError> {
        let mut item = item;
        for _ in 0..4 {
            let own = self.properties(item)?.find_map(|property| match property {
                Property::Color(ColorInfo::Icc(profile)) if !profile.is_empty() => Some(profile.as_slice()),
                _ => None,
            });
            match (own, self.sources(item).first()) {
                (None, Some(&first)) => item = first,
                _ => return Ok(own),
            }
        }
        Ok(None)
    }

    /// Returns what the container says of an item's colours, and else `coded`, what its codec says.
    pub(super) fn colours(&self, item: ItemId, coded: Colours) -> Result<Colours, PictureError> {
        Ok(self
            .properties(item)?
            .find_map(|property| match *property {
                Property::Color(ColorInfo::Nclx { primaries, transfer, matrix, full_range }) => {
                    Some(Colours { primaries, transfer, matrix, full_range })
                }
                _ => None,
            })
            .map_or(coded, |stated| Colours {
                matrix: if stated.matrix == 2 { coded.matrix } else { stated.matrix },
                ..stated
            }))
    }

    pub(super) fn damaged(&self, what: &str) -> PictureError {
        PictureError::damaged(self.format.name(), what)
    }

    /// Returns the error for a picture with a property, such as `in 4 planes`.
    pub(super) fn unsupported(&self, property: &str) -> PictureError {
        PictureError::Unsupported(format!("is {} {property}, which is not supported", self.format.described()))
    }

    /// Returns the error for a picture whose data ends too early.
    #[cfg(feature = "heic")]
    pub(super) fn cut_off(&self) -> PictureError {
        PictureError::cut_off(self.format.name(), self.length)
    }

    pub(super) fn fault(&self, error: &Error) -> PictureError {
        explain(error, self.format, self.length)
    }
}

fn explain(error: &Error, format: Format, length: usize) -> PictureError {
    let name = format.name();
    match error {
        Error::UnexpectedEof => PictureError::cut_off(name, length),
        Error::MissingBox(kind) => PictureError::damaged(name, &format!("its part `{kind}` is missing")),
        Error::UnknownItem(_) => PictureError::damaged(name, "it refers to a picture that it does not have"),
        Error::Unimplemented(_) => {
            let described = format.described();
            PictureError::Unsupported(format!("is {described} whose header is of a version that is not supported"))
        }
        _ => PictureError::damaged(name, "its header breaks the rules of the format"),
    }
}
