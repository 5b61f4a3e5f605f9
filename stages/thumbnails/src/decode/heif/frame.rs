//! What a codec returns: planes of samples, and what their numbers mean.

use crate::geometry::Size;

/// Where the samples of a halved colour plane are, along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Siting {
    /// At every second lightness sample.
    Beside,
    /// Between two lightness samples.
    Between,
}

/// The colour planes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chroma {
    /// Columns and rows of each.
    pub(super) size: Size,
    /// `Some` if there is one column for two of lightness.
    pub(super) halved_columns: Option<Siting>,
    /// `Some` if there is one row for two of lightness.
    pub(super) halved_rows: Option<Siting>,
}

/// A decoded frame. Rows have no padding.
pub(super) struct Frame {
    pub(super) size: Size,
    /// `None` for a gray picture.
    pub(super) chroma: Option<Chroma>,
    /// Lightness, then the two of colour, which are empty in a gray picture.
    pub(super) planes: [Vec<u16>; 3],
    /// Bits per sample of lightness and of colour: 8 to 16.
    pub(super) depth: [u8; 2],
    pub(super) colours: Colours,
}

/// What samples mean, in code points of ITU-T H.273. 2 is "unspecified".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    /// Whether samples use all values. Otherwise, black is 16 and white is 235 of 255.
    pub(super) full_range: bool,
}
