//! Changing pins, for the command `pins` and for the console: one set of checks.

pub mod args;
mod candidate;
pub mod change;
pub mod wanted;
