//! The directories of a TIFF (TIFF 6.0, section 2, and BigTIFF). EXIF is such a file, too, and keeps a photo's orientation
//! there, and whether its colours are those of Adobe RGB.

use crate::error::ProbeError;
use crate::format::Format;
use crate::probe::Probe;
use crate::source::{Source, Window};

const NEW_SUBFILE_TYPE: u16 = 0x00fe;
const SUBFILE_TYPE: u16 = 0x00ff;
const WIDTH: u16 = 0x0100;
const HEIGHT: u16 = 0x0101;
const ORIENTATION: u16 = 0x0112;
const EXIF: u16 = 0x8769;
const COLOUR_SPACE: u16 = 0xa001;
const INTEROPERABILITY: u16 = 0xa005;
const INTEROPERABILITY_INDEX: u16 = 0x0001;
const WITHIN: &str = "the TIFF directory";

/// The most pages that are looked at for one that is not a small preview of another.
const MAX_PAGES: usize = 64;

/// What EXIF says that matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exif {
    /// 1 to 8; `None` if it is missing or invalid.
    pub(crate) orientation: Option<u8>,
    /// Whether the colours are those of Adobe RGB: `ColorSpace` says "uncalibrated", and the interoperability index is `R03`
    /// (DCF 2.0, section 3.2).
    pub(crate) adobe_rgb: bool,
}

/// Returns what the EXIF between the offsets `base` and `end` of a file says, with or without `Exif\0\0` before it. Broken EXIF
/// is common in good photos, so it is not an error.
///
/// # Errors
/// [`ProbeError::Read`] if the source fails; nothing else.
pub(crate) fn exif_within<S: Source>(
    window: &mut Window<'_, S>,
    base: u64,
    end: u64,
) -> Result<Exif, ProbeError<S::Error>> {
    // Some writers of WebP keep JPEG's prefix.
    let base = if window.up_to(base, 6)? == b"Exif\0\0" { base + 6 } else { base };
    let mut found = Exif::default();
    match read_exif(window, base, end, &mut found) {
        Err(ProbeError::Read(error)) => Err(ProbeError::Read(error)),
        _ => Ok(found),
    }
}

fn read_exif<S: Source>(
    window: &mut Window<'_, S>,
    base: u64,
    end: u64,
    found: &mut Exif,
) -> Result<(), ProbeError<S::Error>> {
    let header = Header::read(window, base)?;
    let main = Directory::read(window, &header, header.first, end)?;
    found.orientation = main.orientation;
    let Some(exif) = main.exif else { return Ok(()) };
    let exif = Directory::read(window, &header, exif, end)?;
    let (Some(0xffff), Some(interoperability)) = (exif.colour_space, exif.interoperability) else { return Ok(()) };
    found.adobe_rgb = Directory::read(window, &header, interoperability, end)?.index == Some(*b"R03");
    Ok(())
}

/// Returns the first page that is not a preview of another one; if all are, the first.
pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>) -> Result<Probe, ProbeError<S::Error>> {
    let header = Header::read(window, 0)?;
    let first = Directory::read(window, &header, header.first, window.len())?;
    let mut next = first.next;
    let mut page = None;
    if first.is_preview {
        for _ in 1..MAX_PAGES {
            // A broken later page does not matter as long as there is a first one.
            let (Some(at), None) = (next, &page) else { break };
            match Directory::read(window, &header, at, window.len()) {
                Ok(later) => {
                    next = later.next;
                    page = Some(later).filter(|page| !page.is_preview && page.width.is_some() && page.height.is_some());
                }
                Err(ProbeError::Read(error)) => return Err(ProbeError::Read(error)),
                Err(_) => break,
            }
        }
    }
    let page = page.unwrap_or(first);
    match (page.width, page.height) {
        (Some(width @ 1..), Some(height @ 1..)) => {
            let orientation = page.orientation.unwrap_or(1);
            Ok(Probe::picture(Format::Tiff, (width, height), orientation, false, page.at))
        }
        _ => Err(ProbeError::corrupt("the first directory has no width or no height", page.at)),
    }
}

/// How a TIFF's numbers are written, and where its first directory is.
struct Header {
    base: u64,
    big_endian: bool,
    /// Whether offsets have eight bytes.
    big: bool,
    first: u64,
}

impl Header {
    /// Reads the header at `base`. The file's offsets count from there.
    fn read<S: Source>(window: &mut Window<'_, S>, base: u64) -> Result<Self, ProbeError<S::Error>> {
        let header: [u8; 8] = window.array(base, WITHIN)?;
        let (big_endian, first) = match header {
            [b'I', b'I', 42, 0, offset @ ..] => (false, u32::from_le_bytes(offset).into()),
            [b'M', b'M', 0, 42, offset @ ..] => (true, u32::from_be_bytes(offset).into()),
            [b'I', b'I', 43, 0, 8, 0, 0, 0] => (false, u64::from_le_bytes(window.array(base + 8, WITHIN)?)),
            [b'M', b'M', 0, 43, 0, 8, 0, 0] => (true, u64::from_be_bytes(window.array(base + 8, WITHIN)?)),
            _ => return Err(ProbeError::corrupt("no TIFF header", base)),
        };
        let big = matches!(header, [_, _, 43, 0, ..] | [_, _, 0, 43, ..]);
        Ok(Self { base, big_endian, big, first })
    }

    /// Returns a number of up to eight bytes.
    fn number(&self, bytes: &[u8]) -> u64 {
        let add = |number: u64, digit: &u8| number << 8 | u64::from(*digit);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}

/// The entries of a directory that matter here.
#[derive(Default)]
struct Directory {
    at: u64,
    /// The offset of the next one, from the header on.
    next: Option<u64>,
    width: Option<u32>,
    height: Option<u32>,
    orientation: Option<u8>,
    is_preview: bool,
    exif: Option<u64>,
    colour_space: Option<u32>,
    interoperability: Option<u64>,
    index: Option<[u8; 3]>,
}

impl Directory {
    /// Reads the directory at an offset, in a TIFF that ends at `end`.
    fn read<S: Source>(
        window: &mut Window<'_, S>,
        header: &Header,
        offset: u64,
        end: u64,
    ) -> Result<Self, ProbeError<S::Error>> {
        let beyond = || ProbeError::Truncated { what: WITHIN, offset: end };
        let at = header.base.checked_add(offset).ok_or_else(beyond)?;
        let (head, size, word) = if header.big { (8, 20, 8) } else { (2, 12, 4) };
        let mut found = Directory { at, ..Directory::default() };
        let entries = header.number(window.bytes(at, head, WITHIN)?);
        // A directory with offsets of eight bytes may claim any number of entries.
        if entries > u64::from(u16::MAX) {
            return Err(ProbeError::corrupt("a directory with more entries than a picture can have", at));
        }
        let first = at.checked_add(head as u64).ok_or_else(beyond)?;
        let after = first.checked_add(size as u64 * entries).ok_or_else(beyond)?;
        for index in 0..entries {
            let entry = first + size as u64 * index;
            if entry + size as u64 > end {
                return Err(beyond());
            }
            let bytes = window.bytes(entry, size, WITHIN)?;
            let part = |from: usize, length: usize| bytes.get(from..from + length).unwrap_or_default();
            // An entry without values says nothing, whatever stands in their place.
            if header.number(part(4, word)) == 0 {
                continue;
            }
            let value = part(4 + word, word);
            // Some writers use the signed types (6, 8, 9, 17) for numbers that are never negative.
            let number = match header.number(part(2, 2)) {
                1 | 6 => header.number(value.get(..1).unwrap_or_default()),
                3 | 8 => header.number(value.get(..2).unwrap_or_default()),
                4 | 9 | 13 => header.number(value.get(..4).unwrap_or_default()),
                16..=18 => header.number(value),
                2 => {
                    if header.number(part(0, 2)) == u64::from(INTEROPERABILITY_INDEX) {
                        found.index = value.first_chunk().copied();
                    }
                    continue;
                }
                _ => continue,
            };
            let small = u32::try_from(number).ok();
            match header.number(part(0, 2)) as u16 {
                NEW_SUBFILE_TYPE => found.is_preview |= number & 1 == 1,
                SUBFILE_TYPE => found.is_preview |= number == 2,
                // Of a size that is there twice, the first counts, as in libtiff.
                WIDTH => found.width = found.width.or(small),
                HEIGHT => found.height = found.height.or(small),
                ORIENTATION => found.orientation = u8::try_from(number).ok().filter(|value| (1..=8).contains(value)),
                EXIF => found.exif = Some(number),
                COLOUR_SPACE => found.colour_space = small,
                INTEROPERABILITY => found.interoperability = Some(number),
                _ => {}
            }
        }
        // Without it, there is no further page.
        if after + word as u64 <= end {
            let next = header.number(window.bytes(after, word, WITHIN)?);
            found.next = Some(next).filter(|next| *next != 0);
        }
        Ok(found)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Pixels, probe};

    /// Returns a little-endian TIFF with one directory of (tag, type, value).
    pub(crate) fn tiff(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut file = b"II\x2a\0\x08\0\0\0".to_vec();
        file.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(1u32.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file.extend([0; 4]);
        file
    }

    fn exif_orientation(mut block: &[u8]) -> Option<u8> {
        let end = block.len() as u64;
        exif_within(&mut Window::new(&mut block), 0, end).unwrap().orientation
    }

    #[test]
    fn size_and_orientation_are_in_the_first_directory() {
        let file = tiff(&[(WIDTH, 3, 640), (HEIGHT, 4, 480), (ORIENTATION, 3, 8)]);
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.pixels, Some(Pixels { width: 480, height: 640 }));
        assert_eq!(found.orientation, 8);
    }

    #[test]
    fn an_orientation_may_have_any_whole_number_s_type() {
        // Programs that turn photos have written type 9, a signed number of four bytes.
        for kind in [1, 3, 4, 6, 8, 9, 13] {
            assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, kind, 6)])), Some(6), "type {kind}");
        }
    }

    #[test]
    fn both_byte_orders_are_read() {
        let file = b"MM\0\x2a\0\0\0\x08\0\x03\
            \x01\0\0\x03\0\0\0\x01\x02\x80\0\0\
            \x01\x01\0\x04\0\0\0\x01\0\0\x01\xe0\
            \x01\x12\0\x03\0\0\0\x01\0\x03\0\0";
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.pixels, Some(Pixels { width: 640, height: 480 }));
        assert_eq!(exif_orientation(file), Some(3));
    }

    #[test]
    fn offsets_may_have_eight_bytes() {
        let mut file = b"II\x2b\0\x08\0\0\0\x10\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec();
        for (tag, kind, value) in [(WIDTH, 16u16, 640u64), (HEIGHT, 3, 480)] {
            file.extend(
                [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &1u64.to_le_bytes(), &value.to_le_bytes()].concat(),
            );
        }
        file.extend([0; 8]);
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!((found.format, found.pixels), (Format::Tiff, Some(Pixels { width: 640, height: 480 })));
        assert_eq!(found.content(), 16);
        file[16..24].copy_from_slice(&[0xff; 8]);
        assert!(matches!(probe(&mut file.as_slice()), Err(ProbeError::Corrupt { offset: 16, .. })));
    }

    /// Returns a file with these pages, one after the other.
    fn pages(pages: &[&[(u16, u16, u32)]]) -> Vec<u8> {
        let mut file = tiff(pages[0]);
        for page in &pages[1..] {
            let at = file.len() as u32;
            let link = file.len() - 4;
            file[link..].copy_from_slice(&at.to_le_bytes());
            file.extend(&tiff(page)[8..]);
        }
        file
    }

    #[test]
    fn a_preview_before_the_picture_is_passed_over() {
        let preview: &[_] = &[(NEW_SUBFILE_TYPE, 4, 1), (WIDTH, 3, 16), (HEIGHT, 3, 12)];
        let old_preview: &[_] = &[(SUBFILE_TYPE, 3, 2), (WIDTH, 3, 16), (HEIGHT, 3, 12)];
        let full: &[_] = &[(WIDTH, 3, 640), (HEIGHT, 3, 480), (ORIENTATION, 3, 3)];
        let found = probe(&mut pages(&[preview, old_preview, full]).as_slice()).unwrap();
        assert_eq!((found.pixels, found.orientation), (Some(Pixels { width: 640, height: 480 }), 3));
        let found = probe(&mut pages(&[full, preview]).as_slice()).unwrap();
        assert_eq!((found.pixels, found.content()), (Some(Pixels { width: 640, height: 480 }), 8));
        let only = probe(&mut pages(&[preview]).as_slice()).unwrap();
        assert_eq!(only.pixels, Some(Pixels { width: 16, height: 12 }));
        // A chain that leads back to itself ends.
        let mut circle = pages(&[preview, preview]);
        let link = circle.len() - 4;
        circle[link..].copy_from_slice(&8u32.to_le_bytes());
        assert!(probe(&mut circle.as_slice()).is_ok());
    }

    #[test]
    fn adobe_rgb_is_stated_by_two_tags() {
        let block = |colour_space: u32, index: &[u8; 4]| {
            // Directories of one entry take 18 bytes, of two 30.
            let mut block = tiff(&[(EXIF, 4, 26)]);
            block.extend(&tiff(&[(COLOUR_SPACE, 3, colour_space), (INTEROPERABILITY, 4, 56)])[8..]);
            block.extend(&tiff(&[(INTEROPERABILITY_INDEX, 2, u32::from_le_bytes(*index))])[8..]);
            let end = block.len() as u64;
            exif_within(&mut Window::new(&mut block.as_slice()), 0, end).unwrap().adobe_rgb
        };
        assert!(block(0xffff, b"R03\0"));
        assert!(!block(0xffff, b"R98\0"));
        assert!(!block(1, b"R03\0"));
    }

    #[test]
    fn invalid_exif_gives_no_orientation() {
        assert_eq!(exif_orientation(b""), None);
        assert_eq!(exif_orientation(b"Exif\0\0"), None);
        assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, 3, 0)])), None);
        assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, 2, 6)])), None, "a text is not a number");
        assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, 3, 6)])), Some(6));
        assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, 9, u32::MAX)])), None, "minus one");
        assert_eq!(exif_orientation(b"II\x2a\0\xff\xff\xff\xff"), None);
        let mut without_values = tiff(&[(ORIENTATION, 3, 6)]);
        without_values[14] = 0;
        assert_eq!(exif_orientation(&without_values), None);
    }

    #[test]
    fn a_directory_without_a_size_or_beyond_the_end_is_refused() {
        let no_size = tiff(&[(WIDTH, 3, 640)]);
        assert!(matches!(probe(&mut no_size.as_slice()), Err(ProbeError::Corrupt { offset: 8, .. })));
        let beyond = b"II\x2a\0\xf0\xff\xff\xff";
        assert!(matches!(probe(&mut beyond.as_slice()), Err(ProbeError::Truncated { offset: 8, .. })));
    }
}
