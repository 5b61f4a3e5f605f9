//! What can be wrong with packed data.

use crate::format::Format;

/// The format's name for messages.
pub(super) const NAME: &str = Format::Tiff.name();

/// Why data cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It ends too early.
    Ends,
    /// It breaks the rules of its compression.
    Broken,
    /// It refers to data further back than is kept of it.
    Memory,
}
