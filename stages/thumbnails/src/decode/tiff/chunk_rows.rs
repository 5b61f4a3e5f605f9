//! The rows of a strip or tile, as samples of 8 bits.

use super::colours::{Colours, YCbCr, lab_to_srgb};
use super::fault::Fault;
use super::floats::{self, Seen};
use super::page::{Opacity, Page};
use super::unpacked::Unpacked;
use crate::colour::srgb_encoded;

/// What all chunks of a picture have in common.
pub(super) struct Conversion<'a> {
    page: &'a Page,
    /// For every value of a sample, the byte that it becomes; inverted where white is zero.
    narrow: Vec<u8>,
    /// The highest value of a sample.
    highest: u32,
    /// Whether the samples are stored as they are returned.
    plain: bool,
    /// The floating-point numbers that were read.
    pub(super) seen: Seen,
}

/// The rows of a chunk.
pub(super) struct ChunkRows<'a> {
    conversion: &'a Conversion<'a>,
    width: usize,
    /// One, or one for each sample of a pixel.
    planes: Vec<Unpacked<'a>>,
    packed: Vec<u8>,
    values: Vec<u32>,
    row: Vec<u8>,
    /// Rows that were read together with an earlier one, because they share its colours.
    ready: Vec<Vec<u8>>,
}

impl<'a> Conversion<'a> {
    /// Returns the conversion. If samples `are_light`, they get the curve of sRGB.
    pub(super) fn new(page: &'a Page, are_light: bool) -> Self {
        // Of samples of 32 bits, the upper half is used.
        let bits = if page.floats { floats::BITS } else { page.bits.min(16) };
        let highest = (1u32 << bits) - 1;
        let inverted = page.colours == Colours::Gray { white_is_zero: true };
        let narrow = |value: u32| {
            if are_light {
                return (srgb_encoded(f64::from(value) / f64::from(highest)) * 255.0).round() as u8;
            }
            let byte = (value * 255 + highest / 2) / highest;
            (if inverted { 255 - byte } else { byte }) as u8
        };
        let stored = match page.colours {
            Colours::Gray { white_is_zero: false } => page.bits == 8,
            Colours::Rgb | Colours::Cmyk => page.bits == 8,
            _ => false,
        };
        let plain =
            stored && !page.planar && page.opacity != Opacity::Associated && page.samples == page.layout().channels();
        Self { page, narrow: (0..=highest).map(narrow).collect(), highest, plain, seen: Seen::default() }
    }

    /// Returns the bytes that reading a chunk of this width takes, beside the unpacked data.
    pub(super) fn memory(&self, width: u32) -> u64 {
        let sample = if self.page.floats { 32 } else { 16 };
        u64::from(width) * (sample * self.page.samples as u64 + 16)
    }

    /// Returns the rows of a chunk.
    pub(super) fn rows<'b>(&'b self, width: u32, planes: Vec<Unpacked<'b>>) -> ChunkRows<'b> {
        ChunkRows {
            conversion: self,
            width: width as usize,
            planes,
            packed: Vec::new(),
            values: Vec::new(),
            row: Vec::new(),
            ready: Vec::new(),
        }
    }

    fn byte(&self, value: u32) -> u8 {
        self.narrow.get(value as usize).copied().unwrap_or(u8::MAX)
    }
}

impl ChunkRows<'_> {
    /// Returns the next row.
    ///
    /// # Errors
    /// If the data ends before it or is broken.
    pub(super) fn next(&mut self) -> Result<&[u8], Fault> {
        let page = self.conversion.page;
        if let Colours::YCbCr(ycbcr) = &page.colours
            && ycbcr.is_subsampled()
        {
            return self.next_shared(ycbcr);
        }
        let samples = if page.planar { 1 } else { page.samples };
        let length = (self.width * samples * page.bits as usize).div_ceil(8);
        self.values.clear();
        let count = self.width * page.samples;
        self.values.resize(if self.conversion.plain { 0 } else { count }, 0);
        for (plane, unpacked) in self.planes.iter_mut().enumerate() {
            self.packed.resize(length, 0);
            unpacked.read(&mut self.packed)?;
            if self.conversion.plain {
                if page.differences {
                    add_differences(&mut self.packed, page.samples);
                }
                return Ok(&self.packed);
            }
            let places = self.values.iter_mut().skip(plane).step_by(if page.planar { page.samples } else { 1 });
            if page.floats {
                if page.differences {
                    add_differences(&mut self.packed, samples);
                    floats::gather(&mut self.packed, page.bits as usize / 8);
                }
                let little = page.little && !page.differences;
                floats::spread(&self.packed, page.bits, little, &self.conversion.seen, places);
            } else {
                spread(&self.packed, page.bits, page.little, places);
            }
        }
        if page.differences && !page.floats {
            let mask = u32::MAX >> (32 - page.bits);
            for at in page.samples..self.values.len() {
                let before = self.values.get(at - page.samples).copied().unwrap_or(0);
                if let Some(value) = self.values.get_mut(at) {
                    *value = value.wrapping_add(before) & mask;
                }
            }
        }
        if page.bits == 32 && !page.floats {
            self.values.iter_mut().for_each(|value| *value >>= 16);
        }
        self.row.clear();
        for pixel in self.values.chunks_exact_mut(page.samples) {
            convert(self.conversion, pixel, &mut self.row)?;
        }
        Ok(&self.row)
    }

    /// Returns the next row of YCbCr where several pixels share a colour: units of all their lightnesses, Cb and Cr.
    fn next_shared(&mut self, ycbcr: &YCbCr) -> Result<&[u8], Fault> {
        if self.ready.is_empty() {
            let (across, down) = (ycbcr.across as usize, ycbcr.down as usize);
            let unit = across * down + 2;
            self.packed.resize(self.width.div_ceil(across) * unit, 0);
            let unpacked = self.planes.first_mut().ok_or(Fault::Ends)?;
            unpacked.read(&mut self.packed)?;
            // In reverse, because rows are taken from the end.
            for line in (0..down).rev() {
                let mut row = Vec::with_capacity(3 * self.width + 3 * across);
                for unit in self.packed.chunks_exact(unit) {
                    let [.., cb, cr] = unit else { return Err(Fault::Broken) };
                    for y in unit.iter().skip(line * across).take(across) {
                        row.extend(ycbcr.rgb(*y, *cb, *cr));
                    }
                }
                row.truncate(3 * self.width);
                self.ready.push(row);
            }
        }
        self.row = self.ready.pop().ok_or(Fault::Ends)?;
        Ok(&self.row)
    }
}

/// Adds to every sample the same one of the pixel before.
fn add_differences(row: &mut [u8], samples: usize) {
    for at in samples..row.len() {
        let before = row.get(at - samples).copied().unwrap_or(0);
        if let Some(sample) = row.get_mut(at) {
            *sample = sample.wrapping_add(before);
        }
    }
}

/// Writes samples of `bits` bits to their places.
fn spread<'a>(packed: &[u8], bits: u32, little: bool, places: impl Iterator<Item = &'a mut u32>) {
    match bits {
        8 => places.zip(packed).for_each(|(place, byte)| *place = (*byte).into()),
        16 => {
            let (pairs, _) = packed.as_chunks::<2>();
            let read = if little { u16::from_le_bytes } else { u16::from_be_bytes };
            places.zip(pairs).for_each(|(place, pair)| *place = read(*pair).into());
        }
        32 => {
            let (fours, _) = packed.as_chunks::<4>();
            let read = if little { u32::from_le_bytes } else { u32::from_be_bytes };
            places.zip(fours).for_each(|(place, four)| *place = read(*four));
        }
        _ => {
            // All other depths are bits in a row, the highest first, in either byte order.
            let (mut held, mut count, mut bytes) = (0u32, 0, packed.iter());
            for place in places {
                while count < bits {
                    held = held << 8 | u32::from(bytes.next().copied().unwrap_or(0));
                    count += 8;
                }
                count -= bits;
                *place = held >> count & ((1 << bits) - 1);
            }
        }
    }
}

/// Adds the pixel's bytes to a row.
fn convert(conversion: &Conversion<'_>, pixel: &mut [u32], row: &mut Vec<u8>) -> Result<(), Fault> {
    let page = conversion.page;
    let coloured = page.colours.samples();
    let opacity = pixel.get(coloured).copied().unwrap_or(conversion.highest);
    if page.opacity == Opacity::Associated {
        for value in pixel.iter_mut().take(coloured) {
            let divided = (*value * conversion.highest + opacity / 2).checked_div(opacity);
            *value = divided.unwrap_or(0).min(conversion.highest);
        }
    }
    if page.opacity == Opacity::OfInks {
        for ink in pixel.iter_mut().take(coloured) {
            *ink = (*ink * opacity + conversion.highest / 2) / conversion.highest;
        }
    }
    match (&page.colours, &*pixel) {
        (Colours::Gray { .. }, [gray, ..]) => row.push(conversion.byte(*gray)),
        (Colours::Rgb, [r, g, b, ..]) => row.extend([r, g, b].map(|value| conversion.byte(*value))),
        (Colours::Cmyk, [c, m, y, k, ..]) => row.extend([c, m, y, k].map(|value| conversion.byte(*value))),
        (Colours::Palette(palette), [index, ..]) => row.extend(palette.get(*index as usize).ok_or(Fault::Broken)?),
        (Colours::YCbCr(ycbcr), [y, cb, cr, ..]) => row.extend(ycbcr.rgb(*y as u8, *cb as u8, *cr as u8)),
        (Colours::Lab { signed }, [l, a, b, ..]) => {
            let highest = f64::from(conversion.highest);
            let axis = |value: u32| {
                // A number of 8 bits, or of 16 in steps of 1/256.
                let unit = if conversion.highest > 255 { 256.0 } else { 1.0 };
                let value = f64::from(value) / unit;
                match signed {
                    true if value >= 128.0 => value - 256.0,
                    true => value,
                    false => value - 128.0,
                }
            };
            row.extend(lab_to_srgb(f64::from(*l) * 100.0 / highest, axis(*a), axis(*b)));
        }
        _ => return Err(Fault::Broken),
    }
    if page.has_alpha() {
        row.push(((opacity * 255 + conversion.highest / 2) / conversion.highest) as u8);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn values(packed: &[u8], bits: u32, little: bool, count: usize) -> Vec<u32> {
        let mut values = vec![0; count];
        spread(packed, bits, little, values.iter_mut());
        values
    }

    #[test]
    fn samples_of_every_depth_are_read_in_their_order() {
        assert_eq!(values(&[0b1011_0001], 1, false, 5), [1, 0, 1, 1, 0]);
        assert_eq!(values(&[0b1011_0001], 2, true, 4), [2, 3, 0, 1]);
        assert_eq!(values(&[0xAB, 0xC0], 4, false, 3), [10, 11, 12]);
        assert_eq!(values(&[0x12, 0x3A, 0xBC], 12, true, 2), [0x123, 0xABC]);
        assert_eq!(values(&[0x12, 0x34], 16, true, 1), [0x3412]);
        assert_eq!(values(&[0x12, 0x34], 16, false, 1), [0x1234]);
        assert_eq!(values(&[1, 2, 3, 4], 32, false, 1), [0x0102_0304]);
    }

    #[test]
    fn differences_are_added_sample_by_sample() {
        let mut row = [10, 200, 1, 100, 1, 2];
        add_differences(&mut row, 2);
        assert_eq!(row, [10, 200, 11, 44, 12, 46]);
    }
}
