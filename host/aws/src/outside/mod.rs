//! Services outside the host's own.

pub(crate) mod address;
pub(crate) mod http;
