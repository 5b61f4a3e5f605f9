//! The host behind this crate's functions: a component's imports, or natively the host to test with. Both have the same
//! functions and types.

#[cfg(target_family = "wasm")]
pub(crate) use crate::sys_component::*;
#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::sys_native::*;
