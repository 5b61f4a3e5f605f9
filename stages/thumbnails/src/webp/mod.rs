//! Writing WebP (RFC 9649): lossy as a VP8 frame (RFC 6386), with opacity beside it, or lossless.
//!
//! | Module | Contents |
//! |---|---|
//! | `ycc` | from red, green and blue to planes of lightness and colour |
//! | `predict`, `transform`, `quantise` | the steps of coding a block |
//! | `modes`, `tokens`, `bits` | how modes and levels become bits, and what they cost |
//! | `block`, `choose` | the choice of modes and levels by error and bits |
//! | `frame` | all blocks of a picture |
//! | `tables` | the tables of RFC 6386 |

mod bits;
mod block;
mod choose;
mod frame;
mod modes;
mod predict;
mod quantise;
mod tables;
mod tokens;
mod transform;
mod ycc;

use image_webp::{ColorType, WebPEncoder};

use crate::error::PictureError;
use crate::geometry::Size;
use crate::raster::{Layout, Raster};

/// The longest side of a WebP.
const LONGEST: u32 = 16_383;

/// Returns the lossless file of a picture that is upright and in sRGB.
///
/// # Errors
/// If a side is longer than 16383 pixels.
pub fn lossless(picture: &Raster) -> Result<Vec<u8>, PictureError> {
    let size = picture.size();
    let failed =
        |what: &dyn std::fmt::Display| PictureError::defect(format!("writing a WebP of {size} pixels failed: {what}"));
    let colour = match picture.layout() {
        Layout::Gray => ColorType::L8,
        Layout::GrayAlpha => ColorType::La8,
        Layout::Rgb => ColorType::Rgb8,
        Layout::Rgba => ColorType::Rgba8,
        Layout::Cmyk => return Err(failed(&"it is CMYK")),
    };
    let mut out = Vec::new();
    WebPEncoder::new(&mut out).encode(picture.samples(), size.width, size.height, colour).map_err(|e| failed(&e))?;
    Ok(out)
}

/// Returns the lossy file of a picture that is upright and in sRGB. Qualities from 1 to 100 mean what they mean to libwebp.
/// Opacity is kept without loss.
///
/// # Errors
/// If a side is longer than 16383 pixels.
pub fn lossy(picture: &Raster, quality: u8) -> Result<Vec<u8>, PictureError> {
    let size = picture.size();
    if size.width.max(size.height) > LONGEST || picture.layout() == Layout::Cmyk {
        return Err(PictureError::defect(format!("a picture of {size} pixels cannot be written as WebP")));
    }
    let frame = frame::encode(&ycc::planes(picture), size, index(quality));
    let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
    if let Some(opacity) = ycc::opacity(picture) {
        let mut extended = vec![1 << 4, 0, 0, 0];
        extended.extend(&(size.width - 1).to_le_bytes()[..3]);
        extended.extend(&(size.height - 1).to_le_bytes()[..3]);
        chunk(&mut out, b"VP8X", &extended);
        let stored = lossless(&Raster::new(size, Layout::Gray, opacity)?)?;
        // Without the header of a lossless file's only chunk, which has five bytes after the twenty of two lengths and names.
        let stream = stored.get(25..).unwrap_or_default();
        chunk(&mut out, b"ALPH", &[&[1], stream].concat());
    }
    chunk(&mut out, b"VP8 ", &frame);
    let length = out.len() as u32 - 8;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}

/// Returns the most bytes that writing a picture of this size takes, its pixels included, which have opacity or not.
pub fn memory(size: Size, is_lossless: bool, opacity: bool) -> u64 {
    let (pixels, channels) = (size.pixels(), if opacity { 4 } else { 3 });
    // The library copies the pixels to four samples each, and writes to a list that grows by doubling; a sample has hardly more
    // than 8 bits. When the copy has been freed, that list becomes the file, whose memory may be twice its length. The rest are
    // tables.
    let library = |samples: u64| {
        let most = samples + samples / 32 + 4096;
        most.next_power_of_two() + (4 * pixels).max(2 * most) + (1 << 16)
    };
    if is_lossless {
        return channels * pixels + library(channels * pixels);
    }
    let frame = frame::memory(size);
    let blocks = u64::from(size.width.div_ceil(16)) * u64::from(size.height.div_ceil(16));
    // The opacity is written when the frame is made.
    let beside = if opacity { blocks * frame::MOST_OF_BLOCK + pixels + library(pixels) } else { 0 };
    channels * pixels + frame.max(beside)
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    out.extend(name);
    out.extend((content.len() as u32).to_le_bytes());
    out.extend(content);
    if content.len() % 2 == 1 {
        out.push(0);
    }
}

/// Returns the index of the quantiser as libwebp chooses it: 127 × (1 − ∛c). With q, the quality divided by 100, c is 2q/3 for q
/// below 0.75, and 2q − 1 otherwise.
fn index(quality: u8) -> u8 {
    let quality = u64::from(quality.clamp(1, 100));
    // In thirds of a percent.
    let part = if quality < 75 { 2 * quality } else { 3 * (2 * quality - 100) };
    // The largest index for which the root of the part is at most 1 − index / 127.
    let fits = |index: &u8| (127 - u64::from(*index)).pow(3) * 300 >= part * 127 * 127 * 127;
    (0..=127).rev().find(fits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_have_the_steps_that_libwebp_gives_them() {
        // As libwebp 1.5 writes them at these qualities, without segments.
        for (quality, expected) in
            [(1, 103), (50, 38), (74, 26), (75, 26), (80, 19), (85, 14), (90, 9), (95, 4), (100, 0)]
        {
            assert_eq!(index(quality), expected, "quality {quality}");
        }
    }
}
