//! Vectors of 128 bits: the few operations that the transform and the resampling need.
//!
//! WebAssembly's own instructions where the stage runs, and plain Rust elsewhere. Both give the same bits: integers are
//! exact, and every operation on floating-point numbers rounds as IEEE 754 requires, in the same order, without fused
//! multiplication. So the tests, which run natively, hold for the component.

mod numbers;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

pub use numbers::WEIGHT_BITS;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use portable::{F32x4, I16x8, I32x4};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::{F32x4, I16x8, I32x4};

#[cfg(test)]
mod tests {
    use super::*;

    /// One of many numbers that follow from each other: values without a pattern, the same on every machine.
    fn next(state: &mut u32) -> u32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *state >> 8
    }

    #[test]
    fn halves_are_rounded_to_even_and_saturate() {
        let (a, b) = (F32x4::new([0.5, 1.5, -0.5, -1.5]), F32x4::new([2.4, -2.6, 40_000.0, -40_000.0]));
        assert_eq!(F32x4::rounded(a, b).to_array(), [0, 2, 0, -2, 2, -3, 32_767, -32_768]);
    }

    #[test]
    fn masks_have_a_bit_for_each_lane() {
        let numbers = I16x8::new([0, 1, -1, 2, -2, 300, -32_768, 32_767]);
        assert_eq!(numbers.nonzero(), 0b1111_1110);
        // -32768 has no magnitude in 16 bits; no coefficient is that large.
        assert_eq!(numbers.above_one() & !0b0100_0000, 0b1011_1000);
    }

    #[test]
    fn sixteen_sums_are_those_of_single_numbers() {
        let mut state = 1;
        for _ in 0..200 {
            let a: [u8; 16] = std::array::from_fn(|_| next(&mut state) as u8);
            let b: [u8; 16] = std::array::from_fn(|_| next(&mut state) as u8);
            let weights = [(next(&mut state) % 30_000) as i16 - 15_000, (next(&mut state) % 30_000) as i16 - 15_000];
            let got = I32x4::bytes(I32x4::add_rows(I32x4::halves(), &a, &b, I16x8::pair(weights)));
            let want = std::array::from_fn(|i| {
                let sum = i32::from(a[i]) * i32::from(weights[0]) + i32::from(b[i]) * i32::from(weights[1]);
                ((sum + 8_192) >> WEIGHT_BITS).clamp(0, 255) as u8
            });
            assert_eq!(got, want);
        }
    }

    #[test]
    fn four_sums_along_rows_are_those_of_single_numbers() {
        let mut state = 2;
        for _ in 0..200 {
            let rows: [[u8; 8]; 4] = std::array::from_fn(|_| std::array::from_fn(|_| next(&mut state) as u8));
            let weights: [i16; 8] = std::array::from_fn(|_| (next(&mut state) % 10_000) as i16 - 3_000);
            let sums = rows.map(|row| I32x4::splat(0).add_row(&row, I16x8::new(weights)));
            let want = rows.map(|row| {
                let sum: i32 = row.iter().zip(weights).map(|(a, w)| i32::from(*a) * i32::from(w)).sum();
                ((sum + 8_192) >> WEIGHT_BITS).clamp(0, 255) as u8
            });
            assert_eq!(I32x4::totals(sums), want);
        }
    }
}
