//! The inverse cosine transform of a block to fewer samples than it has coefficients.
//!
//! A block of 8×8 coefficients becomes `W`×`H` samples, where `W` and `H` are 1, 2, 4 or 8, by transforming only its
//! `W`×`H` lowest frequencies; a smaller picture cannot show the others. In one dimension, with the coefficients `x` of an
//! orthonormal transform of eight samples, sample `i` of `n` is
//!
//! ```text
//! x[0] / √8  +  ½ Σ x[u] cos((2i + 1) u π / 2n)     over u = 1 .. n-1
//! ```
//!
//! for every `n`. The code works on rows of `L` numbers, so that the compiler uses SIMD on every target.

/// ½ cos(kπ/16) for k = 1 .. 7. The fourth is also 1/√8.
const C: [f32; 8] =
    [0.5, 0.490_392_64, 0.461_939_77, 0.415_734_8, 0.353_553_4, 0.277_785_12, 0.191_341_72, 0.097_545_16];

/// Transforms the lowest frequencies of `block`, which has eight rows of eight dequantised coefficients, and writes
/// `H` rows of `W` samples to `out`, whose rows are `stride` apart.
#[inline]
pub fn inverse<const W: usize, const H: usize>(block: &[f32; 64], out: &mut [u8], stride: usize) {
    let mut rows = [[0f32; W]; H];
    for (row, source) in rows.iter_mut().zip(block.chunks_exact(8)) {
        row.copy_from_slice(&source[..W]);
    }
    let columns = transposed(&pass(&rows));
    // Rows of `columns` are columns of the picture.
    let samples = transposed(&pass(&columns));
    for (line, row) in out.chunks_mut(stride).zip(&samples) {
        for (to, from) in line.iter_mut().zip(row) {
            // Rounds. A value out of range becomes the nearest byte.
            *to = (from + 128.5) as u8;
        }
    }
}

/// Returns the sample that fills a block with only a first coefficient.
#[inline]
pub fn flat(first: f32) -> u8 {
    (first / 8.0 + 128.5) as u8
}

#[inline(always)]
fn transposed<const W: usize, const H: usize>(rows: &[[f32; W]; H]) -> [[f32; H]; W] {
    std::array::from_fn(|x| std::array::from_fn(|y| rows[y][x]))
}

/// Transforms one dimension, down `N` rows, for `L` columns at once.
#[inline(always)]
fn pass<const N: usize, const L: usize>(x: &[[f32; L]; N]) -> [[f32; L]; N] {
    let mut out = [[0f32; L]; N];
    for l in 0..L {
        match N {
            1 => out[0][l] = x[0][l] * C[4],
            2 => {
                out[0][l] = (x[0][l] + x[1][l]) * C[4];
                out[1][l] = (x[0][l] - x[1][l]) * C[4];
            }
            4 => {
                let even = [(x[0][l] + x[2][l]) * C[4], (x[0][l] - x[2][l]) * C[4]];
                let odd = [x[1][l] * C[2] + x[3][l] * C[6], x[1][l] * C[6] - x[3][l] * C[2]];
                for i in 0..2 {
                    out[i][l] = even[i] + odd[i];
                    out[N - 1 - i][l] = even[i] - odd[i];
                }
            }
            _ => {
                let (sum, difference) = ((x[0][l] + x[4][l]) * C[4], (x[0][l] - x[4][l]) * C[4]);
                let (outer, inner) = (x[2][l] * C[2] + x[6][l] * C[6], x[2][l] * C[6] - x[6][l] * C[2]);
                let even = [sum + outer, difference + inner, difference - inner, sum - outer];
                let (a, b, c, d) = (x[1][l], x[3][l], x[5][l], x[7][l]);
                let odd = [
                    a * C[1] + b * C[3] + c * C[5] + d * C[7],
                    a * C[3] - b * C[7] - c * C[1] - d * C[5],
                    a * C[5] - b * C[1] + c * C[7] + d * C[3],
                    a * C[7] - b * C[5] + c * C[3] - d * C[1],
                ];
                for i in 0..4 {
                    out[i][l] = even[i] + odd[i];
                    out[N - 1 - i][l] = even[i] - odd[i];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, without regard to speed.
    fn by_definition(block: &[f32; 64], width: usize, height: usize) -> Vec<u8> {
        let term = |u: usize, i: usize, n: usize| match u {
            0 => 1.0 / 8f64.sqrt(),
            _ => 0.5 * ((2 * i + 1) as f64 * u as f64 * std::f64::consts::PI / (2 * n) as f64).cos(),
        };
        let mut out = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let mut sample = 128.0;
                for v in 0..height {
                    for u in 0..width {
                        sample += f64::from(block[8 * v + u]) * term(u, x, width) * term(v, y, height);
                    }
                }
                out.push(sample.round().clamp(0.0, 255.0) as u8);
            }
        }
        out
    }

    fn check<const W: usize, const H: usize>(block: &[f32; 64]) {
        let mut out = vec![0; W * H];
        inverse::<W, H>(block, &mut out, W);
        for (got, want) in out.iter().zip(by_definition(block, W, H)) {
            assert!(got.abs_diff(want) <= 1, "{W}x{H}: {out:?}");
        }
    }

    #[test]
    fn a_flat_block_is_flat_at_every_size() {
        let mut block = [0.0; 64];
        block[0] = -400.0;
        check::<8, 8>(&block);
        let mut out = [0; 4];
        inverse::<2, 2>(&block, &mut out, 2);
        assert_eq!(out, [flat(-400.0); 4]);
        assert_eq!(flat(-400.0), 78);
    }

    proptest! {
        #[test]
        fn every_size_follows_the_definition(numbers in proptest::collection::vec(-600i16..600, 64)) {
            let mut block = [0.0; 64];
            for (to, from) in block.iter_mut().zip(&numbers) { *to = f32::from(*from); }
            check::<1, 1>(&block);
            check::<2, 2>(&block);
            check::<4, 4>(&block);
            check::<8, 8>(&block);
            check::<2, 1>(&block);
            check::<1, 2>(&block);
            check::<4, 2>(&block);
            check::<2, 4>(&block);
            check::<8, 4>(&block);
            check::<4, 8>(&block);
        }
    }
}
