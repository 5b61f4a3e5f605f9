//! The size of a transcoded video.

use crate::bindings::toq::media::types::PixelSize;

/// Returns the size of a video of `source` pixels, upright, fitted into a box with sides `long` and `short`, both even.
/// The box is landscape or portrait as the video is.
///
/// The aspect ratio is kept, nothing is enlarged, and both sides are even, because H.264 stores colour at half the
/// resolution. Only a source of a single row or column is enlarged, to two. `None` for a source without pixels.
pub fn fit(source: PixelSize, long: u32, short: u32) -> Option<PixelSize> {
    let (width, height) = if source.height > source.width { (short, long) } else { (long, short) };
    within(source, PixelSize { width, height })
}

/// As [`fit`], into a box that is not turned. Its sides may be odd.
pub fn within(source: PixelSize, bounds: PixelSize) -> Option<PixelSize> {
    let (width, height) = (u64::from(source.width), u64::from(source.height));
    if width == 0 || height == 0 {
        return None;
    }
    let (box_width, box_height) = (u64::from(bounds.width & !1), u64::from(bounds.height & !1));
    let (fitted_width, fitted_height) = if width <= box_width && height <= box_height {
        (width & !1, height & !1)
    } else if width * box_height >= height * box_width {
        (box_width, nearest_even(height * box_width, width))
    } else {
        (nearest_even(width * box_height, height), box_height)
    };
    let side = |length: u64| u32::try_from(length.max(2)).ok();
    Some(PixelSize { width: side(fitted_width)?, height: side(fitted_height)? })
}

/// Returns the even number nearest to `numerator / denominator`.
fn nearest_even(numerator: u64, denominator: u64) -> u64 {
    (numerator + denominator) / (2 * denominator) * 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn fitted(width: u32, height: u32, long: u32, short: u32) -> (u32, u32) {
        let size = fit(PixelSize { width, height }, long, short).unwrap();
        (size.width, size.height)
    }

    #[test]
    fn a_video_is_shrunk_into_a_box_of_its_own_orientation() {
        assert_eq!(fitted(3840, 2160, 1920, 1080), (1920, 1080));
        assert_eq!(fitted(2160, 3840, 1920, 1080), (1080, 1920));
        assert_eq!(fitted(4096, 2160, 1920, 1080), (1920, 1012));
        assert_eq!(fitted(1440, 1080, 1280, 720), (960, 720));
        assert_eq!(fitted(2000, 2000, 1920, 1080), (1080, 1080));
        assert_eq!(fitted(10_000, 100, 1920, 1080), (1920, 20));
    }

    #[test]
    fn a_small_video_keeps_its_size_except_for_an_odd_row_or_column() {
        assert_eq!(fitted(640, 360, 1920, 1080), (640, 360));
        assert_eq!(fitted(641, 361, 1920, 1080), (640, 360));
        assert_eq!(fitted(1, 1, 1920, 1080), (2, 2));
    }

    #[test]
    fn a_box_that_is_not_turned_holds_a_portrait_video_too() {
        let size = |width, height| PixelSize { width, height };
        assert_eq!(within(size(1080, 1920), size(320, 240)), Some(size(136, 240)));
        assert_eq!(within(size(1920, 1080), size(320, 240)), Some(size(320, 180)));
        assert_eq!(within(size(1000, 1000), size(201, 301)), Some(size(200, 200)));
    }

    #[test]
    fn a_video_without_pixels_has_no_size() {
        assert_eq!(fit(PixelSize { width: 0, height: 1080 }, 1920, 1080), None);
        assert_eq!(fit(PixelSize { width: 1920, height: 0 }, 1920, 1080), None);
    }

    proptest! {
        #[test]
        fn any_video_fits_has_even_sides_is_not_enlarged_and_keeps_its_aspect_ratio(
            width in 1u32.., height in 1u32.., (long, short) in prop_oneof![Just((1920, 1080)), Just((1280, 720))],
        ) {
            let size = fit(PixelSize { width, height }, long, short).unwrap();
            prop_assert!(size.width.is_multiple_of(2) && size.height.is_multiple_of(2));
            prop_assert!(size.width.max(size.height) <= long && size.width.min(size.height) <= short);
            prop_assert!(size.width <= width.max(2) && size.height <= height.max(2));
            // Off by at most one pixel (two at the smallest size) on the side that was rounded.
            let ideal = f64::from(height) / f64::from(width);
            let off = (f64::from(size.width) * ideal - f64::from(size.height)).abs();
            let other = (f64::from(size.height) / ideal - f64::from(size.width)).abs();
            prop_assert!(off <= 2.0 || other <= 2.0, "{}x{}: {} {}", size.width, size.height, off, other);
        }
    }
}
