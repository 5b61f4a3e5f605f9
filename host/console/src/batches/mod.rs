//! The list of batches.

pub mod page;
mod search;
pub mod summary;
