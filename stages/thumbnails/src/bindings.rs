//! The contract in Rust, generated from `wit/` for the world `thumbnails`.
#![allow(missing_docs, clippy::unwrap_used)]

wit_bindgen::generate!({
    world: "thumbnails",
    path: "../../wit",
    additional_derives: [PartialEq],
});
