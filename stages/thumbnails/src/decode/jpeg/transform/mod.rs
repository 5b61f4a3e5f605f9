//! The inverse cosine transform of a block to as many samples as it has coefficients, or to fewer.
//!
//! A block of 8×8 coefficients becomes `N`×`N` samples, where `N` is 1, 2 or 4 to 8, by transforming only its `N`×`N` lowest
//! frequencies; a smaller picture cannot show the others. Eight samples are computed as libjpeg's accurate integer transform
//! computes them, bit for bit; four to seven with the same precision; two and one exactly. Each size has its own order of a
//! block's numbers; see [`place`].
//!
//! All but the smallest work on rows of numbers; see [`lanes`].

mod eight;
mod four;
mod lanes;
mod middle;
mod wide;

pub use eight::eight;
pub use four::four;
pub use middle::middle;

/// Returns the place of the coefficient of the frequencies `u` across and `v` down in a block that becomes `size` × `size`
/// samples. Both are below `size`.
pub fn place(size: usize, u: usize, v: usize) -> usize {
    match size {
        5..8 => 8 * u + v,
        4 => 8 * (u % 2) + 2 * v + u / 2,
        _ => size * v + u,
    }
}

/// Returns the number of places in such a block.
pub const fn room(size: usize) -> usize {
    if size > 4 { 8 * size } else { size * size }
}

/// Returns the sample that fills a block with only a first coefficient, dequantised.
#[inline(always)]
pub fn flat(first: i16) -> u8 {
    (((i32::from(first) + 4) >> 3) + 128).clamp(0, 255) as u8
}

/// Transforms the four lowest frequencies, dequantised and row by row, to two rows of two samples.
#[inline(always)]
pub fn two(block: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) -> Option<()> {
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| i32::from(block[i].wrapping_mul(steps[i])));
    // Each is ½ ½ (a ± b ± c ± d) / 2, since all cosines of two samples are 1/√2.
    let sample = |sum: i32| (((sum + 4) >> 3) + 128).clamp(0, 255) as u8;
    out.get_mut(..2)?.copy_from_slice(&[sample(a + b + c + d), sample(a - b + c - d)]);
    out.get_mut(stride..stride + 2)?.copy_from_slice(&[sample(a + b - c - d), sample(a - b - c + d)]);
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The definition, without regard to speed: in one dimension, with the coefficients `x` of an orthonormal transform of
    /// eight samples, sample `i` of `n` is `x[0] / √8 + ½ Σ x[u] cos((2i + 1) u π / 2n)` over `u` from 1 to `n - 1`.
    fn by_definition(block: &[i16], size: usize) -> Vec<f64> {
        let term = |u: usize, i: usize| match u {
            0 => 1.0 / 8f64.sqrt(),
            _ => 0.5 * ((2 * i + 1) as f64 * u as f64 * std::f64::consts::PI / (2 * size) as f64).cos(),
        };
        let mut out = Vec::new();
        for (y, x) in (0..size * size).map(|i| (i / size, i % size)) {
            let mut sample = 128.0;
            for (v, u) in (0..size * size).map(|i| (i / size, i % size)) {
                sample += f64::from(block[place(size, u, v)]) * term(u, x) * term(v, y);
            }
            out.push(sample.clamp(0.0, 255.0));
        }
        out
    }

    type Transform = fn(&[i16; 64], &[i16; 64], &mut [u8], usize) -> Option<()>;
    const TRANSFORMS: [(usize, Transform); 6] =
        [(2, two), (4, four), (5, middle::<5>), (6, middle::<6>), (7, middle::<7>), (8, eight)];

    proptest! {
        #[test]
        fn every_size_follows_the_definition(
            numbers in proptest::collection::vec(-60i16..60, 64),
            steps in proptest::collection::vec(1i16..12, 64),
            dense in any::<bool>(),
        ) {
            for (size, transform) in TRANSFORMS {
                let mut block = [0; 64];
                for i in (0..size * size).filter(|i| dense || i % 5 == 0) {
                    block[place(size, i % size, i / size)] = numbers[i];
                }
                let steps: [i16; 64] = steps.clone().try_into().unwrap();
                let dequantised: Vec<i16> = block.iter().zip(&steps).map(|(a, b)| a * b).collect();
                let mut out = vec![7; (size + 3) * size];
                transform(&block, &steps, &mut out, size + 3).unwrap();
                for (row, want) in out.chunks(size + 3).zip(by_definition(&dequantised, size).chunks(size)) {
                    for (got, want) in row.iter().zip(want) {
                        prop_assert!((f64::from(*got) - want).abs() < 1.2, "{size}: {got} and {want}");
                    }
                    prop_assert!(row.get(size..).unwrap_or_default().iter().all(|&byte| byte == 7), "beyond the block");
                }
            }
        }
    }

    #[test]
    fn a_flat_block_is_flat_at_every_size() {
        for first in [-2000, -1024, -401, -4, 0, 3, 4, 5, 1016, 2000] {
            let mut block = [0; 64];
            block[0] = first;
            for (size, transform) in TRANSFORMS {
                let mut out = vec![0; size * size];
                transform(&block, &[1; 64], &mut out, size).unwrap();
                assert!(out.iter().all(|&sample| sample == flat(first)), "{size}: {out:?}");
            }
        }
    }

    #[test]
    fn no_coefficients_overflow() {
        for (number, step) in [(i16::MAX, i16::MAX), (i16::MIN, i16::MAX), (i16::MIN, 1), (i16::MAX, 1)] {
            for (size, transform) in TRANSFORMS {
                transform(&[number; 64], &[step; 64], &mut vec![0; size * size], size).unwrap();
            }
        }
    }
}
