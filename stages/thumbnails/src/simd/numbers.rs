//! Numbers that both implementations share.

/// 1.5 · 2²³. A number of smaller magnitude than 2²² that is added to it is rounded to the nearest integer, to the even one
/// between two, and the integer is in the low bits of the sum.
pub const ROUNDING: f32 = 12_582_912.0;

/// The number of fractional bits in the weights of the sums of `I32x4`.
pub const WEIGHT_BITS: u32 = 14;
