//! A stage's project on its author's machine: what it is, and how its component is built.

pub mod defaults;
pub mod kind;
pub mod language;
pub mod observed;
pub mod project;
pub mod sources;
pub mod toolchain;
pub mod trial;
pub mod world;
