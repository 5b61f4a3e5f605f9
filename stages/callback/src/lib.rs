//! The callback stage: tells the backend how a batch ended.
//!
//! It composes one JSON document and delivers it through the host, which knows the address and adds the signature.
//!
//! Code map: [`verdict`] how the batch ended · [`body`] the document · [`delivery`] attempts, waits and when to stop, on a
//! trait · [`config`] the limits of these · [`guest`] the component's export and imports.

pub mod bindings;
pub mod body;
pub mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
pub mod delivery;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
pub mod guest;
pub mod verdict;
