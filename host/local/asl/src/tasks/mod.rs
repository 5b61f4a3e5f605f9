//! The boundary between the interpreter and the services that Task states call.

pub(crate) mod activities;
pub(crate) mod execution_info;
pub(crate) mod resources;
pub(crate) mod storage;
pub(crate) mod tokens;
