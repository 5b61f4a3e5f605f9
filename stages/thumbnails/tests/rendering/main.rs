//! From a photo's bytes to its renditions, on files made here, on damaged ones and on real ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod corpus;
mod damage;
mod ends;
#[path = "../../../../tests/fixtures/contract.rs"]
mod fixtures;
mod foreign_gifs;
mod foreign_tiffs;
#[cfg(all(feature = "heic", feature = "avif"))]
mod heif;
mod libjpeg;
mod limits;
mod pictures;
mod same_bytes;
mod stage;
mod stated_colours;
mod support;
mod webp;

use stage_thumbnails::bindings;
