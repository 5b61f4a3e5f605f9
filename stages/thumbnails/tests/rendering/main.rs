//! From a photo's bytes to its renditions, on files made here, on damaged ones and on real ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod corpus;
mod damage;
#[path = "../../../../tests/fixtures/contract.rs"]
mod fixtures;
#[cfg(all(feature = "heic", feature = "avif"))]
mod heif;
mod pictures;
mod same_bytes;
mod stage;
mod support;
mod webp;

use stage_thumbnails::bindings;
