//! A fast decoder for the common case: a sequential JPEG with one scan, decoded at a fraction of its size.
//!
//! Nearly every photo from a phone or a camera is one: 8 bits, Huffman coding, gray or YCbCr, chroma at full or half
//! resolution. The library, which decodes all others, keeps whole planes, transforms half-size chroma to the fraction of
//! that size and enlarges it again, and reads byte by byte. This decoder transforms half-size chroma to twice the fraction
//! instead, so nothing is enlarged and less is blurred. It holds one row of blocks at a time, and missing data is an error
//! and not filled up.

use super::error;
use super::header::{Component, Frame, Header};
use super::huffman::{Bits, Table};
use super::idct::{flat, inverse};
use crate::error::PictureError;
use crate::geometry::Size;

/// For each position in zigzag order, the coefficient's position in the block.
#[rustfmt::skip]
const ZIGZAG: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

type Transform = fn(&[f32; 64], &mut [u8], usize);

/// A colour channel, ready to be decoded.
struct Channel<'a> {
    dc: &'a Table,
    ac: &'a Table,
    /// Dequantisation factors in zigzag order.
    steps: [f32; 64],
    /// The number of its blocks in a minimum coded unit.
    across: usize,
    down: usize,
    /// The number of samples that a block becomes.
    width: usize,
    height: usize,
    transform: Transform,
    /// The samples of one row of minimum coded units.
    samples: Vec<u8>,
    predicted: i32,
}

/// Returns whether [`decode`] supports this picture at this scale.
pub fn supports(header: &Header, frame: &Frame, eighths: u32) -> bool {
    let scan = &header.scan;
    let all_at_once = scan.components.len() == frame.components.len()
        && scan.components.iter().zip(&frame.components).all(|((id, ..), component)| *id == component.id)
        && scan.selection == [0, 63, 0];
    let colours = match frame.components.as_slice() {
        [_] => true,
        // YCbCr is stated by a JFIF or Adobe segment, or by the identifiers that are customary for it.
        [y, cb, cr] => match header.adobe {
            Some(transform) => transform == 1,
            None => header.jfif || [y.id, cb.id, cr.id] == [1, 2, 3],
        },
        _ => false,
    };
    matches!(frame.marker, 0xC0 | 0xC1)
        && frame.precision == 8
        && all_at_once
        && colours
        && sampling(frame).is_some_and(|(across, down)| across * eighths <= 8 && down * eighths <= 8)
}

/// Returns the number of blocks of the first channel in a minimum coded unit, across and down. `None` unless each is one or
/// two and every other channel has one block.
fn sampling(frame: &Frame) -> Option<(u32, u32)> {
    let (first, others) = frame.components.split_first()?;
    if others.is_empty() {
        // With a single channel the factors have no meaning.
        return Some((1, 1));
    }
    let one = |c: &Component| (c.horizontal, c.vertical) == (1, 1);
    let fits = (1..=2).contains(&first.horizontal) && (1..=2).contains(&first.vertical) && others.iter().all(one);
    fits.then_some((first.horizontal.into(), first.vertical.into()))
}

/// Decodes a picture that [`supports`] accepts to `scaled`, which is its size times `eighths` over eight, rounded up, and
/// returns gray or RGB samples.
pub fn decode(
    file: &[u8],
    header: &Header,
    frame: &Frame,
    eighths: u32,
    scaled: Size,
) -> Result<Vec<u8>, PictureError> {
    let missing = |what: &str| error::damaged(&format!("the scan uses a {what} that is not defined"));
    let table = |specs: &[Option<_>; 4], id: u8| match specs.get(usize::from(id)) {
        Some(Some(spec)) => Table::new(spec).ok_or_else(|| error::damaged("a Huffman table has too many codes")),
        _ => Err(missing("Huffman table")),
    };
    let mut tables = Vec::new();
    for &(_, dc, ac) in &header.scan.components {
        tables.push((table(&header.dc, dc)?, table(&header.ac, ac)?));
    }
    let (across, down) = sampling(frame).ok_or_else(|| missing("sampling"))?;
    let per_unit = |blocks: u32| 8 * blocks;
    let units_across = u32::from(frame.width).div_ceil(per_unit(across)) as usize;
    let units_down = u32::from(frame.height).div_ceil(per_unit(down)) as usize;

    let mut channels = Vec::new();
    for (index, (component, (dc, ac))) in frame.components.iter().zip(&tables).enumerate() {
        let Some(Some(quantisation)) = header.quantisation.get(usize::from(component.quantisation)) else {
            return Err(missing("quantisation table"));
        };
        // Where the first channel has several blocks, the others have one that becomes as many samples.
        let first = index == 0;
        let (blocks, size) = ((across as usize, down as usize), eighths as usize);
        let (width, height) = if first { (size, size) } else { (size * blocks.0, size * blocks.1) };
        let (across, down) = if first { blocks } else { (1, 1) };
        channels.push(Channel {
            dc,
            ac,
            steps: quantisation.map(f32::from),
            across,
            down,
            width,
            height,
            transform: transform(width, height).ok_or_else(|| missing("scale"))?,
            samples: vec![0; units_across * across * width * down * height],
            predicted: 0,
        });
    }

    let data = file.get(header.scan.data..).unwrap_or_default();
    let mut bits = Bits::new(data);
    let mut out = vec![0; scaled.width as usize * scaled.height as usize * channels.len()];
    let unit_height = (down * eighths) as usize;
    let mut lines = out.chunks_mut(scaled.width as usize * channels.len() * unit_height);
    let interval = u32::from(header.restart_interval);
    let mut units = 0u32;
    for row in 0..units_down {
        let damaged = |what: &str| {
            let line = row * 8 * down as usize;
            error::damaged(&format!("{what} near line {line} of {}", frame.height))
        };
        for column in 0..units_across {
            if interval > 0 && units > 0 && units.is_multiple_of(interval) {
                let number = (units / interval - 1) % 8;
                if !bits.restart(number as u8) {
                    return Err(damaged(&format!("restart marker {number} is missing")));
                }
                channels.iter_mut().for_each(|channel| channel.predicted = 0);
            }
            units += 1;
            for channel in &mut channels {
                channel
                    .unit(&mut bits, column, units_across)
                    .ok_or_else(|| damaged("there is an invalid Huffman code"))?;
            }
        }
        if bits.overrun() {
            return Err(damaged("the picture's data ends"));
        }
        if let Some(lines) = lines.next() {
            put(lines, &channels, units_across, scaled.width as usize);
        }
    }
    Ok(out)
}

impl Channel<'_> {
    /// Decodes this channel's blocks of one minimum coded unit into the row of samples. `None` if the bits form no valid code.
    #[inline]
    fn unit(&mut self, bits: &mut Bits, column: usize, units_across: usize) -> Option<()> {
        let stride = units_across * self.across * self.width;
        for y in 0..self.down {
            for x in 0..self.across {
                // Most coefficients of a block are zero and are never written.
                let mut block = [0f32; 64];
                let mut plain = true;
                self.predicted = self.predicted.wrapping_add(self.dc.first(bits)?);
                block[0] = self.predicted as f32 * self.steps[0];
                self.ac.others(bits, |k, number| {
                    plain = false;
                    block[usize::from(ZIGZAG[k & 63] & 63)] = number as f32 * self.steps[k & 63];
                })?;
                let at = y * self.height * stride + (column * self.across + x) * self.width;
                let out = self.samples.get_mut(at..)?;
                if plain {
                    for line in out.chunks_mut(stride).take(self.height) {
                        line.get_mut(..self.width)?.fill(flat(block[0]));
                    }
                } else {
                    (self.transform)(&block, out, stride);
                }
            }
        }
        Some(())
    }
}

fn transform(width: usize, height: usize) -> Option<Transform> {
    Some(match (width, height) {
        (1, 1) => inverse::<1, 1>,
        (2, 2) => inverse::<2, 2>,
        (4, 4) => inverse::<4, 4>,
        (8, 8) => inverse::<8, 8>,
        (2, 1) => inverse::<2, 1>,
        (1, 2) => inverse::<1, 2>,
        (4, 2) => inverse::<4, 2>,
        (2, 4) => inverse::<2, 4>,
        (8, 4) => inverse::<8, 4>,
        (4, 8) => inverse::<4, 8>,
        _ => return None,
    })
}

/// Writes one row of minimum coded units, without the samples beyond the picture's right and lower edges.
fn put(lines: &mut [u8], channels: &[Channel], units_across: usize, width: usize) {
    let rows = |channel: &Channel| units_across * channel.across * channel.width;
    match channels {
        [gray] => {
            for (line, samples) in lines.chunks_mut(width).zip(gray.samples.chunks_exact(rows(gray))) {
                line.copy_from_slice(&samples[..width]);
            }
        }
        [y, cb, cr] => {
            let y = y.samples.chunks_exact(rows(y));
            let cb = cb.samples.chunks_exact(rows(cb));
            let cr = cr.samples.chunks_exact(rows(cr));
            for (((line, y), cb), cr) in lines.chunks_mut(3 * width).zip(y).zip(cb).zip(cr) {
                to_rgb(&y[..width], &cb[..width], &cr[..width], line);
            }
        }
        _ => {}
    }
}

/// Converts YCbCr of JFIF (ITU-R BT.601, full range) to RGB, in fixed-point numbers with 14 fractional bits.
fn to_rgb(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    const HALF: i32 = 1 << 13;
    /// The number of pixels that are converted at once.
    const LANES: usize = 16;
    let convert = |y: u8, cb: u8, cr: u8| {
        let (y, cb, cr) = ((i32::from(y) << 14) + HALF, i32::from(cb) - 128, i32::from(cr) - 128);
        let byte = |value: i32| (value >> 14).clamp(0, 255) as u8;
        (byte(y + 22_970 * cr), byte(y - 5_638 * cb - 11_700 * cr), byte(y + 29_032 * cb))
    };
    let (mut y, mut cb, mut cr, mut rgb) = (y, cb, cr, rgb);
    while let (Some((y0, y1)), Some((cb0, cb1)), Some((cr0, cr1))) =
        (y.split_first_chunk::<LANES>(), cb.split_first_chunk::<LANES>(), cr.split_first_chunk::<LANES>())
    {
        let (mut r, mut g, mut b) = ([0; LANES], [0; LANES], [0; LANES]);
        for i in 0..LANES {
            (r[i], g[i], b[i]) = convert(y0[i], cb0[i], cr0[i]);
        }
        let Some((now, later)) = std::mem::take(&mut rgb).split_first_chunk_mut::<{ 3 * LANES }>() else { return };
        for i in 0..LANES {
            (now[3 * i], now[3 * i + 1], now[3 * i + 2]) = (r[i], g[i], b[i]);
        }
        (y, cb, cr, rgb) = (y1, cb1, cr1, later);
    }
    for (((pixel, y), cb), cr) in rgb.chunks_exact_mut(3).zip(y).zip(cb).zip(cr) {
        let (r, g, b) = convert(*y, *cb, *cr);
        pixel.copy_from_slice(&[r, g, b]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_are_converted_correctly() {
        // Red, green, blue, white and black as JFIF writes them.
        for (ycc, want) in [
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
            ([255, 128, 128], [255, 255, 255]),
            ([0, 128, 128], [0, 0, 0]),
        ] {
            // 19 is not a multiple of the lanes, so both loops run.
            let [y, cb, cr] = ycc.map(|sample| vec![sample; 19]);
            let mut rgb = vec![0; 57];
            to_rgb(&y, &cb, &cr, &mut rgb);
            for pixel in rgb.chunks(3) {
                assert!(pixel.iter().zip(want).all(|(a, b)| a.abs_diff(b) <= 1), "{ycc:?} gave {pixel:?}");
            }
        }
    }
}
