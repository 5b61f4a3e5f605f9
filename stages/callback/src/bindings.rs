//! The contract in Rust, generated from `wit/` for the world `callback`.
#![allow(missing_docs, clippy::unwrap_used)]

wit_bindgen::generate!({
    world: "callback",
    path: "../../wit",
    additional_derives: [PartialEq],
});
