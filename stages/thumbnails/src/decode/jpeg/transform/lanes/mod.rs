//! The few operations on rows of numbers that the transforms need: instructions of WebAssembly where the stage runs, and
//! plain Rust elsewhere. Both give the same bits, so the tests, which run natively, hold for the component.

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vectors;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use portable::{Longs, Words};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use vectors::{Longs, Words};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_multiplied_and_combined_in_pairs() {
        let numbers: [i16; 64] = std::array::from_fn(|i| i as i16 * 700);
        let (a, b) = (Words::read(&numbers, 0), Words::read(&numbers, 8));
        assert_eq!(a.times(b).array(), std::array::from_fn(|i| numbers[i].wrapping_mul(numbers[i + 8])));
        assert_eq!(a.plus(b).array(), std::array::from_fn(|i| numbers[i].wrapping_add(numbers[i + 8])));
        let [low, high] = Words::paired(a, b);
        assert_eq!(low.array(), [0, 8, 1, 9, 2, 10, 3, 11].map(|i| numbers[i]));
        assert_eq!(high.array(), [4, 12, 5, 13, 6, 14, 7, 15].map(|i| numbers[i]));
        let [even, odd] = Words::apart(a, b);
        assert_eq!(even.array(), [0, 2, 4, 6, 8, 10, 12, 14].map(|i| numbers[i]));
        assert_eq!(odd.array(), [1, 3, 5, 7, 9, 11, 13, 15].map(|i| numbers[i]));
    }

    #[test]
    fn sums_of_products_are_shifted_and_limited() {
        let numbers: [i16; 64] = std::array::from_fn(|i| if i % 2 == 0 { i16::MAX } else { -(i as i16) * 99 });
        let [a, b] = [Words::read(&numbers, 0), Words::read(&numbers, 8)].map(|words| words.dot([3000, -25_000]));
        let want = |at: usize| {
            let sum = i32::from(numbers[at]) * 3000 - i32::from(numbers[at + 1]) * 25_000;
            ((sum + 512) >> 10).clamp(-32_768, 32_767) as i16
        };
        let half = Longs::splat(512);
        let narrow = Longs::narrowed::<10>(a.plus(half), b.plus(half)).array();
        assert_eq!(narrow, std::array::from_fn(|i| want(2 * i)));
        let difference = Longs::narrowed::<10>(a.minus(a), b.minus(b)).array();
        assert_eq!(difference, [0; 8]);
    }

    #[test]
    fn samples_are_centred_and_limited() {
        let mut numbers = [0i16; 64];
        numbers[..16].copy_from_slice(&[0, -128, -129, 127, 128, 5, -5, 9000, 1, 2, 3, 4, 5, 6, 7, -9000]);
        let [a, b] = Words::samples(Words::read(&numbers, 0), Words::read(&numbers, 8));
        assert_eq!(a, [128, 0, 0, 255, 255, 133, 123, 255]);
        assert_eq!(b, [129, 130, 131, 132, 133, 134, 135, 0]);
    }
}
