//! The zip stage: bundles a batch's files into archives that a person can download and open.
//!
//! Every file is stored and not compressed. Photos and videos would not get smaller, and the bytes of PDFs, which might,
//! would have to pass through this stage. So the stage writes headers only, and the store copies the files: a bundle of a
//! gigabyte costs the stage some kilobytes.
//!
//! Code map: [`config`] the bundles to make · [`plan`] which files go where · [`names`] their names in an archive ·
//! [`archive`] the ZIP format · [`stage`] planning, reusing and composing, on a trait · [`guest`] the component's export
//! and imports.

pub mod archive;
pub mod bindings;
pub mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
pub mod guest;
pub mod names;
pub mod plan;
pub mod stage;
