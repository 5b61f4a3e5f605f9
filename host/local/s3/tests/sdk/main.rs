//! The service as the AWS SDK for Rust sees it, over loopback.
#![allow(clippy::unwrap_used)]

mod credentials;
mod measure;
mod multipart;
mod objects;
mod support;
