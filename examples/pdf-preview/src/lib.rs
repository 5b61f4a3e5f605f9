//! Makes a picture of the first page of every PDF.

pub mod preview;

// The bindings to the host exist in WebAssembly only, so that `cargo test` works natively.
#[cfg(target_arch = "wasm32")]
mod component;
