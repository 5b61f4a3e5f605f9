//! A state machine after parsing: the types that the interpreter runs.

pub(crate) mod choice;
pub(crate) mod distributed;
pub(crate) mod language;
pub(crate) mod model;
pub(crate) mod query;
mod references;
pub(crate) mod resource;
pub(crate) mod retry;
pub(crate) mod settings;
pub(crate) mod state_type;
