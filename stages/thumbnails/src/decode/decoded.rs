//! A decoded picture.

use crate::geometry::{Orientation, Size};
use crate::raster::Raster;

/// A decoded picture, as stored: not yet upright, not yet in sRGB.
#[derive(Debug)]
pub struct Decoded {
    /// The pixels, possibly at a fraction of their full size.
    pub raster: Raster,
    /// The columns and rows of [`Decoded::raster`] that the picture covers, from the top left corner. At a fraction of the
    /// full size, the picture may end within the last column or row.
    pub extent: (f64, f64),
    /// The picture's full size, as stored.
    pub full: Size,
    /// How the picture must be turned.
    pub orientation: Orientation,
    /// The bytes of its complete ICC profile.
    pub profile: Option<Vec<u8>>,
}

impl Decoded {
    /// Returns a picture that was decoded at its full size.
    pub(super) fn whole(raster: Raster, orientation: Orientation, profile: Option<Vec<u8>>) -> Self {
        let full = raster.size();
        Self::reduced(raster, (f64::from(full.width), f64::from(full.height)), full, orientation, profile)
    }

    /// Returns a picture that was reduced while it was decoded.
    pub(super) fn reduced(
        raster: Raster,
        extent: (f64, f64),
        full: Size,
        orientation: Orientation,
        profile: Option<Vec<u8>>,
    ) -> Self {
        Self { raster, extent, full, orientation, profile }
    }
}
