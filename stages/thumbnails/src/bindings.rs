//! The contract in Rust, as `stage-sdk` has it.

pub use stage_sdk::bindings::toq;
