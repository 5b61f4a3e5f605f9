//! Registries of stages: where they are, what is in them, components compiled for them.

pub mod args;
pub mod compile;
mod identity_token;
pub mod metadata;
pub mod oci;
pub mod place;
pub mod versions;
