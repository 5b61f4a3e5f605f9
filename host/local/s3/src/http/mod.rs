//! Requests and bodies below the S3 protocol.

pub mod body;
pub mod chunked;
pub mod unsigned;
