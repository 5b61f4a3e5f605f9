//! Reads a crate's source text and finds out which file uses what of which other file. No compiler is involved: names are
//! resolved through modules, `use` and re-exports only, which is enough to find circles of imports.
//!
//! An item that a parent re-exports belongs to the file that defines it. A name that nothing defines in a module counts for
//! that module's file, since a macro such as `bindgen!` may generate it there. Tests (`#[cfg(test)]`) are left out.

mod circles;
mod graph;
mod items;
mod names;
mod resolve;
mod tokens;
mod tree;

pub use circles::{Circle, circles};
pub use graph::{Graph, Import, graph};
pub use names::{Exported, exported};
pub use tree::{ReadError, Tree};
