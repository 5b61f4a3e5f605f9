//! What a person sees.

pub mod units;
