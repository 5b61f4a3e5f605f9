//! The validate stage: is an upload there, is it what it claims to be, is it within the limits.
//!
//! Everything after this stage may rely on what it sets: the entity tag pins the version that was checked, the digests are
//! of those very bytes, type and size come from the bytes and not from a name. So whatever cannot be established is a
//! failure of that file, with the case that says why; nothing is guessed.
//!
//! The bytes themselves are hashed by the host, which has instructions for it. Only headers enter the sandbox, where
//! `stage-probe` reads them: a file that is made to break a parser breaks this instance, and nothing else.
//!
//! | Found | Failure |
//! |---|---|
//! | the key is no key of a raw upload, or the configuration is wrong | `invalid-input` |
//! | no such object | `missing` |
//! | size, entity tag, SHA-256, content type or media type differ from what was declared | `mismatch` |
//! | a format that the configuration does not accept, or none at all | `unsupported` |
//! | empty, cut off, or a header that breaks its format's rules | `corrupt` |
//! | more bytes or pixels than the configuration allows | `too-large` |

mod check;
mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
#[cfg(target_family = "wasm")]
mod guest;

/// What `wit-bindgen` makes of the contract.
#[allow(missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "validate",
        path: "../../wit",
        additional_derives: [PartialEq],
    });
}

pub use check::{Host, validate};
pub use config::Config;

/// The component's version, as its metadata gives it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The component's description, as its metadata gives it.
pub const DESCRIPTION: &str = env!("CARGO_PKG_DESCRIPTION");
