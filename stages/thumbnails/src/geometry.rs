//! Sizes, boxes and orientations.

use std::fmt;

/// A size in pixels. In a decoded picture, neither side is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// Returns a size of `width` by `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Returns the number of pixels.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// Returns the size after a quarter turn.
    pub const fn turned(self) -> Self {
        Self { width: self.height, height: self.width }
    }

    /// Returns half the columns and half the rows, rounded up.
    pub const fn halved(self) -> Self {
        Self { width: self.width.div_ceil(2), height: self.height.div_ceil(2) }
    }

    /// Returns whether a picture of this size can become one of `other` without being enlarged.
    pub const fn covers(self, other: Size) -> bool {
        self.width >= other.width && self.height >= other.height
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// The space that a rendition may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bounds {
    /// Neither wider nor taller than this.
    Box(Size),
    /// Not wider than this, and of any height.
    Width(u32),
}

impl Bounds {
    /// Returns the largest size within these bounds that keeps the aspect ratio of `picture` and does not enlarge it.
    pub fn fit(self, picture: Size) -> Size {
        let (w, h) = (u64::from(picture.width), u64::from(picture.height));
        let (room_w, room_h) = match self {
            Bounds::Box(size) => (u64::from(size.width), u64::from(size.height)),
            Bounds::Width(width) => (u64::from(width), u64::MAX / (w.max(1))),
        };
        if w <= room_w && h <= room_h {
            return picture;
        }
        // Integer arithmetic, so that no size depends on floating-point rounding.
        let (fit_w, fit_h) = if w * room_h > h * room_w {
            (room_w, rounded_div(h * room_w, w))
        } else {
            (rounded_div(w * room_h, h), room_h)
        };
        // Both are at most the picture's sides, which are u32.
        Size { width: fit_w.clamp(1, w) as u32, height: fit_h.clamp(1, h) as u32 }
    }
}

impl fmt::Display for Bounds {
    /// Writes the rendition's name: `320x240` or `w200`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bounds::Box(size) => size.fmt(f),
            Bounds::Width(width) => write!(f, "w{width}"),
        }
    }
}

fn rounded_div(a: u64, b: u64) -> u64 {
    (a + b / 2) / b
}

/// How a stored picture must be turned to be upright: EXIF's tag 0x0112.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Orientation {
    /// 1: as stored.
    #[default]
    Upright,
    /// 2: mirrored left to right.
    MirrorHorizontal,
    /// 3: half a turn.
    Turn180,
    /// 4: mirrored top to bottom.
    MirrorVertical,
    /// 5: mirrored about the diagonal from the top left corner.
    Transpose,
    /// 6: a quarter turn clockwise.
    Turn90,
    /// 7: mirrored about the diagonal from the top right corner.
    Transverse,
    /// 8: a quarter turn counter-clockwise.
    Turn270,
}

impl Orientation {
    /// Returns the orientation for a value of the EXIF tag. Values other than 1 to 8 count as upright.
    pub fn from_exif(value: u16) -> Self {
        match value {
            2 => Self::MirrorHorizontal,
            3 => Self::Turn180,
            4 => Self::MirrorVertical,
            5 => Self::Transpose,
            6 => Self::Turn90,
            7 => Self::Transverse,
            8 => Self::Turn270,
            _ => Self::Upright,
        }
    }

    /// Returns whether width and height are exchanged.
    pub fn turns(self) -> bool {
        matches!(self, Self::Transpose | Self::Turn90 | Self::Transverse | Self::Turn270)
    }

    /// Returns whether the stored columns and the stored rows run backwards in the upright picture.
    pub fn mirrors(self) -> (bool, bool) {
        match self {
            Self::Upright | Self::Transpose => (false, false),
            Self::MirrorHorizontal | Self::Turn270 => (true, false),
            Self::Turn180 | Self::Transverse => (true, true),
            Self::MirrorVertical | Self::Turn90 => (false, true),
        }
    }

    /// Returns the upright size of a picture of `stored` size, and the stored size for an upright size.
    pub fn apply(self, stored: Size) -> Size {
        if self.turns() { stored.turned() } else { stored }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn fit(bounds: &str, w: u32, h: u32) -> String {
        let bounds = match bounds.strip_prefix('w') {
            Some(width) => Bounds::Width(width.parse().unwrap()),
            None => {
                let (w, h) = bounds.split_once('x').unwrap();
                Bounds::Box(Size::new(w.parse().unwrap(), h.parse().unwrap()))
            }
        };
        bounds.fit(Size::new(w, h)).to_string()
    }

    #[test]
    fn a_picture_fits_inside_its_box_and_keeps_its_proportions() {
        assert_eq!(fit("320x240", 4000, 3000), "320x240");
        assert_eq!(fit("320x240", 4000, 2000), "320x160");
        assert_eq!(fit("320x240", 3000, 4000), "180x240");
        assert_eq!(fit("1280x960", 4032, 2268), "1280x720");
    }

    #[test]
    fn a_width_leaves_the_height_free() {
        assert_eq!(fit("w200", 3000, 4000), "200x267");
        assert_eq!(fit("w800", 800, 12_000), "800x12000");
    }

    #[test]
    fn a_picture_is_never_enlarged() {
        assert_eq!(fit("320x240", 100, 50), "100x50");
        assert_eq!(fit("w200", 199, 4000), "199x4000");
        assert_eq!(fit("320x240", 320, 240), "320x240");
    }

    #[test]
    fn a_very_thin_picture_keeps_at_least_one_pixel() {
        assert_eq!(fit("320x240", 65_535, 1), "320x1");
        assert_eq!(fit("320x240", 1, 65_535), "1x240");
    }

    proptest! {
        #[test]
        fn every_result_is_within_its_bounds_and_not_enlarged(
            w in 1u32.., h in 1u32.., bw in 1u32..100_000, bh in 1u32..100_000, by_width: bool,
        ) {
            let picture = Size::new(w, h);
            let bounds = if by_width { Bounds::Width(bw) } else { Bounds::Box(Size::new(bw, bh)) };
            let fitted = bounds.fit(picture);
            prop_assert!(picture.covers(fitted));
            prop_assert!(fitted.width >= 1 && fitted.height >= 1);
            prop_assert!(fitted.width <= bw);
            if !by_width { prop_assert!(fitted.height <= bh); }
            // One side touches the bounds, unless the picture fits as it is.
            prop_assert!(fitted == picture || fitted.width == bw || fitted.height == bh);
        }
    }
}
