//! What all pages share: the frame around them, texts of numbers and times, small parts.

pub mod form;
pub mod format;
pub mod frame;
pub mod parts;
