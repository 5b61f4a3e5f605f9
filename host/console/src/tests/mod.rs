//! The pages over services in memory.
#![allow(clippy::unwrap_used)]

mod archives;
mod bounds;
mod hostile;
mod memory;
mod pages;
mod protection;
mod sources;
