//! EXIF's numbers for the turn or mirroring that makes a stored picture upright.

use crate::pixels::Pixels;

/// Returns the size after `orientation` is applied: 5 to 8 exchange width and height.
pub(crate) fn upright(stored: Pixels, orientation: u8) -> Pixels {
    match orientation {
        5..=8 => Pixels { width: stored.height, height: stored.width },
        _ => stored,
    }
}

/// Returns the number for a clockwise turn by `quarters` of a full turn.
pub(crate) fn turned(quarters: u8) -> u8 {
    match quarters % 4 {
        0 => 1,
        1 => 6,
        2 => 3,
        _ => 8,
    }
}

/// Returns the number for a clockwise turn by `quarters` of a full turn, followed by an exchange of left and right.
pub(crate) fn turned_then_mirrored(quarters: u8) -> u8 {
    match quarters % 4 {
        0 => 2,
        1 => 5,
        2 => 4,
        _ => 7,
    }
}
