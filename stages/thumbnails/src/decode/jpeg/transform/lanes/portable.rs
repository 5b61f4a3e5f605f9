//! The operations in plain Rust.

use std::array::from_fn;

/// Eight integers of 16 bits.
#[derive(Clone, Copy)]
pub struct Words([i16; 8]);

impl Words {
    /// Returns the eight integers from `at`, at most 56.
    #[inline(always)]
    pub fn read(numbers: &[i16; 64], at: usize) -> Self {
        Self(from_fn(|i| numbers[at + i]))
    }

    /// Returns zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        Self([0; 8])
    }

    /// Returns the integers.
    #[cfg(test)]
    pub fn array(self) -> [i16; 8] {
        self.0
    }

    /// Returns the products, of which the lower 16 bits remain.
    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i].wrapping_mul(other.0[i])))
    }

    /// Returns the sums, of which the lower 16 bits remain.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }

    /// Returns the integers of both in turn.
    #[inline(always)]
    pub fn paired(a: Self, b: Self) -> [Self; 2] {
        let both = |from: usize| Self(from_fn(|i| if i % 2 == 0 { a.0[from + i / 2] } else { b.0[from + i / 2] }));
        [both(0), both(4)]
    }

    /// Returns the integers at even places of both, and those at odd places.
    #[inline(always)]
    pub fn apart(a: Self, b: Self) -> [Self; 2] {
        [0, 1].map(|odd| Self(from_fn(|i| if i < 4 { a.0[2 * i + odd] } else { b.0[2 * i - 8 + odd] })))
    }

    /// Returns, for each pair, the sum of its products with `factors`.
    #[inline(always)]
    pub fn dot(self, factors: [i16; 2]) -> Longs {
        let [a, b] = factors.map(i32::from);
        Longs(from_fn(|i| i32::from(self.0[2 * i]) * a + i32::from(self.0[2 * i + 1]) * b))
    }

    /// Returns the integers plus 128, limited to a byte.
    #[inline(always)]
    pub fn samples(a: Self, b: Self) -> [[u8; 8]; 2] {
        [a, b].map(|words| words.0.map(|number| (number.clamp(-128, 127) + 128) as u8))
    }
}

/// Four integers of 32 bits.
#[derive(Clone, Copy)]
pub struct Longs([i32; 4]);

impl Longs {
    /// Returns the same integer four times.
    #[inline(always)]
    pub fn splat(number: i32) -> Self {
        Self([number; 4])
    }

    /// Returns the sums, of which the lower 32 bits remain.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }

    /// Returns the differences, of which the lower 32 bits remain.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        Self(from_fn(|i| self.0[i].wrapping_sub(other.0[i])))
    }

    /// Returns the integers without their lowest `SHIFT` bits, limited to 16 bits.
    #[inline(always)]
    pub fn narrowed<const SHIFT: u32>(a: Self, b: Self) -> Words {
        let narrow = |number: i32| (number >> SHIFT).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        Words(from_fn(|i| narrow(if i < 4 { a.0[i] } else { b.0[i - 4] })))
    }
}
