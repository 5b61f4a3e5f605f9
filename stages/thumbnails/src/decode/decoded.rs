//! A decoded picture.

use crate::geometry::{Orientation, Size};
use crate::planes::Planes;
use crate::raster::Raster;

/// What a decoder is to make of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedScale {
    /// The largest size that will be made of it, upright.
    pub size: Size,
    /// Whether colours are needed at half the columns and half the rows only.
    pub halved_chroma: bool,
}

/// The pixels of a decoded picture, possibly at a fraction of their full size.
#[derive(Debug)]
pub enum DecodedPixels {
    /// All samples of a pixel beside each other.
    Interleaved {
        /// The pixels.
        raster: Raster,
        /// The columns and rows of `raster` that the picture covers, from the top left corner. At a fraction of the full
        /// size, the picture may end within the last column or row.
        extent: (f64, f64),
    },
    /// Gray or YCbCr of JFIF, each channel apart.
    Planar(Planes),
}

impl DecodedPixels {
    /// Returns the columns and rows, which for planes are those of the first one.
    pub fn size(&self) -> Size {
        match self {
            Self::Interleaved { raster, .. } => raster.size(),
            Self::Planar(planes) => planes.luma.size,
        }
    }
}

/// A decoded picture, as stored: not yet upright, not yet in sRGB.
#[derive(Debug)]
pub struct Decoded {
    /// The pixels.
    pub pixels: DecodedPixels,
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
        Self { pixels: DecodedPixels::Interleaved { raster, extent }, full, orientation, profile }
    }
}
