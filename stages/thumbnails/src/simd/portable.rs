//! The operations in plain Rust.

use std::ops::{Add, Mul, Sub};

use super::numbers::{ROUNDING, WEIGHT_BITS};

/// Four floating-point numbers.
#[derive(Clone, Copy)]
pub struct F32x4([f32; 4]);

impl F32x4 {
    /// Returns these numbers.
    #[inline(always)]
    pub fn new(numbers: [f32; 4]) -> Self {
        Self(numbers)
    }

    /// Returns the same number four times.
    #[inline(always)]
    pub fn splat(number: f32) -> Self {
        Self([number; 4])
    }

    /// Returns eight bytes as numbers.
    #[inline(always)]
    pub fn widened(bytes: &[u8; 8]) -> [Self; 2] {
        let [a, b, c, d, e, f, g, h] = bytes.map(f32::from);
        [Self([a, b, c, d]), Self([e, f, g, h])]
    }

    /// Returns the columns of four rows.
    #[inline(always)]
    pub fn transposed([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        std::array::from_fn(|i| Self([a.0[i], b.0[i], c.0[i], d.0[i]]))
    }

    /// Returns eight numbers rounded to integers, halves to even, limited to 16 bits. Their magnitude must be below 2²².
    #[inline(always)]
    pub fn rounded(a: Self, b: Self) -> I16x8 {
        let round = |number: f32| {
            let integer = ((number + ROUNDING).to_bits() as i32).wrapping_sub(ROUNDING.to_bits() as i32);
            integer.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
        };
        let ([a, b, c, d], [e, f, g, h]) = (a.0.map(round), b.0.map(round));
        I16x8([a, b, c, d, e, f, g, h])
    }
}

impl Add for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl Sub for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl Mul for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
}

/// Eight integers of 16 bits.
#[derive(Clone, Copy)]
pub struct I16x8([i16; 8]);

impl I16x8 {
    /// Returns these integers.
    #[inline(always)]
    pub fn new(integers: [i16; 8]) -> Self {
        Self(integers)
    }

    /// Returns two integers, four times in turn.
    #[inline(always)]
    pub fn pair([a, b]: [i16; 2]) -> Self {
        Self([a, b, a, b, a, b, a, b])
    }

    /// Returns the integers.
    #[inline(always)]
    pub fn to_array(self) -> [i16; 8] {
        self.0
    }

    /// Returns a bit for each integer that is not zero, the first in the lowest bit.
    #[inline(always)]
    pub fn nonzero(self) -> u8 {
        self.0.iter().enumerate().fold(0, |bits, (i, integer)| bits | u8::from(*integer != 0) << i)
    }

    /// Returns a bit for each integer of a magnitude above one. None may be -32768.
    #[inline(always)]
    pub fn above_one(self) -> u8 {
        self.0.iter().enumerate().fold(0, |bits, (i, integer)| bits | u8::from(integer.wrapping_abs() > 1) << i)
    }
}

/// Four sums of bytes times weights with [`WEIGHT_BITS`] fractional bits.
#[derive(Clone, Copy)]
pub struct I32x4([i32; 4]);

impl I32x4 {
    /// Returns the same integer four times.
    #[inline(always)]
    pub fn splat(integer: i32) -> Self {
        Self([integer; 4])
    }

    /// Returns sixteen sums that begin with a half, so that they are rounded in the end.
    #[inline(always)]
    pub fn halves() -> [Self; 4] {
        [Self::splat(1 << (WEIGHT_BITS - 1)); 4]
    }

    /// Adds two rows of sixteen bytes, each times its weight; see [`I16x8::pair`].
    #[inline(always)]
    pub fn add_rows(sums: [Self; 4], a: &[u8; 16], b: &[u8; 16], weights: I16x8) -> [Self; 4] {
        let [first, second, ..] = weights.0.map(i32::from);
        std::array::from_fn(|quarter| {
            Self(std::array::from_fn(|i| {
                let at = 4 * quarter + i;
                sums[quarter].0[i] + i32::from(a[at]) * first + i32::from(b[at]) * second
            }))
        })
    }

    /// Returns sixteen sums as bytes; see [`I32x4::halves`].
    #[inline(always)]
    pub fn bytes(sums: [Self; 4]) -> [u8; 16] {
        std::array::from_fn(|i| byte(sums[i / 4].0[i % 4]))
    }

    /// Adds eight bytes, each times its weight, to the sum of the four numbers.
    #[inline(always)]
    pub fn add_row(self, bytes: &[u8; 8], weights: I16x8) -> Self {
        Self(std::array::from_fn(|i| {
            let product = |at: usize| i32::from(bytes[at]) * i32::from(weights.0[at]);
            self.0[i] + product(2 * i) + product(2 * i + 1)
        }))
    }

    /// Returns the sums of the four numbers of each row as rounded bytes.
    #[inline(always)]
    pub fn totals(rows: [Self; 4]) -> [u8; 4] {
        rows.map(|row| byte(row.0.iter().sum::<i32>() + (1 << (WEIGHT_BITS - 1))))
    }
}

#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255) as u8
}
