//! The transforms of blocks of 4×4 samples (RFC 6386, section 14). Coefficients are twice those of an orthonormal transform.

/// 65536 × √2 × cos(π/8) and 65536 × √2 × sin(π/8).
const COSINE: i32 = 85_627;
const SINE: i32 = 35_468;

/// Returns the frequencies of a block of differences.
pub(super) fn forward(block: &[i32; 16]) -> [i32; 16] {
    let mut half = [0; 16];
    for row in 0..4 {
        let [a, b, c, d] = [block[4 * row], block[4 * row + 1], block[4 * row + 2], block[4 * row + 3]];
        let (outer, inner, rise, step) = (a + d, b + c, a - d, b - c);
        half[4 * row] = (outer + inner) << 3;
        half[4 * row + 1] = (rise * COSINE + step * SINE + (1 << 12)) >> 13;
        half[4 * row + 2] = (outer - inner) << 3;
        half[4 * row + 3] = (rise * SINE - step * COSINE + (1 << 12)) >> 13;
    }
    let mut out = [0; 16];
    for column in 0..4 {
        let [a, b, c, d] = [half[column], half[4 + column], half[8 + column], half[12 + column]];
        let (outer, inner, rise, step) = (a + d, b + c, a - d, b - c);
        out[column] = (outer + inner + 8) >> 4;
        out[4 + column] = (((rise * (COSINE >> 3) + step * (SINE >> 3)) >> 13) + 8) >> 4;
        out[8 + column] = (outer - inner + 8) >> 4;
        out[12 + column] = (((rise * (SINE >> 3) - step * (COSINE >> 3)) >> 13) + 8) >> 4;
    }
    out
}

/// Returns the differences of a block of frequencies, exactly as every decoder does.
pub(super) fn inverse(block: &[i32; 16]) -> [i32; 16] {
    let cosine = |value: i32| value + ((value * (COSINE - 65_536)) >> 16);
    let sine = |value: i32| (value * SINE) >> 16;
    let mut half = [0; 16];
    for column in 0..4 {
        let [a, b, c, d] = [block[column], block[4 + column], block[8 + column], block[12 + column]];
        let (outer, inner) = (a + c, a - c);
        let (step, rise) = (sine(b) - cosine(d), cosine(b) + sine(d));
        half[column] = outer + rise;
        half[4 + column] = inner + step;
        half[8 + column] = inner - step;
        half[12 + column] = outer - rise;
    }
    let mut out = [0; 16];
    for row in 0..4 {
        let [a, b, c, d] = [half[4 * row], half[4 * row + 1], half[4 * row + 2], half[4 * row + 3]];
        let (outer, inner) = (a + c, a - c);
        let (step, rise) = (sine(b) - cosine(d), cosine(b) + sine(d));
        out[4 * row] = (outer + rise + 4) >> 3;
        out[4 * row + 1] = (inner + step + 4) >> 3;
        out[4 * row + 2] = (inner - step + 4) >> 3;
        out[4 * row + 3] = (outer - rise + 4) >> 3;
    }
    out
}

/// Sums and differences along one axis.
fn butterfly([a, b, c, d]: [i32; 4]) -> [i32; 4] {
    let (outer, inner, rise, step) = (a + d, b + c, a - d, b - c);
    [outer + inner, rise + step, outer - inner, rise - step]
}

fn both_axes(block: &[i32; 16], finish: impl Fn(i32) -> i32) -> [i32; 16] {
    let mut half = [0; 16];
    for column in 0..4 {
        let sums = butterfly([block[column], block[4 + column], block[8 + column], block[12 + column]]);
        for (row, sum) in sums.into_iter().enumerate() {
            half[4 * row + column] = sum;
        }
    }
    let mut out = [0; 16];
    for row in 0..4 {
        let sums = butterfly([half[4 * row], half[4 * row + 1], half[4 * row + 2], half[4 * row + 3]]);
        for (column, sum) in sums.into_iter().enumerate() {
            out[4 * row + column] = finish(sum);
        }
    }
    out
}

/// Returns the Walsh–Hadamard transform of sixteen lowest frequencies.
pub(super) fn forward_lowest(block: &[i32; 16]) -> [i32; 16] {
    both_axes(block, |sum| (sum + 1) >> 1)
}

/// Returns the sixteen lowest frequencies again, exactly as every decoder does.
pub(super) fn inverse_lowest(block: &[i32; 16]) -> [i32; 16] {
    both_axes(block, |sum| (sum + 3) >> 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_transformed_comes_back(block in proptest::array::uniform16(-255i32..=255)) {
            for (there, back) in block.iter().zip(inverse(&forward(&block))) {
                prop_assert!((there - back).abs() <= 2, "{block:?}");
            }
            let lowest = block.map(|sample| sample * 16);
            for (there, back) in lowest.iter().zip(inverse_lowest(&forward_lowest(&lowest))) {
                prop_assert!((there - back).abs() <= 2, "{lowest:?}");
            }
        }
    }

    #[test]
    fn a_flat_block_has_one_frequency() {
        let mut flat = [0; 16];
        flat[0] = 80;
        assert_eq!(forward(&[10; 16]), flat);
        assert_eq!(inverse(&flat), [10; 16]);
    }
}
