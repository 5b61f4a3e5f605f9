//! Samples that are floating-point numbers: light from 0 to 1, or what the file's profile says, as numbers of 16 bits.

use std::cell::Cell;

use super::fault::NAME;
use crate::error::PictureError;

/// The bits of what samples become.
pub(super) const BITS: u32 = 16;

/// How many samples were read, and how many of them were above 1.
#[derive(Default)]
pub(super) struct Seen {
    all: Cell<u64>,
    above_one: Cell<u64>,
}

impl Seen {
    /// Checks that most samples were at most 1. Some programs write numbers up to 255, and nothing in the file says so; shown
    /// as light they would be white.
    ///
    /// # Errors
    /// If more than half were above it.
    pub(super) fn check(&self) -> Result<(), PictureError> {
        if 2 * self.above_one.get() > self.all.get() {
            return Err(PictureError::Unsupported(format!(
                "is a {NAME} with floating-point samples that are mostly above 1, so that it is not known which number is white"
            )));
        }
        Ok(())
    }
}

/// Puts the bytes of each sample beside each other, the highest first. In a row of differences (TIFF Technical Note 3), the
/// highest bytes of all samples come first, then the next ones; their differences have been added already.
pub(super) fn gather(row: &mut [u8], bytes: usize) {
    let apart = row.to_vec();
    let count = row.len() / bytes.max(1);
    for (index, sample) in row.chunks_exact_mut(bytes.max(1)).enumerate() {
        let places = apart.iter().skip(index).step_by(count.max(1));
        sample.iter_mut().zip(places).for_each(|(place, byte)| *place = *byte);
    }
}

/// Writes the samples of a row, which have 16, 32 or 64 bits (IEEE 754), to their places.
pub(super) fn spread<'a>(
    packed: &[u8],
    bits: u32,
    little: bool,
    seen: &Seen,
    places: impl Iterator<Item = &'a mut u32>,
) {
    let bytes = bits as usize / 8;
    let (mut all, mut above_one) = (0, 0);
    for (place, sample) in places.zip(packed.chunks_exact(bytes.max(1))) {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        let number = if little { sample.iter().rev().fold(0, add) } else { sample.iter().fold(0, add) };
        let value = match bits {
            16 => half(number as u16),
            32 => f64::from(f32::from_bits(number as u32)),
            _ => f64::from_bits(number),
        };
        all += 1;
        above_one += u64::from(value > 1.0);
        // What is no number becomes 0.
        *place = (value.clamp(0.0, 1.0) * f64::from((1u32 << BITS) - 1)).round() as u32;
    }
    seen.all.set(seen.all.get() + all);
    seen.above_one.set(seen.above_one.get() + above_one);
}

/// Returns a number of 16 bits: a sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * f64::powi(2.0, -24),
        31 if fraction > 0.0 => f64::NAN,
        31 => f64::INFINITY,
        _ => (1024.0 + fraction) * f64::powi(2.0, exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(packed: &[u8], bits: u32, little: bool, count: usize) -> Vec<u32> {
        let (seen, mut values) = (Seen::default(), vec![0; count]);
        spread(packed, bits, little, &seen, values.iter_mut());
        values
    }

    #[test]
    fn numbers_of_every_size_become_sixteen_bits() {
        for value in [0.0f64, 0.25, 1.0, 0.5, -3.0, 7.0] {
            let want = [(value.clamp(0.0, 1.0) * 65_535.0).round() as u32];
            assert_eq!(values(&value.to_le_bytes(), 64, true, 1), want);
            assert_eq!(values(&(value as f32).to_be_bytes(), 32, false, 1), want);
        }
        // IEEE 754: 1, ½, 0.333…, the smallest number, -2, not a number.
        let halves = [0x3C00u16, 0x3800, 0x3555, 1, 0xC000, 0x7E00].map(u16::to_be_bytes);
        assert_eq!(values(halves.as_flattened(), 16, false, 6), [65_535, 32_768, 21_840, 0, 0, 0]);
    }

    #[test]
    fn the_bytes_of_samples_are_put_beside_each_other() {
        let mut row = [1, 2, 3, 11, 12, 13];
        gather(&mut row, 2);
        assert_eq!(row, [1, 11, 2, 12, 3, 13]);
    }

    #[test]
    fn numbers_that_are_mostly_above_one_are_refused() {
        let (seen, mut places) = (Seen::default(), [0; 3]);
        spread([255.0f32, 0.0, 3.0].map(f32::to_le_bytes).as_flattened(), 32, true, &seen, places.iter_mut());
        assert!(matches!(seen.check(), Err(PictureError::Unsupported(what)) if what.contains("mostly above 1")));
        spread([0.5f32; 3].map(f32::to_le_bytes).as_flattened(), 32, true, &seen, places.iter_mut());
        assert_eq!(seen.check(), Ok(()));
    }
}
