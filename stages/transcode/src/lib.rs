//! The transcode stage: submits every video of a batch to the transcoding service.
//!
//! It decides which outputs to make of each video, with which keys and sizes, and submits a job. It neither waits nor
//! decodes: the host ends the state when the last job of the call has ended.
//!
//! Code map: [`config`] the outputs · [`geometry`] their sizes · [`stage`] which videos are submitted, on a trait ·
//! [`guest`] the component's export and imports.

pub mod bindings;
pub mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
pub mod geometry;
pub mod guest;
pub mod stage;
