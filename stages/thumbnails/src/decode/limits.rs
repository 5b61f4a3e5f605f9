//! How large a source may be.

use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::Size;

/// How large a source may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most pixels, by the header.
    pub pixels: u64,
    /// The most bytes of memory for decoding, as estimated from the header.
    pub memory: u64,
}

impl Limits {
    /// Checks the size in a header.
    pub(super) fn check_size(&self, format: Format, size: Size) -> Result<(), PictureError> {
        let name = format.name();
        if size.pixels() == 0 {
            return Err(PictureError::damaged(name, &format!("its header gives a size of {size} pixels")));
        }
        if size.pixels() > self.pixels {
            return Err(PictureError::TooLarge(format!(
                "is a {name} of {size} pixels ({:.1} megapixels); at most {:.1} megapixels are accepted (`maxPixels`)",
                size.pixels() as f64 / 1e6,
                self.pixels as f64 / 1e6
            )));
        }
        Ok(())
    }

    /// Checks the number of bytes that decoding takes at its peak.
    pub(super) fn check_memory(&self, format: Format, size: Size, bytes: u64) -> Result<(), PictureError> {
        if bytes > self.memory {
            return Err(PictureError::TooLarge(format!(
                "is a {} of {size} pixels, which takes {} MiB of memory to decode; at most {} MiB are accepted \
                 (`maxMemory`)",
                format.name(),
                bytes.div_ceil(1 << 20),
                self.memory >> 20
            )));
        }
        Ok(())
    }
}
