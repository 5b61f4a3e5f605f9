//! One channel of a picture.

use crate::error::PictureError;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

/// One channel of a picture: 8 bits a sample, rows without padding.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// The columns and rows of samples.
    pub size: Size,
    /// The columns and rows of samples that the picture covers, from the top left corner. It may end within the last ones.
    pub extent: (f64, f64),
    /// The samples, row by row from the top.
    pub samples: Vec<u8>,
}

impl Plane {
    /// Returns a plane that the picture covers entirely.
    pub fn whole(size: Size, samples: Vec<u8>) -> Self {
        Self { size, extent: (f64::from(size.width), f64::from(size.height)), samples }
    }

    /// Returns the plane turned upright.
    ///
    /// # Errors
    /// If it is incomplete.
    pub fn oriented(self, orientation: Orientation) -> Result<Self, PictureError> {
        let extent = if orientation.turns() { (self.extent.1, self.extent.0) } else { self.extent };
        let raster = Raster::new(self.size, Layout::Gray, self.samples)?.oriented(orientation);
        Ok(Self { size: raster.size(), extent, samples: raster.into_samples() })
    }
}
