//! Lambda: invoking the host's function, and others that run elsewhere.

pub(crate) mod error;
pub(crate) mod foreign;
pub(crate) mod function;
pub(crate) mod functions;
pub(crate) mod routes;
