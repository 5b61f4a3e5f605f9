//! The same input gives the same bytes: whatever was there before, whatever was killed, and whoever works on it at the same
//! time. A file that changes meanwhile fails alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod beside;
mod kills;
mod listing;
mod replaced;
mod served;
