//! The operations as instructions of WebAssembly.

use std::arch::wasm32::*;
use std::ops::{Add, Mul, Sub};

use super::numbers::{ROUNDING, WEIGHT_BITS};

/// Four floating-point numbers.
#[derive(Clone, Copy)]
pub struct F32x4(v128);

impl F32x4 {
    /// Returns these numbers.
    #[inline(always)]
    pub fn new([a, b, c, d]: [f32; 4]) -> Self {
        Self(f32x4(a, b, c, d))
    }

    /// Returns the same number four times.
    #[inline(always)]
    pub fn splat(number: f32) -> Self {
        Self(f32x4_splat(number))
    }

    /// Returns eight bytes as numbers.
    #[inline(always)]
    pub fn widened(bytes: &[u8; 8]) -> [Self; 2] {
        let words = load8(bytes);
        [
            Self(f32x4_convert_i32x4(i32x4_extend_low_i16x8(words))),
            Self(f32x4_convert_i32x4(i32x4_extend_high_i16x8(words))),
        ]
    }

    /// Returns the columns of four rows.
    #[inline(always)]
    pub fn transposed([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let (ab, ab2) = (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0));
        let (cd, cd2) = (i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
        [
            Self(i64x2_shuffle::<0, 2>(ab, cd)),
            Self(i64x2_shuffle::<1, 3>(ab, cd)),
            Self(i64x2_shuffle::<0, 2>(ab2, cd2)),
            Self(i64x2_shuffle::<1, 3>(ab2, cd2)),
        ]
    }

    /// Returns eight numbers rounded to integers, halves to even, limited to 16 bits. Their magnitude must be below 2²².
    #[inline(always)]
    pub fn rounded(a: Self, b: Self) -> I16x8 {
        let (magic, bits) = (f32x4_splat(ROUNDING), i32x4_splat(ROUNDING.to_bits() as i32));
        let round = |numbers: v128| i32x4_sub(f32x4_add(numbers, magic), bits);
        I16x8(i16x8_narrow_i32x4(round(a.0), round(b.0)))
    }
}

impl Add for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }
}

impl Sub for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(f32x4_sub(self.0, other.0))
    }
}

impl Mul for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(f32x4_mul(self.0, other.0))
    }
}

/// Eight integers of 16 bits.
#[derive(Clone, Copy)]
pub struct I16x8(v128);

impl I16x8 {
    /// Returns these integers.
    #[inline(always)]
    pub fn new([a, b, c, d, e, f, g, h]: [i16; 8]) -> Self {
        Self(i16x8(a, b, c, d, e, f, g, h))
    }

    /// Returns two integers, four times in turn.
    #[inline(always)]
    pub fn pair([a, b]: [i16; 2]) -> Self {
        Self(i32x4_splat(i32::from(a) & 0xFFFF | i32::from(b) << 16))
    }

    /// Returns the integers.
    #[inline(always)]
    pub fn to_array(self) -> [i16; 8] {
        let mut out = [0; 8];
        // SAFETY: `out` has 16 bytes, and no alignment is needed.
        unsafe { v128_store(out.as_mut_ptr().cast(), self.0) };
        out
    }

    /// Returns a bit for each integer that is not zero, the first in the lowest bit.
    #[inline(always)]
    pub fn nonzero(self) -> u8 {
        i16x8_bitmask(i16x8_ne(self.0, i16x8_splat(0)))
    }

    /// Returns a bit for each integer of a magnitude above one. None may be -32768.
    #[inline(always)]
    pub fn above_one(self) -> u8 {
        i16x8_bitmask(i16x8_gt(i16x8_abs(self.0), i16x8_splat(1)))
    }
}

/// Four sums of bytes times weights with [`WEIGHT_BITS`] fractional bits.
#[derive(Clone, Copy)]
pub struct I32x4(v128);

impl I32x4 {
    /// Returns the same integer four times.
    #[inline(always)]
    pub fn splat(integer: i32) -> Self {
        Self(i32x4_splat(integer))
    }

    /// Returns sixteen sums that begin with a half, so that they are rounded in the end.
    #[inline(always)]
    pub fn halves() -> [Self; 4] {
        [Self::splat(1 << (WEIGHT_BITS - 1)); 4]
    }

    /// Adds two rows of sixteen bytes, each times its weight; see [`I16x8::pair`].
    #[inline(always)]
    pub fn add_rows([p, q, r, s]: [Self; 4], a: &[u8; 16], b: &[u8; 16], weights: I16x8) -> [Self; 4] {
        let (a, b) = (load16(a), load16(b));
        let low = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(a, b);
        let high = i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(a, b);
        let add = |sum: Self, pairs: v128| Self(i32x4_add(sum.0, i32x4_dot_i16x8(pairs, weights.0)));
        [
            add(p, u16x8_extend_low_u8x16(low)),
            add(q, u16x8_extend_high_u8x16(low)),
            add(r, u16x8_extend_low_u8x16(high)),
            add(s, u16x8_extend_high_u8x16(high)),
        ]
    }

    /// Returns sixteen sums as bytes; see [`I32x4::halves`].
    #[inline(always)]
    pub fn bytes([a, b, c, d]: [Self; 4]) -> [u8; 16] {
        let whole = |sum: Self| i32x4_shr(sum.0, WEIGHT_BITS);
        let words = (i16x8_narrow_i32x4(whole(a), whole(b)), i16x8_narrow_i32x4(whole(c), whole(d)));
        let mut out = [0; 16];
        // SAFETY: `out` has 16 bytes, and no alignment is needed.
        unsafe { v128_store(out.as_mut_ptr().cast(), u8x16_narrow_i16x8(words.0, words.1)) };
        out
    }

    /// Adds eight bytes, each times its weight, to the sum of the four numbers.
    #[inline(always)]
    pub fn add_row(self, bytes: &[u8; 8], weights: I16x8) -> Self {
        Self(i32x4_add(self.0, i32x4_dot_i16x8(load8(bytes), weights.0)))
    }

    /// Returns the sums of the four numbers of each row as rounded bytes.
    #[inline(always)]
    pub fn totals([a, b, c, d]: [Self; 4]) -> [u8; 4] {
        let add = |a: v128, b: v128| i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let (ab, cd) = (add(a.0, b.0), add(c.0, d.0));
        let sums = i32x4_add(i64x2_shuffle::<0, 2>(ab, cd), i64x2_shuffle::<1, 3>(ab, cd));
        let whole = i32x4_shr(i32x4_add(sums, i32x4_splat(1 << (WEIGHT_BITS - 1))), WEIGHT_BITS);
        let words = i16x8_narrow_i32x4(whole, whole);
        (i32x4_extract_lane::<0>(u8x16_narrow_i16x8(words, words)) as u32).to_le_bytes()
    }
}

/// Returns eight bytes as integers of 16 bits.
#[inline(always)]
fn load8(bytes: &[u8; 8]) -> v128 {
    // SAFETY: `bytes` has 8 bytes, and no alignment is needed.
    unsafe { u16x8_load_extend_u8x8(bytes.as_ptr()) }
}

#[inline(always)]
fn load16(bytes: &[u8; 16]) -> v128 {
    // SAFETY: `bytes` has 16 bytes, and no alignment is needed.
    unsafe { v128_load(bytes.as_ptr().cast()) }
}
