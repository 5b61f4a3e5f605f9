//! Lambda: invoking the host's function.

pub(crate) mod error;
pub(crate) mod function;
pub(crate) mod functions;
pub(crate) mod routes;
