//! The contract in Rust, generated from `wit/` for the world `transcode`.
#![allow(missing_docs, clippy::unwrap_used)]

wit_bindgen::generate!({
    world: "transcode",
    path: "../../wit",
    additional_derives: [PartialEq],
});
