//! The thumbnails stage: makes smaller pictures of a photo.
//!
//! A photo is decoded once, at the smallest scale that still covers the largest rendition; every rendition is resized
//! from the next larger one. The results are upright, in sRGB, and carry no metadata: no GPS position, no camera, no
//! colour profile.
//!
//! Everything that touches pixels is plain Rust in modules of its own, so that it is tested and measured natively; only
//! [`guest`] knows WebAssembly.
//!
//! | Module | Contents |
//! |---|---|
//! | [`config`] | the stage's configuration |
//! | [`stage`] | what to do with one asset: which renditions are out of date, and their keys; on a trait |
//! | [`recipe`] | fingerprints: what the bytes of a rendition follow from |
//! | [`render`] | from one photo's bytes to its renditions |
//! | [`cascade`] | their sizes, and which one is made from which |
//! | [`format`] | recognising a file by its first bytes |
//! | [`decode`] | one decoder per format, all of them bounded |
//! | [`raster`], [`planes`] | pictures as pixels, and as one plane for each channel |
//! | [`geometry`], [`colour`], [`encode`] | the steps of rendering |
//! | [`webp`] | the encoder of WebP |
//! | `resample`, `simd` | resizing of planes; vectors, the same natively and in WebAssembly |
//! | [`guest`] | the component's export and imports |

pub mod bindings;
pub mod cascade;
pub mod colour;
pub mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
pub mod decode;
pub mod encode;
pub mod error;
pub mod format;
pub mod geometry;
pub mod guest;
mod plane;
pub mod planes;
pub mod raster;
pub mod recipe;
pub mod render;
mod resample;
mod simd;
pub mod stage;
pub mod webp;
