//! What the transforms of four to eight samples have in common.

use super::lanes::{Longs, Words};

/// How far sums are shifted after the first pass, which keeps two fractional bits. Factors have 13.
pub const FIRST: u32 = 11;
/// How far sums are shifted after the second pass, which ends with eighths.
pub const SECOND: u32 = 18;

/// Eight integers of 32 bits.
#[derive(Clone, Copy)]
pub struct Sums(Longs, Longs);

impl Sums {
    /// Returns the same integer eight times.
    #[inline(always)]
    pub fn splat(number: i32) -> Self {
        Self(Longs::splat(number), Longs::splat(number))
    }

    /// Returns, for each pair, the sum of its products with `factors`.
    #[inline(always)]
    pub fn of([low, high]: [Words; 2], factors: [i16; 2]) -> Self {
        Self(low.dot(factors), high.dot(factors))
    }

    /// Returns the sums, of which the lower 32 bits remain.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.plus(other.0), self.1.plus(other.1))
    }

    /// Returns the differences, of which the lower 32 bits remain.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.minus(other.0), self.1.minus(other.1))
    }

    /// Returns the integers without their lowest `SHIFT` bits, limited to 16 bits.
    #[inline(always)]
    pub fn narrowed<const SHIFT: u32>(self) -> Words {
        Longs::narrowed::<SHIFT>(self.0, self.1)
    }
}

/// Returns columns as rows.
#[inline(always)]
pub fn transposed(x: [Words; 8]) -> [Words; 8] {
    let mut x = x;
    // Each turn puts those side by side that are four apart: after three, the rows are columns.
    for _ in 0..3 {
        let pairs = [0, 1, 2, 3].map(|i| Words::paired(x[i], x[i + 4]));
        let [[a, b], [c, d], [e, f], [g, h]] = pairs;
        x = [a, b, c, d, e, f, g, h];
    }
    x
}
