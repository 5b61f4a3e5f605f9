//! The contract in Rust, generated from `wit/` for the world `zip`.
#![allow(missing_docs, clippy::unwrap_used)]

wit_bindgen::generate!({
    world: "zip",
    path: "../../wit",
    additional_derives: [PartialEq],
});
