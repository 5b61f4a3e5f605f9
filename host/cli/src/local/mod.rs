//! The whole pipeline in one process.

pub mod pipeline;
