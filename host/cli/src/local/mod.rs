//! The whole pipeline in one process.

mod leftovers;
pub mod pipeline;
mod waiting;
