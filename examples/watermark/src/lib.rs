//! Puts a mark into a corner of every photo and stores the result as a rendition.

pub mod mark;

// The bindings to the host exist in WebAssembly only, so that `cargo test` works natively.
#[cfg(target_arch = "wasm32")]
mod component;
