//! The first directory of a TIFF (TIFF 6.0, section 2). EXIF keeps a photo's orientation there, too.

use crate::error::ProbeError;
use crate::format::Format;
use crate::probe::Probe;
use crate::source::{Source, Window};

const WIDTH: u16 = 0x0100;
const HEIGHT: u16 = 0x0101;
const ORIENTATION: u16 = 0x0112;
const WITHIN: &str = "the TIFF directory";

/// Returns the orientation in the EXIF between the offsets `base` and `end` of a file, with or without `Exif\0\0` before it:
/// 1 to 8, or `None` if it is missing or invalid. Broken EXIF is common in good photos, so it is no error.
///
/// # Errors
/// [`ProbeError::Read`] if the source fails; nothing else.
pub(crate) fn orientation_within<S: Source>(
    window: &mut Window<'_, S>,
    base: u64,
    end: u64,
) -> Result<Option<u8>, ProbeError<S::Error>> {
    // Some writers of WebP keep JPEG's prefix.
    let base = if window.up_to(base, 6)? == b"Exif\0\0" { base + 6 } else { base };
    match Directory::read(window, base, end) {
        Ok(directory) => Ok(directory.orientation),
        Err(ProbeError::Read(error)) => Err(ProbeError::Read(error)),
        Err(_) => Ok(None),
    }
}

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>) -> Result<Probe, ProbeError<S::Error>> {
    let directory = Directory::read(window, 0, window.len())?;
    match (directory.width, directory.height) {
        (Some(width @ 1..), Some(height @ 1..)) => {
            let orientation = directory.orientation.unwrap_or(1);
            Ok(Probe::picture(Format::Tiff, (width, height), orientation, false, directory.at))
        }
        _ => Err(ProbeError::corrupt("the first directory has no width or no height", directory.at)),
    }
}

/// The entries of a TIFF's first directory that matter here.
struct Directory {
    at: u64,
    width: Option<u32>,
    height: Option<u32>,
    orientation: Option<u8>,
}

impl Directory {
    /// Reads the first directory of a TIFF that lies between `base` and `end`. Its own offsets count from `base`.
    fn read<S: Source>(window: &mut Window<'_, S>, base: u64, end: u64) -> Result<Self, ProbeError<S::Error>> {
        let header: [u8; 8] = window.array(base, WITHIN)?;
        let (big_endian, offset) = match header {
            [b'I', b'I', 42, 0, offset @ ..] => (false, u32::from_le_bytes(offset)),
            [b'M', b'M', 0, 42, offset @ ..] => (true, u32::from_be_bytes(offset)),
            _ => return Err(ProbeError::corrupt("no TIFF header", base)),
        };
        let short = |bytes: [u8; 2]| {
            if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        let long = |bytes: [u8; 4]| {
            if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };

        let at = base + u64::from(offset);
        let mut found = Directory { at, width: None, height: None, orientation: None };
        let entries = short(window.array(at, WITHIN)?);
        for index in 0..u64::from(entries) {
            let entry = at + 2 + 12 * index;
            if entry + 12 > end {
                return Err(ProbeError::Truncated { what: WITHIN, offset: end });
            }
            let [t0, t1, k0, k1, _, _, _, _, value @ ..]: [u8; 12] = window.array(entry, WITHIN)?;
            let [v0, v1, _, _] = value;
            let value = match short([k0, k1]) {
                3 => u32::from(short([v0, v1])),
                4 => long(value),
                1 => u32::from(v0),
                _ => continue,
            };
            match short([t0, t1]) {
                WIDTH => found.width = Some(value),
                HEIGHT => found.height = Some(value),
                ORIENTATION => found.orientation = u8::try_from(value).ok().filter(|value| (1..=8).contains(value)),
                _ => {}
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Pixels, probe};

    /// A little-endian TIFF with one directory of (tag, type, value).
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
        orientation_within(&mut Window::new(&mut block), 0, end).unwrap()
    }

    #[test]
    fn size_and_orientation_are_in_the_first_directory() {
        let file = tiff(&[(WIDTH, 3, 640), (HEIGHT, 4, 480), (ORIENTATION, 3, 8)]);
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.pixels, Some(Pixels { width: 480, height: 640 }));
        assert_eq!(found.orientation, 8);
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
    fn invalid_exif_gives_no_orientation() {
        assert_eq!(exif_orientation(b""), None);
        assert_eq!(exif_orientation(b"Exif\0\0"), None);
        assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, 3, 0)])), None);
        assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, 2, 6)])), None, "a text is not a number");
        assert_eq!(exif_orientation(&tiff(&[(ORIENTATION, 3, 6)])), Some(6));
        assert_eq!(exif_orientation(b"II\x2a\0\xff\xff\xff\xff"), None);
    }

    #[test]
    fn a_directory_without_a_size_or_beyond_the_end_is_refused() {
        let no_size = tiff(&[(WIDTH, 3, 640)]);
        assert!(matches!(probe(&mut no_size.as_slice()), Err(ProbeError::Corrupt { offset: 8, .. })));
        let beyond = b"II\x2a\0\xf0\xff\xff\xff";
        assert!(matches!(probe(&mut beyond.as_slice()), Err(ProbeError::Truncated { offset: 8, .. })));
    }
}
