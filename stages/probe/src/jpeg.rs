//! JPEG: the segments up to the first scan (ITU-T T.81, annex B), including the EXIF orientation.

use crate::end;
use crate::error::ProbeError;
use crate::format::Format;
use crate::jpeg_data;
use crate::probe::Probe;
use crate::source::{Source, Window};
use crate::tiff;

/// The end-of-image marker. In a scan's data 0x00 or a restart marker follows every 0xff, so this is never a false match.
pub(crate) const END: &[u8] = b"\xff\xd9";

/// Photos with depth maps carry a few hundred segments of metadata.
const MAX_SEGMENTS: usize = 4096;

/// The number of stray bytes before a marker that are skipped. Decoders skip them, too.
const MAX_STRAY_BYTES: usize = 4096;

const WITHIN: &str = "the JPEG header";

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>) -> Result<Probe, ProbeError<S::Error>> {
    let mut at = 2;
    let mut frame: Option<Frame> = None;
    let mut orientation = None;
    let mut adobe_rgb = false;
    for _ in 0..MAX_SEGMENTS {
        at = next_marker(window, at)?;
        let [_, marker] = window.array(at, WITHIN)?;
        match marker {
            // Markers without a segment: TEM, restarts, a second start of image.
            0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 => {
                return Err(ProbeError::corrupt("the picture ends before its data begins", at));
            }
            _ => {
                let length = window.u16(at + 2, WITHIN)?;
                if length < 2 {
                    return Err(ProbeError::corrupt("a segment of an impossible length", at));
                }
                let next = at + 2 + u64::from(length);
                match marker {
                    0xda => {
                        let frame = with_lines(window, frame, next)?;
                        return finish(frame, orientation, at, next).map(|found| Probe { adobe_rgb, ..found });
                    }
                    0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                        if frame.is_some() {
                            return Err(ProbeError::corrupt("a second frame header", at));
                        }
                        frame = Some(Frame::read(window, at, marker, length)?);
                    }
                    0xe1 if orientation.is_none() => {
                        let exif = exif(window, at + 4, next)?;
                        orientation = exif.orientation;
                        adobe_rgb |= exif.adobe_rgb;
                    }
                    _ => {}
                }
                at = next;
            }
        }
    }
    Err(ProbeError::corrupt("more segments than a picture can have", at))
}

/// Returns the offset of the next marker, after stray bytes and fill bytes.
fn next_marker<S: Source>(window: &mut Window<'_, S>, at: u64) -> Result<u64, ProbeError<S::Error>> {
    let near = window.bytes(at, 2, WITHIN)?;
    if matches!(near, [0xff, 0x01..=0xfe]) {
        return Ok(at);
    }
    let near = window.up_to(at, MAX_STRAY_BYTES)?;
    let found = near.windows(2).position(|pair| matches!(pair, [0xff, 0x01..=0xfe]));
    match found {
        Some(skipped) => Ok(at + skipped as u64),
        None if near.len() < MAX_STRAY_BYTES => {
            Err(ProbeError::Truncated { what: WITHIN, offset: at + near.len() as u64 })
        }
        None => Err(ProbeError::corrupt("no marker at the beginning of a segment", at)),
    }
}

struct Frame {
    width: u16,
    height: u16,
    progressive: bool,
}

impl Frame {
    fn read<S: Source>(
        window: &mut Window<'_, S>,
        at: u64,
        marker: u8,
        length: u16,
    ) -> Result<Self, ProbeError<S::Error>> {
        let [_precision, h1, h0, w1, w0, components] = window.array(at + 4, WITHIN)?;
        if components == 0 || u32::from(length) != 8 + 3 * u32::from(components) {
            return Err(ProbeError::corrupt("the frame header does not list its components", at));
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        // A height of 0 means that it follows the first scan.
        if width == 0 {
            return Err(ProbeError::corrupt("the picture has no width", at + 5));
        }
        Ok(Self { width, height, progressive: matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce) })
    }
}

/// Returns the frame with the height that follows the scan whose data begins at `body`, if its header leaves it open.
fn with_lines<S: Source>(
    window: &mut Window<'_, S>,
    frame: Option<Frame>,
    body: u64,
) -> Result<Option<Frame>, ProbeError<S::Error>> {
    match frame {
        Some(frame) if frame.height == 0 => match jpeg_data::lines(window, body)? {
            Some(height @ 1..) => Ok(Some(Frame { height, ..frame })),
            _ => Err(ProbeError::corrupt("the picture has no height", body)),
        },
        other => Ok(other),
    }
}

/// Checks that the picture whose data begins at `body` has an end mark, or all of its data.
///
/// # Errors
/// [`ProbeError::Truncated`] if it has not, [`ProbeError::Corrupt`] if the data is damaged.
pub(crate) fn verify_end<S: Source>(source: &mut S, body: u64) -> Result<(), ProbeError<S::Error>> {
    match end::marked(source, body, END, "the picture's data") {
        Err(ProbeError::Truncated { what, offset }) => match jpeg_data::verify(source) {
            // Damage that is noticed only because the mark is missing is the rest of a file that was cut off.
            Err(ProbeError::Truncated { .. } | ProbeError::Corrupt { .. }) => {
                Err(ProbeError::Truncated { what, offset })
            }
            other => other,
        },
        other => other,
    }
}

fn finish<E>(frame: Option<Frame>, orientation: Option<u8>, at: u64, body: u64) -> Result<Probe, ProbeError<E>> {
    let Some(Frame { width, height, progressive }) = frame else {
        return Err(ProbeError::corrupt("picture data before any frame header", at));
    };
    let stored = (u32::from(width), u32::from(height));
    Ok(Probe::picture(Format::Jpeg, stored, orientation.unwrap_or(1), progressive, body))
}

/// Returns what this APP1 segment says if it is EXIF. XMP uses APP1, too.
fn exif<S: Source>(window: &mut Window<'_, S>, at: u64, end: u64) -> Result<tiff::Exif, ProbeError<S::Error>> {
    const MARK: &[u8] = b"Exif\0\0";
    if end - at < MARK.len() as u64 || window.up_to(at, MARK.len())? != MARK {
        return Ok(tiff::Exif::default());
    }
    tiff::exif_within(window, at + MARK.len() as u64, end)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Pixels, probe, verify_end};

    /// Returns a JPEG with EXIF before the frame header. Its scan data cannot be decoded.
    pub(crate) fn jpeg(width: u16, height: u16, orientation: Option<u8>, sof: u8) -> Vec<u8> {
        let mut file = b"\xff\xd8".to_vec();
        if let Some(orientation) = orientation {
            let tiff = tiff::tests::tiff(&[(0x0112, 3, u32::from(orientation))]);
            file.extend(b"\xff\xe1");
            file.extend((2 + 6 + tiff.len() as u16).to_be_bytes());
            file.extend(b"Exif\0\0");
            file.extend(tiff);
        }
        file.extend([0xff, sof, 0, 11, 8]);
        file.extend(height.to_be_bytes());
        file.extend(width.to_be_bytes());
        file.extend([1, 1, 0x11, 0]);
        file.extend(b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00");
        file.extend(b"entropy \xff\x00 coded \xff\xd0 data");
        file.extend(END);
        file
    }

    #[test]
    fn the_size_is_as_a_person_sees_it_in_all_eight_orientations() {
        for orientation in 1..=8 {
            let file = jpeg(4000, 3000, Some(orientation), 0xc0);
            let found = probe(&mut file.as_slice()).unwrap();
            let upright = if orientation <= 4 { (4000, 3000) } else { (3000, 4000) };
            assert_eq!(found.pixels, Some(Pixels { width: upright.0, height: upright.1 }), "{orientation}");
            assert_eq!(found.orientation, orientation);
            verify_end(&mut file.as_slice(), &found).unwrap();
        }
    }

    #[test]
    fn without_exif_the_orientation_is_1_and_progressive_is_detected() {
        let found = probe(&mut jpeg(40, 30, None, 0xc2).as_slice()).unwrap();
        assert_eq!((found.orientation, found.progressive), (1, true));
    }

    #[test]
    fn an_orientation_beyond_8_is_ignored() {
        assert_eq!(probe(&mut jpeg(40, 30, Some(9), 0xc0).as_slice()).unwrap().orientation, 1);
    }

    #[test]
    fn fill_bytes_and_stray_bytes_before_a_marker_are_skipped() {
        let mut file = jpeg(40, 30, None, 0xc0);
        file.splice(2..2, *b"\xff\xfe\x00\x02stray\xff\xff");
        assert_eq!(probe(&mut file.as_slice()).unwrap().pixels, Some(Pixels { width: 40, height: 30 }));
    }

    #[test]
    fn a_picture_cut_off_in_its_data_is_probed_but_incomplete() {
        let file = jpeg(40, 30, Some(6), 0xc0);
        let cut = &file[..file.len() - 5];
        let found = probe(&mut &*cut).unwrap();
        let refused = verify_end(&mut &*cut, &found).unwrap_err();
        assert_eq!(refused.to_string(), format!("it ends at byte {}, within the picture's data", cut.len()));
    }

    #[test]
    fn bytes_that_a_camera_appends_are_accepted() {
        let mut file = jpeg(40, 30, None, 0xc0);
        file.extend(vec![0x55; 300_000]);
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
    }

    #[test]
    fn broken_headers_are_refused_with_their_offset() {
        let second_frame = {
            let mut file = jpeg(40, 30, None, 0xc0);
            file.splice(2..2, *b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00");
            file
        };
        let cases: [(&[u8], &str); 6] = [
            (b"\xff\xd8\xff\xd9", "the picture ends before its data begins, at byte 2"),
            (b"\xff\xd8\xff\xe0\x00\x01", "a segment of an impossible length, at byte 2"),
            (b"\xff\xd8\xff\xe0\x00\x10JF", "it ends at byte 8, within the JPEG header"),
            (b"\xff\xd8\xff\xda\x00\x02", "picture data before any frame header, at byte 2"),
            (b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x01\x00\x00\x01\x01\x11\x00", "the picture has no width, at byte 7"),
            (&second_frame, "a second frame header, at byte 15"),
        ];
        for (file, message) in cases {
            assert_eq!(probe(&mut &*file).unwrap_err().to_string(), message);
        }
    }
}
