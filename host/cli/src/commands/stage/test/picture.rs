//! Pictures, compared by what a person sees and not by their bytes.

use std::io::Cursor;

use image::{DynamicImage, ImageReader};

/// Returns width and height if the bytes are a picture of a kind that can be compared: JPEG, PNG, GIF, WebP.
pub fn pixels_of(bytes: &[u8]) -> Option<(u32, u32)> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    reader.format()?;
    reader.into_dimensions().ok()
}

/// Returns how two pictures differ by more than `tolerance`, the mean difference of their channels of 255; `None` if they
/// do not.
pub fn difference(expected: &[u8], found: &[u8], tolerance: f64) -> Option<String> {
    let (expected, found) = match (decoded(expected), decoded(found)) {
        (Ok(expected), Ok(found)) => (expected.to_rgba8(), found.to_rgba8()),
        (Err(error), _) => return Some(format!("the expected picture cannot be decoded: {error}")),
        (_, Err(error)) => return Some(format!("the picture cannot be decoded: {error}")),
    };
    if expected.dimensions() != found.dimensions() {
        let ((a, b), (c, d)) = (expected.dimensions(), found.dimensions());
        return Some(format!("expected {a}×{b} pixels, found {c}×{d}"));
    }
    let sum: u64 = expected.as_raw().iter().zip(found.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let mean = sum as f64 / expected.as_raw().len().max(1) as f64;
    (mean > tolerance).then(|| format!("the pixels differ by {mean:.2} of 255 on average; {tolerance} is tolerated"))
}

fn decoded(bytes: &[u8]) -> Result<DynamicImage, image::ImageError> {
    ImageReader::new(Cursor::new(bytes)).with_guessed_format()?.decode()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;

    fn png(width: u32, grey: u8) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_pixel(width, 8, Rgb([grey; 3])).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_are_equal_within_the_tolerance() {
        assert_eq!(pixels_of(&png(16, 9)), Some((16, 8)));
        assert_eq!(pixels_of(b"a text"), None);
        assert_eq!(difference(&png(16, 100), &png(16, 101), 1.0), None);
        let said = difference(&png(16, 100), &png(16, 104), 1.0).unwrap();
        // The fourth channel, opacity, is equal.
        assert!(said.contains("3.00 of 255"), "{said}");
        assert!(difference(&png(16, 100), &png(17, 100), 1.0).unwrap().contains("17×8"));
        assert!(difference(&png(16, 100), b"cut", 1.0).unwrap().contains("cannot be decoded"));
    }
}
