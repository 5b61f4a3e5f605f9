//! The host's side of the contract: one file per interface of `wit/capabilities.wit`, named after it, and `wasi.rs`.
//!
//! The checks that no implementation of a capability may forget are in these files: grants, sizes, accounting.

pub(crate) mod handles;
mod http;
mod keys;
mod object_writer;
mod objects;
mod progress;
pub(crate) mod seen;
pub(crate) mod state;
mod tags;
mod transcoder;
pub(crate) mod wasi;
mod webhook;
