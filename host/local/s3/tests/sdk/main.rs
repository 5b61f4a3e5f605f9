//! The service, called by the AWS SDK for Rust over loopback.
#![allow(clippy::unwrap_used)]

mod credentials;
mod measure;
mod multipart;
mod objects;
mod support;
