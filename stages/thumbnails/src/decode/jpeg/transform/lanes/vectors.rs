//! The operations as instructions of WebAssembly.

use std::arch::wasm32::*;

/// Eight integers of 16 bits.
#[derive(Clone, Copy)]
pub struct Words(v128);

impl Words {
    /// Returns the eight integers from `at`, at most 56.
    #[inline(always)]
    pub fn read(numbers: &[i16; 64], at: usize) -> Self {
        assert!(at <= 56);
        // SAFETY: Eight integers from there are in the array, and no alignment is needed.
        Self(unsafe { v128_load(numbers.as_ptr().add(at).cast()) })
    }

    /// Returns zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        Self(i16x8_splat(0))
    }

    /// Returns the integers.
    #[cfg(test)]
    pub fn array(self) -> [i16; 8] {
        let mut out = [0; 8];
        // SAFETY: `out` has 16 bytes, and no alignment is needed.
        unsafe { v128_store(out.as_mut_ptr().cast(), self.0) };
        out
    }

    /// Returns the products, of which the lower 16 bits remain.
    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        Self(i16x8_mul(self.0, other.0))
    }

    /// Returns the sums, of which the lower 16 bits remain.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(i16x8_add(self.0, other.0))
    }

    /// Returns the integers of both in turn.
    #[inline(always)]
    pub fn paired(a: Self, b: Self) -> [Self; 2] {
        [
            Self(i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a.0, b.0)),
            Self(i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a.0, b.0)),
        ]
    }

    /// Returns the integers at even places of both, and those at odd places.
    #[inline(always)]
    pub fn apart(a: Self, b: Self) -> [Self; 2] {
        [
            Self(i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(a.0, b.0)),
            Self(i16x8_shuffle::<1, 3, 5, 7, 9, 11, 13, 15>(a.0, b.0)),
        ]
    }

    /// Returns, for each pair, the sum of its products with `factors`.
    #[inline(always)]
    pub fn dot(self, [a, b]: [i16; 2]) -> Longs {
        Longs(i32x4_dot_i16x8(self.0, i16x8(a, b, a, b, a, b, a, b)))
    }

    /// Returns the integers plus 128, limited to a byte.
    #[inline(always)]
    pub fn samples(a: Self, b: Self) -> [[u8; 8]; 2] {
        let bytes = v128_xor(i8x16_narrow_i16x8(a.0, b.0), u8x16_splat(128));
        [u64x2_extract_lane::<0>(bytes).to_le_bytes(), u64x2_extract_lane::<1>(bytes).to_le_bytes()]
    }
}

/// Four integers of 32 bits.
#[derive(Clone, Copy)]
pub struct Longs(v128);

impl Longs {
    /// Returns the same integer four times.
    #[inline(always)]
    pub fn splat(number: i32) -> Self {
        Self(i32x4_splat(number))
    }

    /// Returns the sums, of which the lower 32 bits remain.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(i32x4_add(self.0, other.0))
    }

    /// Returns the differences, of which the lower 32 bits remain.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        Self(i32x4_sub(self.0, other.0))
    }

    /// Returns the integers without their lowest `SHIFT` bits, limited to 16 bits.
    #[inline(always)]
    pub fn narrowed<const SHIFT: u32>(a: Self, b: Self) -> Words {
        Words(i16x8_narrow_i32x4(i32x4_shr(a.0, SHIFT), i32x4_shr(b.0, SHIFT)))
    }
}
