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
use crate::planes::{Plane, Planes};

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
/// returns its channels.
pub fn decode(
    file: &[u8],
    header: &Header,
    frame: &Frame,
    eighths: u32,
    (scaled, extent): (Size, (f64, f64)),
    halved: bool,
) -> Result<Planes, PictureError> {
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
        let halved = halved && (across, down) == (2, 2);
        let (width, height) = if first || halved { (size, size) } else { (size * blocks.0, size * blocks.1) };
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
    let mut planes: Vec<Plane> = channels
        .iter()
        .enumerate()
        .map(|(i, channel)| {
            let halved = i > 0 && channel.width == eighths as usize && (across, down) == (2, 2);
            let (size, extent) =
                if halved { (scaled.halved(), (extent.0 / 2.0, extent.1 / 2.0)) } else { (scaled, extent) };
            Plane { size, extent, samples: Vec::with_capacity(size.width as usize * size.height as usize) }
        })
        .collect();
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
        for (plane, channel) in planes.iter_mut().zip(&channels) {
            let width = plane.size.width as usize;
            let left = plane.size.height as usize - plane.samples.len() / width;
            for line in channel.samples.chunks_exact(units_across * channel.across * channel.width).take(left) {
                plane.samples.extend_from_slice(&line[..width]);
            }
        }
    }
    let mut planes = planes.into_iter();
    let luma = planes.next().ok_or_else(|| missing("channel"))?;
    let chroma = planes.next().zip(planes.next()).map(|(cb, cr)| [cb, cr]);
    Ok(Planes { luma, chroma })
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
