//! The signed callback to the backend.

pub(crate) mod secret;
pub(crate) mod secret_source;
pub(crate) mod secret_store;
pub(crate) mod webhook;
