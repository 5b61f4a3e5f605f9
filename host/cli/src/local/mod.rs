//! The whole pipeline in one process.

mod callbacks;
mod leftovers;
pub mod pipeline;
mod waiting;
