//! The size that is made of a picture, as the picture is stored.

use crate::geometry::{Orientation, Size};

/// Returns the largest size that is made of a picture, as stored: `wanted` takes and returns sizes as a person sees them.
pub(super) fn stored_target(full: Size, orientation: Orientation, wanted: &dyn Fn(Size) -> Size) -> Size {
    orientation.apply(wanted(orientation.apply(full)))
}
