//! Turning and mirroring, in EXIF's numbering: which operation makes the stored picture upright.

use crate::Pixels;

/// The size after `orientation` is applied: 5 to 8 lie on their side.
pub(crate) fn upright(stored: Pixels, orientation: u8) -> Pixels {
    match orientation {
        5..=8 => Pixels { width: stored.height, height: stored.width },
        _ => stored,
    }
}

/// The number for a clockwise turn by `quarters` of a full one.
pub(crate) fn turned(quarters: u8) -> u8 {
    match quarters % 4 {
        0 => 1,
        1 => 6,
        2 => 3,
        _ => 8,
    }
}

/// The number for a clockwise turn by `quarters`, after which left and right are exchanged.
pub(crate) fn turned_then_mirrored(quarters: u8) -> u8 {
    match quarters % 4 {
        0 => 2,
        1 => 5,
        2 => 4,
        _ => 7,
    }
}
