//! PNG: the IHDR chunk, the chunks before the picture's data, and the EXIF after it (W3C PNG, third edition).

use crate::end;
use crate::error::ProbeError;
use crate::format::Format;
use crate::png_late_exif;
use crate::probe::Probe;
use crate::source::{Source, Window};
use crate::tiff;

/// The type of the IEND chunk and its checksum, which is the same in every file.
const END: &[u8] = b"IEND\xae\x42\x60\x82";

/// The number of bytes before the end of a file in which the mark is looked for first: cameras append to it.
const TAIL_BYTES: u64 = 64 * 1024;

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
const MAX_CHUNKS: usize = 4096;
const WITHIN: &str = "the PNG header";

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>) -> Result<Probe, ProbeError<S::Error>> {
    if window.up_to(0, 8)? != SIGNATURE {
        return Err(ProbeError::corrupt(
            "the PNG signature is damaged, perhaps by a transfer that changed line endings",
            0,
        ));
    }
    let header = Header::read(window)?;
    let mut exif = None;
    let mut at = 33;
    for _ in 0..MAX_CHUNKS {
        let length = u64::from(window.u32(at, WITHIN)?);
        let kind: [u8; 4] = window.array(at + 4, WITHIN)?;
        if !kind.iter().all(u8::is_ascii_alphabetic) || length > i32::MAX as u64 {
            return Err(ProbeError::corrupt("an invalid chunk", at));
        }
        match &kind {
            b"IDAT" => {
                let exif = match exif {
                    Some(exif) => exif,
                    None => png_late_exif::read(window, at + 12 + length)?,
                };
                let stored = (header.width, header.height);
                let orientation = exif.orientation.unwrap_or(1);
                let found = Probe::picture(Format::Png, stored, orientation, header.interlaced, at);
                return Ok(Probe { adobe_rgb: exif.adobe_rgb, ..found });
            }
            b"IEND" => {
                return Err(ProbeError::corrupt("the picture ends before its data begins", at));
            }
            b"eXIf" => {
                exif = Some(tiff::exif_within(window, at + 8, at + 8 + length)?);
            }
            _ => {}
        }
        at += 12 + length;
    }
    Err(ProbeError::corrupt("more chunks before the data than a picture can have", at))
}

/// Checks that all data of the picture is there, whose first chunk is at `body`. The end mark and what comes before it may be
/// missing.
pub(crate) fn verify_end<S: Source>(source: &mut S, body: u64) -> Result<(), ProbeError<S::Error>> {
    const WITHIN: &str = "the picture's data";
    // Nearly always the mark is at the end, and one read finds it.
    if end::marked_in_tail(source, END, TAIL_BYTES, WITHIN).is_ok() {
        return Ok(());
    }
    let mut window = Window::to_read_through(source);
    let mut at = body;
    while at + 8 <= window.len() {
        let length = u64::from(window.u32(at, WITHIN)?);
        let kind: [u8; 4] = window.array(at + 4, WITHIN)?;
        let next = at + 12 + length;
        match &kind {
            // The checksum is not a part of the picture.
            b"IDAT" if next - 4 > window.len() => {
                return Err(ProbeError::Truncated { what: WITHIN, offset: window.len() });
            }
            b"IDAT" => at = next,
            // All data comes in one piece, so whatever follows is not the picture's.
            _ => return Ok(()),
        }
    }
    Ok(())
}

struct Header {
    width: u32,
    height: u32,
    interlaced: bool,
}

impl Header {
    fn read<S: Source>(window: &mut Window<'_, S>) -> Result<Self, ProbeError<S::Error>> {
        let chunk: [u8; 25] = window.array(8, WITHIN)?;
        let [
            0,
            0,
            0,
            13,
            b'I',
            b'H',
            b'D',
            b'R',
            w3,
            w2,
            w1,
            w0,
            h3,
            h2,
            h1,
            h0,
            depth,
            colour,
            compression,
            filter,
            interlace,
            sum @ ..,
        ] = chunk
        else {
            return Err(ProbeError::corrupt("the first chunk is not the header", 8));
        };
        if crc32(chunk.get(4..21).unwrap_or_default()) != u32::from_be_bytes(sum) {
            return Err(ProbeError::corrupt("the PNG header's checksum is wrong", 29));
        }
        let (width, height) = (u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]));
        if width == 0 || height == 0 || width > i32::MAX as u32 || height > i32::MAX as u32 {
            return Err(ProbeError::corrupt("the picture's width or height is out of range", 16));
        }
        let depth_fits_colour = match colour {
            0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
            3 => matches!(depth, 1 | 2 | 4 | 8),
            2 | 4 | 6 => matches!(depth, 8 | 16),
            _ => return Err(ProbeError::corrupt("a colour type that does not exist", 25)),
        };
        if !depth_fits_colour {
            return Err(ProbeError::corrupt("a bit depth that its colour type does not allow", 24));
        }
        if compression != 0 || filter != 0 || interlace > 1 {
            return Err(ProbeError::corrupt("a compression, filter or interlace method that does not exist", 26));
        }
        Ok(Self { width, height, interlaced: interlace == 1 })
    }
}

/// Returns the CRC-32 of the 17 bytes of a header. Bit by bit, because a table does not pay for so few.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Pixels, Probe, probe, verify_end};

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut sealed = kind.to_vec();
        sealed.extend(body);
        let sum = crc32(&sealed);
        [&(body.len() as u32).to_be_bytes()[..], &sealed, &sum.to_be_bytes()].concat()
    }

    fn ihdr(width: u32, height: u32, depth_to_interlace: [u8; 5]) -> Vec<u8> {
        chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &depth_to_interlace].concat())
    }

    /// Returns the signature and these chunks.
    fn png_of(chunks: &[Vec<u8>]) -> Vec<u8> {
        [SIGNATURE.as_slice(), &chunks.concat()].concat()
    }

    /// Returns a PNG whose data cannot be inflated.
    pub(crate) fn png(width: u32, height: u32, orientation: u8) -> Vec<u8> {
        let exif = tiff::tests::tiff(&[(0x0112, 3, u32::from(orientation))]);
        png_of(&[
            ihdr(width, height, [8, 2, 0, 0, 1]),
            chunk(b"eXIf", &exif),
            chunk(b"IDAT", b"deflated"),
            chunk(b"IEND", b""),
        ])
    }

    #[test]
    fn size_orientation_and_interlacing_come_from_the_chunks_before_the_data() {
        let file = png(300, 200, 6);
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.pixels, Some(Pixels { width: 200, height: 300 }));
        assert_eq!((found.orientation, found.progressive), (6, true));
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
    }

    #[test]
    fn all_data_must_be_there_and_the_end_chunk_may_be_missing() {
        let file = png(300, 200, 1);
        // The end chunk has 12 bytes, and the checksum of the data before it 4.
        let found = probe(&mut file.as_slice()).unwrap();
        for left_out in 0..=16 {
            assert_eq!(verify_end(&mut &file[..file.len() - left_out], &found), Ok(()), "{left_out} bytes");
        }
        let cut = &file[..file.len() - 17];
        assert!(matches!(verify_end(&mut &*cut, &found), Err(ProbeError::Truncated { .. })));
        let mut longer = file.clone();
        longer.extend(vec![7; 200_000]);
        assert_eq!(verify_end(&mut longer.as_slice(), &found), Ok(()));
    }

    #[test]
    fn an_invalid_header_is_refused_with_its_offset() {
        let with = |ihdr: Vec<u8>| [SIGNATURE.as_slice(), &ihdr, &chunk(b"IDAT", b""), &chunk(b"IEND", b"")].concat();
        let mut wrong_sum = png(300, 200, 1);
        wrong_sum[19] ^= 1;
        let mut text_mode = png(300, 200, 1);
        text_mode.remove(4);
        let no_data = [SIGNATURE.as_slice(), &ihdr(1, 1, [8, 2, 0, 0, 0]), &chunk(b"IEND", b"")].concat();
        let cases = [
            (wrong_sum, "the PNG header's checksum is wrong, at byte 29"),
            (text_mode, "the PNG signature is damaged, perhaps by a transfer that changed line endings, at byte 0"),
            (with(ihdr(0, 5, [8, 2, 0, 0, 0])), "the picture's width or height is out of range, at byte 16"),
            (with(ihdr(5, 1 << 31, [8, 2, 0, 0, 0])), "the picture's width or height is out of range, at byte 16"),
            (with(ihdr(5, 5, [8, 5, 0, 0, 0])), "a colour type that does not exist, at byte 25"),
            (with(ihdr(5, 5, [4, 2, 0, 0, 0])), "a bit depth that its colour type does not allow, at byte 24"),
            (no_data, "the picture ends before its data begins, at byte 33"),
            (with(ihdr(5, 5, [8, 2, 0, 0, 0]))[..30].to_vec(), "it ends at byte 30, within the PNG header"),
        ];
        for (file, message) in cases {
            assert_eq!(probe(&mut file.as_slice()).unwrap_err().to_string(), message);
        }
    }

    /// A file that counts its reads.
    struct Counting<'a>(&'a [u8], usize);

    impl Source for Counting<'_> {
        type Error = std::convert::Infallible;

        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Self::Error> {
            self.1 += 1;
            Source::read(&mut self.0, offset, len)
        }
    }

    fn exif(orientation: u8) -> Vec<u8> {
        chunk(b"eXIf", &tiff::tests::tiff(&[(0x0112, 3, u32::from(orientation))]))
    }

    /// Returns `bytes` of data that contain the name of their own chunk here and there, in pieces of `piece`.
    fn data(bytes: usize, piece: usize) -> Vec<u8> {
        let named = [b"\0\0\0\x01IDAT".as_slice(), &[7; 20_000]].concat();
        let all: Vec<u8> = named.iter().copied().cycle().take(bytes).collect();
        all.chunks(piece).flat_map(|piece| chunk(b"IDAT", piece)).collect()
    }

    /// Returns a PNG of 300 × 200 pixels with these chunks between its header and its end.
    fn with(chunks: &[Vec<u8>]) -> Vec<u8> {
        png_of(&[ihdr(300, 200, [8, 2, 0, 0, 0]), chunks.concat(), chunk(b"IEND", b"")])
    }

    fn probed(file: &[u8]) -> (Probe, usize) {
        let mut source = Counting(file, 0);
        let found = probe(&mut source).unwrap();
        (found, source.1)
    }

    #[test]
    fn exif_after_the_data_turns_the_picture_however_the_data_is_divided() {
        let text = chunk(b"tEXt", &[b'x'; 3000]);
        for (bytes, piece, most_reads) in [
            (100, 100, 1),
            (90_000, 8192, 2),
            (3_000_000, 8192, 2),
            (3_000_000, 64 << 10, 3),
            (3_000_000, 3_000_000, 2),
        ] {
            let what = format!("{bytes} bytes in pieces of {piece}");
            let file = with(&[data(bytes, piece), text.clone(), exif(6), text.clone()]);
            let (found, reads) = probed(&file);
            assert_eq!((found.pixels, found.orientation), (Some(Pixels { width: 200, height: 300 }), 6), "{what}");
            assert!(reads <= most_reads, "{what}: {reads} reads");
            assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()), "{what}");
            // A camera's bytes after the end, which the file is read through for.
            let longer = [file.as_slice(), &exif(3), &[7; 50]].concat();
            assert_eq!(probed(&longer).0, found, "{what}");
        }
    }

    #[test]
    fn exif_before_the_data_counts_more_and_what_follows_the_end_does_not_count() {
        for bytes in [100, 300_000] {
            let data = data(bytes, 8192);
            assert_eq!(probed(&with(&[exif(8), data.clone(), exif(6)])).0.orientation, 8);
            let behind = [with(std::slice::from_ref(&data)), exif(6), chunk(b"IEND", b"")].concat();
            assert_eq!(probed(&behind).0.orientation, 1);
            // A preview is a PNG of its own.
            let preview = chunk(b"prVw", &with(&[data.clone(), exif(6)]));
            assert_eq!(probed(&with(&[data.clone(), preview.clone()])).0.orientation, 1);
            assert_eq!(probed(&with(&[data, preview, exif(3)])).0.orientation, 3);
        }
    }

    #[test]
    fn a_file_that_ends_within_its_exif_is_cut_off() {
        for bytes in [100, 300_000] {
            let file = with(&[data(bytes, 8192), exif(6)]);
            // The end chunk has 12 bytes, and the checksum before it 4.
            for left_out in 0..=16 {
                assert_eq!(probed(&file[..file.len() - left_out]).0.orientation, 6, "without {left_out} bytes");
            }
            let cut = &file[..file.len() - 17];
            let expected = ProbeError::Truncated { what: "the EXIF data", offset: cut.len() as u64 };
            assert_eq!(probe(&mut &*cut).unwrap_err(), expected);
        }
    }
}
