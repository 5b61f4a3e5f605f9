//! The stage behind `GenerateThumbnails`: makes smaller pictures of a photo.
//!
//! A photo is decoded once, at the smallest scale that still covers the largest rendition; every rendition is resized
//! from the next larger one. What comes out is upright, in sRGB, and carries no metadata: no GPS position, no camera,
//! no colour profile.
//!
//! Everything that touches pixels is plain Rust in modules of its own, so that it is tested and measured natively;
//! `guest` is all that knows of WebAssembly.
//!
//! | Module | What it is for |
//! |---|---|
//! | [`config`] | the stage's settings, read strictly |
//! | [`stage`] | what to do with one asset: which renditions are out of date, where they go |
//! | [`render`] | one photo's bytes in, renditions out |
//! | [`format`] | what a file is, by its first bytes |
//! | [`decode`] | one decoder per format, all bounded |
//! | [`raster`], [`geometry`], [`colour`], [`encode`] | the steps of rendering |

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
// The names that a component exports cannot be linked into a native library.
#[cfg(target_family = "wasm")]
mod guest;
pub mod raster;
pub mod render;
pub mod stage;

/// The contract's types and imports, generated from the WIT.
#[allow(missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "thumbnails",
        path: "../../wit",
        pub_export_macro: true,
        additional_derives: [PartialEq],
    });
}
