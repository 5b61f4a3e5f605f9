//! WebP: a RIFF container around VP8 or VP8L data, with metadata chunks in the extended form (RFC 9649).

use crate::error::ProbeError;
use crate::format::Format;
use crate::probe::Probe;
use crate::source::{Source, Window};
use crate::tiff;

/// One chunk per frame of an animation.
const MAX_CHUNKS: usize = 16 * 1024;
const WITHIN: &str = "the WebP header";
const FIRST_CHUNK: u64 = 12;

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>) -> Result<Probe, ProbeError<S::Error>> {
    let first = Chunk::read(window, FIRST_CHUNK)?;
    let (stored, exif) = match &first.kind {
        b"VP8 " | b"VP8L" => (frame_size(window, &first)?, tiff::Exif::default()),
        b"VP8X" => extended(window, &first)?,
        _ => {
            return Err(ProbeError::corrupt("the first chunk is not a picture", FIRST_CHUNK));
        }
    };
    let found = Probe::picture(Format::WebP, stored, exif.orientation.unwrap_or(1), false, first.body);
    Ok(Probe { adobe_rgb: exif.adobe_rgb, ..found })
}

/// Checks that the container, which gives its own length, fits into the file. Its last byte may be missing: writers leave out
/// the one that makes a length even, and others count one too many.
pub(crate) fn verify_end<S: Source>(window: &mut Window<'_, S>) -> Result<(), ProbeError<S::Error>> {
    if container_end(window)? > window.len() + 1 {
        return Err(ProbeError::Truncated { what: "the picture's data", offset: window.len() });
    }
    Ok(())
}

fn container_end<S: Source>(window: &mut Window<'_, S>) -> Result<u64, ProbeError<S::Error>> {
    Ok(8 + u64::from(u32::from_le_bytes(window.array(4, WITHIN)?)))
}

struct Chunk {
    kind: [u8; 4],
    body: u64,
    end: u64,
}

impl Chunk {
    fn read<S: Source>(window: &mut Window<'_, S>, at: u64) -> Result<Self, ProbeError<S::Error>> {
        let kind = window.array(at, WITHIN)?;
        let length = u64::from(u32::from_le_bytes(window.array(at + 4, WITHIN)?));
        Ok(Self { kind, body: at + 8, end: at + 8 + length })
    }

    /// Returns the offset of the next chunk. Chunks begin at even offsets.
    fn next(&self) -> u64 {
        self.end + self.end % 2
    }
}

/// Width and height as stored.
type Size = (u32, u32);

/// Returns the canvas of an extended file and what its EXIF chunk says, which comes after the picture's data.
fn extended<S: Source>(window: &mut Window<'_, S>, header: &Chunk) -> Result<(Size, tiff::Exif), ProbeError<S::Error>> {
    let [_, _, _, _, w0, w1, w2, h0, h1, h2]: [u8; 10] = window.array(header.body, WITHIN)?;
    let canvas = (1 + u32::from_le_bytes([w0, w1, w2, 0]), 1 + u32::from_le_bytes([h0, h1, h2, 0]));
    let end = container_end(window)?.min(window.len());
    let mut at = header.next();
    for _ in 0..MAX_CHUNKS {
        if at + 8 > end {
            return Ok((canvas, tiff::Exif::default()));
        }
        let chunk = Chunk::read(window, at)?;
        match &chunk.kind {
            // Otherwise a small canvas around a huge picture would pass a limit on pixels.
            b"VP8 " | b"VP8L" if frame_size(window, &chunk)? != canvas => {
                return Err(ProbeError::corrupt("the picture's size differs from its canvas", at));
            }
            // It comes after the picture's data and may turn it.
            b"EXIF" if chunk.end > window.len() => {
                return Err(ProbeError::Truncated { what: "the EXIF data", offset: window.len() });
            }
            b"EXIF" => {
                return Ok((canvas, tiff::exif_within(window, chunk.body, chunk.end)?));
            }
            _ => at = chunk.next(),
        }
    }
    Err(ProbeError::corrupt("more chunks than a picture can have", at))
}

/// Returns the size at the beginning of a picture's compressed data.
fn frame_size<S: Source>(window: &mut Window<'_, S>, chunk: &Chunk) -> Result<Size, ProbeError<S::Error>> {
    let at = chunk.body;
    let (width, height) = if &chunk.kind == b"VP8L" {
        let [signature, bits @ ..]: [u8; 5] = window.array(at, WITHIN)?;
        let bits = u32::from_le_bytes(bits);
        if signature != 0x2f || bits >> 29 != 0 {
            return Err(ProbeError::corrupt("the lossless picture does not begin with its signature", at));
        }
        (1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff))
    } else {
        let [tag, _, _, s0, s1, s2, w0, w1, h0, h1]: [u8; 10] = window.array(at, WITHIN)?;
        if tag & 1 != 0 || [s0, s1, s2] != [0x9d, 0x01, 0x2a] {
            return Err(ProbeError::corrupt("the picture does not begin with a key frame", at));
        }
        // The two highest bits ask for scaling on display, which readers ignore.
        (u32::from(u16::from_le_bytes([w0, w1]) & 0x3fff), u32::from(u16::from_le_bytes([h0, h1]) & 0x3fff))
    };
    if width == 0 || height == 0 {
        return Err(ProbeError::corrupt("the picture has no width or no height", at));
    }
    Ok((width, height))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Pixels, probe, verify_end};

    fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut body = b"WEBP".to_vec();
        for &(kind, bytes) in chunks {
            let length = <[u8]>::len(bytes);
            body.extend(kind);
            body.extend((length as u32).to_le_bytes());
            body.extend(bytes);
            body.extend(vec![0; length % 2]);
        }
        [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
    }

    fn lossy(width: u16, height: u16) -> Vec<u8> {
        [b"\x10\0\0\x9d\x01\x2a".as_slice(), &width.to_le_bytes(), &height.to_le_bytes(), b"data"].concat()
    }

    /// Returns a lossy WebP in the extended form with an EXIF chunk.
    pub(crate) fn webp(canvas: (u32, u32), picture: (u16, u16), orientation: u8) -> Vec<u8> {
        let mut header = vec![0x08, 0, 0, 0];
        header.extend(&(canvas.0 - 1).to_le_bytes()[..3]);
        header.extend(&(canvas.1 - 1).to_le_bytes()[..3]);
        let exif = tiff::tests::tiff(&[(0x0112, 3, u32::from(orientation))]);
        riff(&[(b"VP8X", &header), (b"VP8 ", &lossy(picture.0, picture.1)), (b"EXIF", &exif)])
    }

    #[test]
    fn all_three_forms_give_their_size() {
        let simple = riff(&[(b"VP8 ", &lossy(300, 200))]);
        assert_eq!(probe(&mut simple.as_slice()).unwrap().pixels, Some(Pixels { width: 300, height: 200 }));
        let bits: u32 = 299 | 199 << 14;
        let lossless = riff(&[(b"VP8L", &[b"\x2f".as_slice(), &bits.to_le_bytes()].concat())]);
        assert_eq!(probe(&mut lossless.as_slice()).unwrap().pixels, Some(Pixels { width: 300, height: 200 }));
        let found = probe(&mut webp((300, 200), (300, 200), 8).as_slice()).unwrap();
        assert_eq!((found.pixels, found.orientation), (Some(Pixels { width: 200, height: 300 }), 8));
    }

    #[test]
    fn a_canvas_that_hides_a_larger_picture_is_refused() {
        let refused = probe(&mut webp((10, 10), (16383, 16383), 1).as_slice()).unwrap_err();
        assert_eq!(refused.to_string(), "the picture's size differs from its canvas, at byte 30");
    }

    #[test]
    fn a_container_longer_than_the_file_is_cut_off() {
        let file = webp((300, 200), (300, 200), 1);
        let cut = &file[..file.len() - 2];
        let found = probe(&mut file.as_slice()).unwrap();
        assert!(matches!(probe(&mut &*cut), Err(ProbeError::Truncated { .. })), "the EXIF data may turn the picture");
        assert!(matches!(verify_end(&mut &*cut, &found), Err(ProbeError::Truncated { .. })));
        assert_eq!(verify_end(&mut &file[..file.len() - 1], &found), Ok(()), "one byte, as some writers count");
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
    }
}
