//! The state machine as a drawing: read from its definition, laid out in layers, drawn as SVG.

mod layers;
mod layout;
pub mod read;
pub mod svg;
