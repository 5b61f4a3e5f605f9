//! The contract in Rust, generated from `wit/` for the world `validate`.
#![allow(missing_docs, clippy::unwrap_used)]

wit_bindgen::generate!({
    world: "validate",
    path: "../../wit",
    additional_derives: [PartialEq],
});
