//! What happened in an execution.

pub(crate) mod event;
pub(crate) mod json;
pub(crate) mod log;
pub(crate) mod text;
