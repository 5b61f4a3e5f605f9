//! The whole pipeline in one process.

mod callbacks;
mod leftovers;
pub mod media_areas;
pub mod pipeline;
mod waiting;
