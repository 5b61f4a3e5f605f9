//! The validate stage: checks that an upload exists, is what it claims to be, and is within the limits.
//!
//! All later stages rely on what this stage sets: the entity tag pins the version that was checked, the digests are of
//! exactly those bytes, and type and size come from the bytes and not from a name. So whatever cannot be established is
//! a failure of that file, and nothing is guessed.
//!
//! The host computes the digests, with the processor's instructions for them. Only headers enter the sandbox, where
//! `stage-probe` reads them: a file that breaks a parser breaks this instance and nothing else.
//!
//! | Found | Failure |
//! |---|---|
//! | the key is not the key of an upload, or the configuration is wrong | `invalid-input` |
//! | no such object | `missing` |
//! | size, entity tag, SHA-256, content type or media type differ from what was declared | `mismatch` |
//! | a format that the configuration does not accept, or an unknown one | `unsupported` |
//! | empty, cut off, or a header that breaks its format's rules | `corrupt` |
//! | more bytes or pixels than the configuration allows | `too-large` |
//!
//! Code map: `config` the limits · `check` the checks, on a trait · `guest` the component's export and imports.

pub mod bindings;
mod check;
mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
pub mod guest;

pub use check::{Host, validate};
pub use config::Config;
