//! The host's side of the contract: one file per interface of `wit/call.wit` and `wit/capabilities.wit`, named after it, one more
//! for the exchanges of `http`, and two for WASI: `wasi.rs` and `poll.rs`.
//!
//! The checks that no implementation of a capability may forget are in these files: grants, sizes, quotas, accounting.

mod call;
pub(crate) mod handles;
mod http;
mod http_exchange;
mod keys;
pub(crate) mod known_objects;
mod log;
mod metrics;
mod object_writer;
mod objects;
pub(crate) mod open_exchange;
mod own_objects;
pub(crate) mod poll;
mod progress;
pub(crate) mod seen_versions;
pub(crate) mod state;
mod tags;
mod transcoder;
pub(crate) mod wasi;
mod webhook;
