//! The host's side of each interface of `wit/capabilities.wit`, one file each. Here stand the checks which no
//! implementation of a capability may forget: grants, sizes, accounting.

mod calls;
pub(crate) mod keys;
pub(crate) mod objects;
pub(crate) mod writer;
