//! The batch document: what enters and leaves every state of the pipeline.
//!
//! Uploads reach the pipeline in several shapes that grew over the years. They are read leniently **once**, here, into
//! strict types; everything behind this crate works on [`Batch`] and writes the one canonical shape. The crate knows
//! neither WebAssembly nor AWS, so that the contract can be read and tested by itself.

mod document;
mod failure;
mod id;
mod input;
mod keys;
mod merge;

pub use document::{
    Asset, Batch, Bundle, Counts, Execution, ListingField, MediaType, PixelSize, Problem, Rendition,
};
pub use failure::{Case, Failure};
pub use id::Id;
pub use input::{Attributes, InputError, parse, parse_with_attributes};
pub use keys::{Area, KeyError, KeyParts, bundle_key, derive_key};
pub use merge::{MergeError, merge_branches};
