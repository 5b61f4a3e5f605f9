//! A picture's size.

/// A picture's size with its orientation applied. Both sides are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Pixels {
    /// Returns the number of pixels, which is what decoding costs.
    pub fn count(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Returns whether the picture is taller than wide.
    pub fn is_portrait(self) -> bool {
        self.height > self.width
    }
}
