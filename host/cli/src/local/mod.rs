//! The whole pipeline in one process.

mod callbacks;
mod following;
mod leftovers;
pub mod media_areas;
pub mod pipeline;
mod recording;
pub mod swap;
mod waiting;
