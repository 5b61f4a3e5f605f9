//! Pictures in YCbCr, each channel in a plane of its own.

use crate::geometry::Size;

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

/// A picture in the YCbCr of JFIF: ITU-R BT.601, full range. Each plane may have its own resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    /// Y.
    pub luma: Plane,
    /// Cb and Cr. None for a gray picture.
    pub chroma: Option<[Plane; 2]>,
}
