//! Calls that are recorded, made again, and made by a candidate in the shadow: with guests that do something with every
//! capability, against a world that notes what is done to it; and by the real command.
#![allow(clippy::unwrap_used)]

mod command;
mod replay;
mod shadow;
mod world;
