//! A JPEG's segments up to its first scan.

use crate::error::PictureError;

use super::error::{cut_off, damaged};

/// The start-of-frame segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The low byte of the marker: 0xC0 baseline, 0xC1 extended sequential, 0xC2 progressive.
    pub marker: u8,
    /// Bits per sample.
    pub precision: u8,
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
    /// The colour channels: one for gray, three or four for colours.
    pub components: Vec<Component>,
}

/// One colour channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// The identifier that scans use.
    pub id: u8,
    /// Blocks across in a minimum coded unit.
    pub horizontal: u8,
    /// Blocks down in a minimum coded unit.
    pub vertical: u8,
    /// The number of its quantisation table.
    pub quantisation: u8,
}

/// A Huffman table as it is stored: the number of codes of each length, and their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuffmanSpec {
    /// The number of codes of 1 to 16 bits.
    pub counts: [u8; 16],
    /// The values, one per code.
    pub values: Vec<u8>,
}

/// The scan header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Component id, number of the table for the first coefficient, number of the table for the others.
    pub components: Vec<(u8, u8, u8)>,
    /// First and last coefficient, and the successive approximation: 0, 63, 0 in a sequential picture.
    pub selection: [u8; 3],
    /// The offset of the entropy-coded data in the file.
    pub data: usize,
}

/// Everything before the first scan's data.
#[derive(Debug, Default)]
pub struct Header {
    /// The picture's size and channels.
    pub frame: Option<Frame>,
    /// Quantisation tables, in zigzag order.
    pub quantisation: [Option<[u16; 64]>; 4],
    /// Huffman tables for the first coefficient of a block.
    pub dc: [Option<HuffmanSpec>; 4],
    /// Huffman tables for the other 63 coefficients.
    pub ac: [Option<HuffmanSpec>; 4],
    /// Minimum coded units between restart markers, or 0 without restart markers.
    pub restart_interval: u16,
    /// The colour transform in Adobe's segment.
    pub adobe: Option<u8>,
    /// Whether there is a JFIF segment.
    pub jfif: bool,
    /// The first scan.
    pub scan: Scan,
    profile: Vec<(u8, u8, Vec<u8>)>,
}

impl Header {
    /// Reads all segments up to the first scan.
    pub fn read(file: &[u8]) -> Result<Header, PictureError> {
        let mut header = Header::default();
        if let Some(at) = header.advance(file, 2)? {
            return Err(damaged(&format!("the picture ends at byte {at}, before any scan")));
        }
        if let Some(frame) = header.frame.as_mut().filter(|frame| frame.height == 0) {
            frame.height =
                lines(file, header.scan.data).ok_or_else(|| damaged("it does not say how many rows it has"))?;
        }
        Ok(header)
    }

    /// Reads all segments from the offset `at` to the next scan. If the picture's end mark comes first, returns its offset.
    pub fn advance(&mut self, file: &[u8], mut at: usize) -> Result<Option<usize>, PictureError> {
        let header = self;
        loop {
            let (marker, body, next) = segment(file, at)?;
            match marker {
                0xDA => {
                    header.scan = scan(body, next).ok_or_else(|| broken("scan header", at))?;
                    if header.frame.is_none() {
                        return Err(damaged(&format!("the scan at byte {at} comes before the frame header")));
                    }
                    return Ok(None);
                }
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    if header.frame.is_some() {
                        return Err(damaged(&format!("it has a second frame header at byte {at}")));
                    }
                    header.frame = Some(frame(marker, body).ok_or_else(|| broken("frame header", at))?);
                }
                0xDB => header.quantisation(body).ok_or_else(|| broken("quantisation table", at))?,
                0xC4 => header.huffman(body).ok_or_else(|| broken("Huffman table", at))?,
                0xDD => {
                    let [hi, lo, ..] = body else { return Err(broken("restart interval", at)) };
                    header.restart_interval = u16::from_be_bytes([*hi, *lo]);
                }
                // A segment that is too short for its fields is ignored, as libjpeg does.
                0xE0 => header.jfif |= body.len() >= 14 && body.starts_with(b"JFIF\0"),
                0xE2 => {
                    if let Some([number, count, piece @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                        header.profile.push((*number, *count, piece.to_vec()));
                    }
                }
                0xEE => {
                    if let Some([_, _, _, _, _, _, transform, ..]) = body.strip_prefix(b"Adobe") {
                        header.adobe = Some(*transform);
                    }
                }
                0xD9 => return Ok(Some(at)),
                _ => {}
            }
            at = next;
        }
    }

    /// Returns the ICC profile, combined from its pieces. `None` if there is no profile or a piece is missing.
    pub fn profile(&self) -> Option<Vec<u8>> {
        let mut pieces: Vec<_> = self.profile.iter().collect();
        pieces.sort_by_key(|(number, ..)| *number);
        let complete = pieces
            .iter()
            .zip(1usize..)
            .all(|((number, count, _), i)| usize::from(*number) == i && usize::from(*count) == pieces.len());
        (complete && !pieces.is_empty()).then(|| pieces.iter().flat_map(|(.., piece)| piece.iter().copied()).collect())
    }

    fn quantisation(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let table = self.quantisation.get_mut(usize::from(kind & 15))?;
            let mut values = [0; 64];
            let (bytes, rest) = rest.split_at_checked(if kind >> 4 == 0 { 64 } else { 128 })?;
            for (i, value) in values.iter_mut().enumerate() {
                *value = match kind >> 4 {
                    0 => u16::from(*bytes.get(i)?),
                    _ => u16::from_be_bytes([*bytes.get(2 * i)?, *bytes.get(2 * i + 1)?]),
                };
            }
            *table = Some(values);
            body = rest;
        }
        Some(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (values, rest) = rest.split_at_checked(total)?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let spec = HuffmanSpec { counts: *counts, values: values.to_vec() };
            *tables.get_mut(usize::from(kind & 15))? = Some(spec);
            body = rest;
        }
        Some(())
    }
}

/// Returns the marker at or after the offset `at`, its segment's content, and the offset of the next segment.
fn segment(file: &[u8], at: usize) -> Result<(u8, &[u8], usize), PictureError> {
    let ends = || cut_off(file.len());
    // Fill bytes may come before a marker, and some cameras leave a stray byte there.
    let rest = file.get(at..).ok_or_else(ends)?;
    let skipped = rest
        .windows(2)
        .position(|pair| matches!(pair, [0xFF, marker] if !matches!(marker, 0 | 0xFF)))
        .ok_or_else(ends)?;
    let start = at + skipped;
    let marker = *file.get(start + 1).ok_or_else(ends)?;
    // Markers without a segment: TEM, restarts, start and end of image.
    if matches!(marker, 0x01 | 0xD0..=0xD9) {
        return Ok((marker, &[], start + 2));
    }
    let Some([hi, lo]) = file.get(start + 2..start + 4) else { return Err(ends()) };
    let length = usize::from(u16::from_be_bytes([*hi, *lo]));
    if length < 2 {
        return Err(damaged(&format!("the segment at byte {start} has the impossible length {length}")));
    }
    let next = start + 2 + length;
    Ok((marker, file.get(start + 4..next).ok_or_else(ends)?, next))
}

/// Returns the number of rows from the segment that follows the first scan, where the frame header leaves it open (T.81,
/// B.2.5).
fn lines(file: &[u8], data: usize) -> Option<u16> {
    let rest = file.get(data..)?;
    let end = rest.windows(2).position(|pair| matches!(pair, [0xFF, 0x01..=0xCF | 0xD8..=0xFE]))?;
    match rest.get(end..)? {
        [0xFF, 0xDC, 0, 4, hi, lo, ..] => Some(u16::from_be_bytes([*hi, *lo])),
        _ => None,
    }
}

fn frame(marker: u8, body: &[u8]) -> Option<Frame> {
    let [precision, h1, h0, w1, w0, count, rest @ ..] = body else { return None };
    let (described, _) = rest.as_chunks::<3>();
    let components = described.get(..usize::from(*count))?.iter().map(|&[id, sampling, quantisation]| Component {
        id,
        horizontal: sampling >> 4,
        vertical: sampling & 15,
        quantisation,
    });
    Some(Frame {
        marker,
        precision: *precision,
        height: u16::from_be_bytes([*h1, *h0]),
        width: u16::from_be_bytes([*w1, *w0]),
        components: components.collect(),
    })
}

fn scan(body: &[u8], data: usize) -> Option<Scan> {
    let (count, rest) = body.split_first()?;
    let (described, selection) = rest.split_at_checked(2 * usize::from(*count))?;
    let (described, _) = described.as_chunks::<2>();
    let components = described.iter().map(|&[id, tables]| (id, tables >> 4, tables & 15)).collect();
    Some(Scan { components, selection: *selection.first_chunk::<3>()?, data })
}

fn broken(what: &str, at: usize) -> PictureError {
    damaged(&format!("the {what} at byte {at} is malformed"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn with_profile(pieces: &[(u8, u8, &[u8])]) -> Option<Vec<u8>> {
        Header { profile: pieces.iter().map(|&(n, c, p)| (n, c, p.to_vec())).collect(), ..Header::default() }.profile()
    }

    #[test]
    fn a_profile_is_combined_in_the_order_of_its_numbers() {
        assert_eq!(with_profile(&[(2, 2, b"cd"), (1, 2, b"ab")]).unwrap(), b"abcd");
        assert_eq!(with_profile(&[(1, 1, b"ab")]).unwrap(), b"ab");
    }

    #[test]
    fn a_profile_with_a_missing_or_repeated_piece_is_ignored() {
        assert_eq!(with_profile(&[]), None);
        assert_eq!(with_profile(&[(1, 2, b"ab")]), None);
        assert_eq!(with_profile(&[(1, 2, b"ab"), (1, 2, b"ab")]), None);
        assert_eq!(with_profile(&[(0, 1, b"ab")]), None);
    }

    #[test]
    fn an_error_names_the_byte() {
        let error = Header::read(b"\xFF\xD8\xFF\xDB\0\x05\0\0\0").unwrap_err();
        assert_eq!(error.to_string(), "is a damaged JPEG: the quantisation table at byte 2 is malformed");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Header::read(&bytes);
            let _ = Header::read(&[b"\xFF\xD8\xFF", bytes.as_slice()].concat());
        }

        #[test]
        fn no_segments_break_the_reader(
            segments in proptest::collection::vec((0xC0u8..0xF0, proptest::collection::vec(any::<u8>(), 0..80)), 0..8),
        ) {
            let mut file = b"\xFF\xD8".to_vec();
            for (marker, body) in segments {
                file.extend([0xFF, marker, 0, body.len() as u8 + 2]);
                file.extend(body);
            }
            let _ = Header::read(&file);
        }
    }
}
