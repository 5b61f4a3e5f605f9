//! From samples to quantised coefficients.
//!
//! The cosine transform is that of Arai, Agui and Nakajima, "A fast DCT-SQ scheme for images" (1988), in floating-point
//! numbers: five multiplications for eight samples, whose scale factors are a part of the quantisation.

use super::tables::Kind;
use super::tables::{PLACES, steps, zigzag};
use crate::simd::F32x4;

/// A block's quantised coefficients, in the places of [`PLACES`].
pub struct Block {
    /// The coefficients.
    pub coefficients: [i16; 64],
    /// A bit for each that is not zero, in zigzag order.
    pub nonzero: u64,
    /// A bit for each of a magnitude above one, in zigzag order.
    pub above_one: u64,
}

impl Block {
    /// Returns a block of zeros.
    pub fn zeros() -> Self {
        Self { coefficients: [0; 64], nonzero: 0, above_one: 0 }
    }

    /// Returns the coefficient at a position in zigzag order.
    #[inline(always)]
    pub fn at(&self, position: u32) -> i32 {
        i32::from(self.coefficients[usize::from(PLACES[position as usize & 63] & 63)])
    }
}

/// The quantisation of one channel.
pub struct Quantiser {
    /// One over each step, times the transform's scale factor. By columns, as the block.
    factors: [[F32x4; 2]; 8],
}

impl Quantiser {
    /// Returns the quantiser for a quality of 1 to 100.
    pub fn new(kind: Kind, quality: u8) -> Self {
        let steps = steps(kind, quality);
        let by_column = |number: &dyn Fn(usize, usize) -> f32| {
            std::array::from_fn(|u| {
                std::array::from_fn(|half| F32x4::new(std::array::from_fn(|i| number(u, 4 * half + i))))
            })
        };
        Self { factors: by_column(&|u, v| 1.0 / (8.0 * f32::from(steps[8 * v + u]) * SCALE[u] * SCALE[v])) }
    }

    /// Makes `block` the coefficients of eight rows of eight samples. A block that is returned would be copied, and the sandbox
    /// calls the host for that.
    #[inline]
    pub fn transform(&self, rows: [&[u8; 8]; 8], block: &mut Block) {
        let samples = rows.map(F32x4::widened);
        let left = pass(samples.map(|[left, _]| left));
        let right = pass(samples.map(|[_, right]| right));
        // Vertical frequencies are rows now; they become columns for the second pass.
        let [l0, l1, l2, l3, l4, l5, l6, l7] = left;
        let [r0, r1, r2, r3, r4, r5, r6, r7] = right;
        let (top, bottom) = (F32x4::transposed([l0, l1, l2, l3]), F32x4::transposed([r0, r1, r2, r3]));
        let mut low = pass([top[0], top[1], top[2], top[3], bottom[0], bottom[1], bottom[2], bottom[3]]);
        let (top, bottom) = (F32x4::transposed([l4, l5, l6, l7]), F32x4::transposed([r4, r5, r6, r7]));
        let high = pass([top[0], top[1], top[2], top[3], bottom[0], bottom[1], bottom[2], bottom[3]]);
        // Samples are centred around 128, which only the first coefficient shows.
        low[0] = low[0] - F32x4::new([64.0 * 128.0, 0.0, 0.0, 0.0]);

        (block.nonzero, block.above_one) = (0, 0);
        let (columns, _) = block.coefficients.as_chunks_mut::<8>();
        for (u, column) in columns.iter_mut().enumerate() {
            let integers = F32x4::rounded(low[u] * self.factors[u][0], high[u] * self.factors[u][1]);
            *column = integers.to_array();
            block.nonzero |= SPREAD[u][usize::from(integers.nonzero())];
            block.above_one |= SPREAD[u][usize::from(integers.above_one())];
        }
    }
}

/// cos(kπ/16) · √2 for k = 1 .. 7, and 1 for the first.
const SCALE: [f32; 8] = [1.0, 1.387_039_9, 1.306_563, 1.175_875_6, 1.0, 0.785_694_96, 0.541_196_1, 0.275_899_4];

/// For each horizontal frequency and each mask of vertical ones, the mask in zigzag order.
static SPREAD: [[u64; 256]; 8] = spread();

const fn spread() -> [[u64; 256]; 8] {
    let (order, mut spread, mut k) = (zigzag(), [[0; 256]; 8], 0);
    while k < 64 {
        let (u, v) = order[k];
        let mut mask = 0;
        while mask < 256 {
            if mask >> v & 1 == 1 {
                spread[u as usize][mask] |= 1 << k;
            }
            mask += 1;
        }
        k += 1;
    }
    spread
}

/// Transforms one dimension, for four rows or columns at once.
#[inline(always)]
fn pass(x: [F32x4; 8]) -> [F32x4; 8] {
    let times = |number: F32x4, factor: f32| number * F32x4::splat(factor);
    let (s07, d07, s16, d16) = (x[0] + x[7], x[0] - x[7], x[1] + x[6], x[1] - x[6]);
    let (s25, d25, s34, d34) = (x[2] + x[5], x[2] - x[5], x[3] + x[4], x[3] - x[4]);

    let (outer, inner) = (s07 + s34, s16 + s25);
    let (outer_difference, inner_difference) = (s07 - s34, s16 - s25);
    let turned = times(inner_difference + outer_difference, 0.707_106_77);

    let (a, b, c) = (d34 + d25, d25 + d16, d16 + d07);
    let common = times(a - c, 0.382_683_43);
    let (a, c) = (times(a, 0.541_196_1) + common, times(c, 1.306_563) + common);
    let b = times(b, 0.707_106_77);
    let (sum, difference) = (d07 + b, d07 - b);
    [
        outer + inner,
        sum + c,
        outer_difference + turned,
        difference - a,
        outer - inner,
        difference + a,
        outer_difference - turned,
        sum - c,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: ITU-T T.81, A.3.3.
    fn by_definition(samples: &[u8; 64], u: usize, v: usize) -> f64 {
        let scale = |k: usize| if k == 0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
        let cosine = |x: usize, k: usize| ((2 * x + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos();
        let mut sum = 0.0;
        for y in 0..8 {
            for x in 0..8 {
                sum += (f64::from(samples[8 * y + x]) - 128.0) * cosine(x, u) * cosine(y, v);
            }
        }
        sum * scale(u) * scale(v) / 4.0
    }

    proptest! {
        #[test]
        fn every_coefficient_is_the_nearest_to_the_definition(samples in proptest::collection::vec(any::<u8>(), 64)) {
            let samples: [u8; 64] = samples.try_into().unwrap_or([0; 64]);
            let (rows, _) = samples.as_chunks::<8>();
            let mut block = Block::zeros();
            Quantiser::new(Kind::Lightness, 100).transform(std::array::from_fn(|i| &rows[i]), &mut block);
            for (k, (u, v)) in zigzag().into_iter().enumerate() {
                let exact = by_definition(&samples, u.into(), v.into());
                let got = block.at(k as u32);
                prop_assert!((f64::from(got) - exact).abs() < 0.501, "{u}, {v}: {got} for {exact}");
                prop_assert_eq!(block.nonzero >> k & 1 == 1, got != 0);
                prop_assert_eq!(block.above_one >> k & 1 == 1, got.abs() > 1);
            }
        }
    }
}
