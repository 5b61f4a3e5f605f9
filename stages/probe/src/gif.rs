//! GIF89a: the logical screen, the first picture, and the blocks up to the trailer.

use crate::error::ProbeError;
use crate::format::Format;
use crate::probe::Probe;
use crate::source::{Source, Window};

const MAX_BLOCKS: usize = 4096;
const WITHIN: &str = "the GIF header";

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>) -> Result<Probe, ProbeError<S::Error>> {
    let [w0, w1, h0, h1, flags, _, _]: [u8; 7] = window.array(6, WITHIN)?;
    let screen = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    let body = 13 + colour_table(flags);
    let mut at = body;
    for _ in 0..MAX_BLOCKS {
        match window.array(at, WITHIN)? {
            [0x21] => at = skip_sub_blocks(window, at + 2, WITHIN)?,
            [0x2c] => {
                let [x0, x1, y0, y1, w0, w1, h0, h1, flags]: [u8; 9] = window.array(at + 1, WITHIN)?;
                let reach = |start: [u8; 2], length: [u8; 2]| {
                    u32::from(u16::from_le_bytes(start)) + u32::from(u16::from_le_bytes(length))
                };
                // A picture that reaches beyond the screen still has to be decoded, so the larger size counts.
                let width = reach([x0, x1], [w0, w1]).max(u32::from(screen.0));
                let height = reach([y0, y1], [h0, h1]).max(u32::from(screen.1));
                if width == 0 || height == 0 {
                    return Err(ProbeError::corrupt("the picture has no width or no height", at));
                }
                return Ok(Probe::picture(Format::Gif, (width, height), 1, flags & 0x40 != 0, body));
            }
            [0x3b] => {
                return Err(ProbeError::corrupt("the file ends before its first picture", at));
            }
            _ => return Err(ProbeError::corrupt("an unknown block", at)),
        }
    }
    Err(ProbeError::corrupt("more blocks than any picture has before its data", at))
}

/// Checks that the first picture is complete: its blocks lead to the trailer, to another block or to the end of the file.
/// Which rows they hold is seen when they are decoded.
pub(crate) fn verify_end<S: Source>(window: &mut Window<'_, S>, mut at: u64) -> Result<(), ProbeError<S::Error>> {
    const WITHIN: &str = "the picture's data";
    loop {
        at = match window.array(at, WITHIN)? {
            [0x21] => skip_sub_blocks(window, at + 2, WITHIN)?,
            [0x2c] => {
                let [flags] = window.array(at + 9, WITHIN)?;
                // The minimum code size of LZW, one byte, comes before the sub-blocks.
                let data = at + 10 + colour_table(flags) + 1;
                return skip_last_sub_blocks(window, data, WITHIN);
            }
            _ => return Err(ProbeError::corrupt("an unknown block", at)),
        };
    }
}

/// Returns the length in bytes of the colour table that these flags announce.
fn colour_table(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Returns the offset after the sub-blocks at `at`. Each is a length and that many bytes; a length of 0 ends them. Every
/// step goes forward, so the end of the file bounds the loop.
fn skip_sub_blocks<S: Source>(
    window: &mut Window<'_, S>,
    mut at: u64,
    within: &'static str,
) -> Result<u64, ProbeError<S::Error>> {
    loop {
        let [length] = window.array(at, within)?;
        at += 1 + u64::from(length);
        if length == 0 {
            return Ok(at);
        }
    }
}

/// Checks sub-blocks of which the mark at their end may be missing, where the file ends.
fn skip_last_sub_blocks<S: Source>(
    window: &mut Window<'_, S>,
    mut at: u64,
    within: &'static str,
) -> Result<(), ProbeError<S::Error>> {
    let first = at;
    loop {
        if at == window.len() && at > first {
            return Ok(());
        }
        let [length] = window.array(at, within)?;
        at += 1 + u64::from(length);
        if length == 0 {
            return Ok(());
        }
        if at > window.len() {
            return Err(ProbeError::Truncated { what: within, offset: window.len() });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Pixels, probe, verify_end};

    /// Returns a GIF with a comment, a colour table and one picture of the given size at (2, 3).
    pub(crate) fn gif(screen: (u16, u16), picture: (u16, u16)) -> Vec<u8> {
        let mut file = b"GIF89a".to_vec();
        file.extend([screen.0.to_le_bytes(), screen.1.to_le_bytes()].concat());
        file.extend(b"\x80\0\0\0\0\0\xff\xff\xff\x21\xfe\x05hello\0\x2c\x02\0\x03\0");
        file.extend([picture.0.to_le_bytes(), picture.1.to_le_bytes()].concat());
        file.extend(b"\x40\x02\x02\x4c\x01\0\x3b");
        file
    }

    #[test]
    fn the_size_covers_the_screen_and_the_first_picture() {
        let found = probe(&mut gif((64, 48), (10, 10)).as_slice()).unwrap();
        assert_eq!(found.pixels, Some(Pixels { width: 64, height: 48 }));
        assert!(found.progressive);
        let bomb = probe(&mut gif((1, 1), (60000, 60000)).as_slice()).unwrap();
        assert_eq!(bomb.pixels, Some(Pixels { width: 60002, height: 60003 }));
    }

    #[test]
    fn the_trailer_and_the_mark_before_it_may_be_missing_and_data_may_not() {
        let mut file = gif((64, 48), (10, 10));
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
        file.extend(b"appended");
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
        for left_out in [1, 2] {
            assert_eq!(verify_end(&mut &file[..file.len() - 8 - left_out], &found), Ok(()), "{left_out} bytes");
        }
        let cut = &file[..file.len() - 11];
        assert!(matches!(verify_end(&mut &*cut, &found), Err(ProbeError::Truncated { .. })));
    }

    #[test]
    fn a_long_animation_is_followed_to_its_end() {
        let frame = b"\x2c\0\0\0\0\x40\0\x30\0\0\x02".to_vec();
        let block = [vec![255], vec![7; 255]].concat();
        let mut file = gif((64, 48), (10, 10));
        file.pop();
        file.extend([frame, block.repeat(400_000), vec![0, 0x3b]].concat());
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
    }

    #[test]
    fn a_screen_without_a_picture_is_refused() {
        let empty = b"GIF89a\x01\0\x01\0\0\0\0\x3b";
        let refused = probe(&mut empty.as_slice()).unwrap_err();
        assert_eq!(refused.to_string(), "the file ends before its first picture, at byte 13");
    }
}
