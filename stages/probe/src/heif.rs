//! HEIF (HEIC, AVIF): the primary picture's size and rotation, from the properties of its item (ISO/IEC 23008-12).
//!
//! The `irot` and `imir` properties turn the picture. EXIF in a HEIF is informative and is not read.

use crate::bmff::{Box, Boxes, find};
use crate::error::ProbeError;
use crate::format::Format;
use crate::orientation;
use crate::probe::Probe;
use crate::source::{Source, Window};

const WITHIN: &str = "the header of the pictures (meta)";

/// The most entries that are read. A picture in tiles has a few properties and one entry per tile.
const MAX_ENTRIES: u32 = 64 * 1024;

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>, format: Format) -> Result<Probe, ProbeError<S::Error>> {
    let meta = find(window, b"meta", WITHIN)?;
    let (mut primary, mut containers, mut associations) = (None, None, Vec::new());
    let mut boxes = Boxes::within(meta, 4, WITHIN);
    while let Some(found) = boxes.next(window)? {
        match &found.kind {
            b"pitm" => primary = Some(primary_item(window, found)?),
            b"iprp" => {
                let mut parts = Boxes::within(found, 0, WITHIN);
                while let Some(part) = parts.next(window)? {
                    match &part.kind {
                        b"ipco" => containers = Some(part),
                        b"ipma" => associations.push(part),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let (Some(primary), Some(container)) = (primary, containers) else {
        return Err(ProbeError::corrupt("the primary picture or its properties are missing", meta.start));
    };
    let mut indices = Vec::new();
    for part in associations {
        if let Some(found) = associated(window, part, primary)? {
            indices = found;
            break;
        }
    }
    let properties = Properties::read(window, container, &indices)?;
    let Some(stored) = properties.size.filter(|(width, height)| *width > 0 && *height > 0) else {
        return Err(ProbeError::corrupt("the primary picture has no size", container.start));
    };
    let shown = properties.shown(stored);
    Ok(Probe::picture(format, shown, properties.orientation(), false, meta.end))
}

fn primary_item<S: Source>(window: &mut Window<'_, S>, pitm: Box) -> Result<u32, ProbeError<S::Error>> {
    let [version] = window.array(pitm.body, WITHIN)?;
    if version == 0 { window.u16(pitm.body + 4, WITHIN).map(u32::from) } else { window.u32(pitm.body + 4, WITHIN) }
}

/// Returns the numbers of the properties of `item`, counted from 1. `None` if this box does not list the item.
fn associated<S: Source>(
    window: &mut Window<'_, S>,
    ipma: Box,
    item: u32,
) -> Result<Option<Vec<u16>>, ProbeError<S::Error>> {
    let [version, _, _, flags] = window.array(ipma.body, WITHIN)?;
    let entries = window.u32(ipma.body + 4, WITHIN)?;
    let mut at = ipma.body + 8;
    for _ in 0..entries.min(MAX_ENTRIES) {
        if at >= ipma.end {
            break;
        }
        let id = if version == 0 { u32::from(window.u16(at, WITHIN)?) } else { window.u32(at, WITHIN)? };
        at += if version == 0 { 2 } else { 4 };
        let [count] = window.array(at, WITHIN)?;
        at += 1;
        let width = if flags & 1 == 0 { 1 } else { 2 };
        if id != item {
            at += u64::from(count) * width;
            continue;
        }
        // The highest bit marks a property as essential.
        return (0..u64::from(count))
            .map(|index| match width {
                1 => window.array(at + index, WITHIN).map(|[byte]| u16::from(byte & 0x7f)),
                _ => window.u16(at + 2 * index, WITHIN).map(|word| word & 0x7fff),
            })
            .collect::<Result<_, _>>()
            .map(Some);
    }
    Ok(None)
}

/// The primary picture's properties that matter here.
#[derive(Default)]
struct Properties {
    size: Option<(u32, u32)>,
    /// The width and height that are left of it (a clean aperture), each as a fraction.
    cut: Option<[u32; 4]>,
    /// A rotation in quarter turns, and its position in the item's list. Transformations apply in the order of that list.
    turn: Option<(usize, u8)>,
    /// A mirror axis, and its position in the item's list.
    mirror: Option<(usize, u8)>,
}

impl Properties {
    fn read<S: Source>(window: &mut Window<'_, S>, ipco: Box, indices: &[u16]) -> Result<Self, ProbeError<S::Error>> {
        let mut properties = Properties::default();
        let mut boxes = Boxes::within(ipco, 0, WITHIN);
        let mut number = 0u32;
        while let Some(found) = boxes.next(window)? {
            number += 1;
            let Some(place) = indices.iter().position(|index| u32::from(*index) == number) else {
                continue;
            };
            match &found.kind {
                b"ispe" => {
                    properties.size = Some((window.u32(found.body + 4, WITHIN)?, window.u32(found.body + 8, WITHIN)?));
                }
                b"clap" => {
                    let mut fractions = [0; 4];
                    for (at, number) in (found.body..).step_by(4).zip(&mut fractions) {
                        *number = window.u32(at, WITHIN)?;
                    }
                    properties.cut = Some(fractions);
                }
                b"irot" => properties.turn = Some((place, window.array::<1>(found.body, WITHIN)?[0] & 3)),
                b"imir" => properties.mirror = Some((place, window.array::<1>(found.body, WITHIN)?[0] & 1)),
                _ => {}
            }
        }
        Ok(properties)
    }

    /// Returns what is shown of a picture of `stored` pixels.
    fn shown(&self, stored: (u32, u32)) -> (u32, u32) {
        let kept = |side: u32, length: u32, parts: u32| match parts {
            0 => side,
            parts => ((u64::from(length) + u64::from(parts) / 2) / u64::from(parts)).clamp(1, side.into()) as u32,
        };
        let Some([width, width_parts, height, height_parts]) = self.cut else { return stored };
        (kept(stored.0, width, width_parts), kept(stored.1, height, height_parts))
    }

    /// Returns the orientation as an EXIF number. HEIF turns counter-clockwise, EXIF clockwise.
    fn orientation(&self) -> u8 {
        let (turned_at, quarters) = self.turn.map_or((0, 0), |(place, quarters)| (place, (4 - quarters) % 4));
        match self.mirror {
            None => orientation::turned(quarters),
            Some((mirrored_at, axis)) => {
                // A mirror before a turn equals the opposite turn before the same mirror. Exchanging top and bottom equals
                // exchanging left and right after half a turn.
                let quarters = if mirrored_at < turned_at { 4 - quarters } else { quarters };
                orientation::turned_then_mirrored(quarters + if axis == 0 { 2 } else { 0 })
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bmff::tests::boxed;
    use crate::{Pixels, probe, verify_end};

    /// Returns a HEIC whose primary picture (item 2) has the given properties, beside a thumbnail (item 1).
    pub(crate) fn heic(brand: &[u8; 4], properties: &[Vec<u8>]) -> Vec<u8> {
        let thumbnail_size = size(320, 240);
        let ipco = boxed(b"ipco", &[&thumbnail_size, &properties.concat()]);
        let mut entries = vec![0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 0x81, 0, 2, properties.len() as u8];
        entries.extend((0..properties.len() as u8).map(|index| 0x80 | (index + 2)));
        let iprp = boxed(b"iprp", &[&ipco, &boxed(b"ipma", &[&entries])]);
        let pitm = boxed(b"pitm", &[&[0, 0, 0, 0, 0, 2]]);
        let meta = boxed(b"meta", &[&[0; 4], &boxed(b"hdlr", &[&[0; 20]]), &pitm, &iprp]);
        [boxed(b"ftyp", &[brand, &[0; 4], b"mif1"]), meta, boxed(b"mdat", &[&[9; 40]])].concat()
    }

    pub(crate) fn size(width: u32, height: u32) -> Vec<u8> {
        boxed(b"ispe", &[&[0; 4], &width.to_be_bytes(), &height.to_be_bytes()])
    }

    #[test]
    fn the_size_is_the_primary_pictures_and_not_its_thumbnails() {
        let file = heic(b"heic", &[size(4032, 3024)]);
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.format, Format::Heic);
        assert_eq!(found.pixels, Some(Pixels { width: 4032, height: 3024 }));
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
        assert!(verify_end(&mut &file[..file.len() - 3], &found).is_err());
        assert_eq!(probe(&mut heic(b"avif", &[size(1, 1)]).as_slice()).unwrap().format, Format::Avif);
    }

    #[test]
    fn rotations_and_mirrors_are_given_as_exif_numbers() {
        let irot = |quarters: u8| boxed(b"irot", &[&[quarters]]);
        let imir = |axis: u8| boxed(b"imir", &[&[axis]]);
        let turned: [(&[Vec<u8>], u8); 10] = [
            (&[irot(0)], 1),
            (&[irot(1)], 8),
            (&[irot(2)], 3),
            (&[irot(3)], 6),
            (&[imir(1)], 2),
            (&[imir(0)], 4),
            (&[irot(3), imir(1)], 5),
            (&[irot(1), imir(1)], 7),
            (&[imir(1), irot(3)], 7),
            (&[imir(1), irot(1)], 5),
        ];
        for (transformations, orientation) in turned {
            let properties = [&[size(400, 300)], transformations].concat();
            let found = probe(&mut heic(b"heic", &properties).as_slice()).unwrap();
            assert_eq!(found.orientation, orientation);
            let portrait = found.pixels.unwrap().is_portrait();
            assert_eq!(portrait, orientation >= 5, "orientation {orientation}");
        }
    }

    #[test]
    fn the_size_is_what_a_clean_aperture_leaves() {
        let numbers = [401u32, 2, 300, 1, 0, 1, 0, 1].map(u32::to_be_bytes).concat();
        let file = heic(b"heic", &[size(400, 304), boxed(b"clap", &[&numbers])]);
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.pixels, Some(Pixels { width: 201, height: 300 }));
    }

    #[test]
    fn a_primary_picture_without_a_size_is_refused() {
        let refused = probe(&mut heic(b"heic", &[]).as_slice()).unwrap_err();
        assert!(refused.to_string().starts_with("the primary picture has no size"), "{refused}");
    }
}
