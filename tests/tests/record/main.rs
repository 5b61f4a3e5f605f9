//! Calls that are recorded, replayed, and repeated by a shadow: with guests that use every capability, against a world that
//! lists what is done to it, and by the real command.
#![allow(clippy::unwrap_used)]

mod command;
mod replay;
mod shadow;
mod world;
