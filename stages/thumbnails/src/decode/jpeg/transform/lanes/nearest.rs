//! Rounding of floating-point numbers by an addition.

/// 1.5 × 2²³ + 128. The addition of a number below 2²² leaves the nearest integer in the lowest bits, 128 added.
pub const NEAREST: f32 = 12_583_040.0;
/// The bits of 1.5 × 2²³.
pub const NEAREST_BITS: i32 = 0x4B40_0000;
