//! Requests and bodies below the S3 protocol.

pub mod body;
pub mod chunk_decoder;
pub mod chunked;
pub mod ranges;
pub mod unsigned;
