//! The picture: decoded, marked, encoded. It knows neither the host nor WebAssembly.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageReader, Limits, Rgb, RgbImage};

/// The longest side of a result, in pixels. Photos are reduced to it first, so that large ones need no more memory later.
const LONGEST: u32 = 1600;
/// The most memory that decoding may take, in bytes.
const MEMORY: u64 = 160 << 20;
/// The mark, a house: one row a text, `#` is seen.
const MARK: [&str; 9] = [
    "....#....",
    "...###...",
    "..#####..",
    ".#######.",
    "#########",
    ".##...##.",
    ".##.#.##.",
    ".##.#.##.",
    ".##.#.##.",
];

/// Why a photo cannot be marked.
#[derive(Debug, PartialEq, Eq)]
pub enum MarkError {
    /// It is of a kind that this stage does not read.
    Unsupported(String),
    /// It breaks the rules of its format.
    Corrupt(String),
}

/// A marked photo.
#[derive(Debug)]
pub struct Marked {
    /// A JPEG.
    pub jpeg: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Reads the opacity from the settings.
///
/// Errors: a sentence that names the field.
pub fn opacity(config: &str) -> Result<u8, String> {
    let json: serde_json::Value = serde_json::from_str(config).map_err(|error| format!("config: {error}"))?;
    let Some(value) = json.get("opacity") else { return Ok(60) };
    let percent =
        value.as_u64().and_then(|percent| u8::try_from(percent).ok()).filter(|percent| (1..=100).contains(percent));
    percent.ok_or_else(|| format!("config.opacity is {value}; a number from 1 to 100 is expected"))
}

/// Returns the photo with the mark in its lower right corner.
pub fn marked(photo: &[u8], opacity: u8) -> Result<Marked, MarkError> {
    let unreadable = |error: image::ImageError| match error {
        image::ImageError::Unsupported(error) => MarkError::Unsupported(error.to_string()),
        error => MarkError::Corrupt(error.to_string()),
    };
    let mut reader = ImageReader::new(Cursor::new(photo))
        .with_guessed_format()
        .map_err(|error| MarkError::Corrupt(error.to_string()))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let decoded = reader.decode().map_err(unreadable)?;
    let mut picture = if decoded.width().max(decoded.height()) > LONGEST {
        decoded.thumbnail(LONGEST, LONGEST).into_rgb8()
    } else {
        decoded.into_rgb8()
    };
    draw(&mut picture, opacity);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&picture).map_err(unreadable)?;
    Ok(Marked { jpeg, width: picture.width(), height: picture.height() })
}

/// Draws the mark, a tenth of the shorter side high, as white that lets the photo through.
fn draw(picture: &mut RgbImage, opacity: u8) {
    let rows = MARK.len() as u32;
    let dot = (picture.width().min(picture.height()) / 10 / rows).max(1);
    let size = dot * rows;
    if picture.width() < 2 * size || picture.height() < 2 * size {
        return; // Too small for a mark.
    }
    let (left, top) = (picture.width() - size - dot * 2, picture.height() - size - dot * 2);
    for y in 0..size {
        for x in 0..size {
            if MARK[(y / dot) as usize].as_bytes()[(x / dot) as usize] == b'#' {
                let Rgb(channels) = picture.get_pixel_mut(left + x, top + y);
                for channel in channels {
                    let (old, seen) = (u32::from(*channel), u32::from(opacity));
                    *channel = ((old * (100 - seen) + 255 * seen) / 100) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_pixel(width, height, Rgb([0, 0, 0])).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_mark_is_in_the_lower_right_corner_and_lets_the_photo_through() {
        let mut picture = RgbImage::from_pixel(200, 100, Rgb([0, 0, 0]));
        draw(&mut picture, 60);
        let brightest = |area: (u32, u32, u32, u32)| {
            let inside = |x: &u32, y: &u32| *x >= area.0 && *y >= area.1 && *x < area.2 && *y < area.3;
            picture.enumerate_pixels().filter(|(x, y, _)| inside(x, y)).map(|(_, _, pixel)| pixel[0]).max()
        };
        assert_eq!(brightest((150, 50, 200, 100)), Some(153));
        assert_eq!(brightest((0, 0, 150, 100)), Some(0));
    }

    #[test]
    fn a_large_photo_is_reduced_and_a_tiny_one_stays_as_it_is() {
        let large = marked(&png(3200, 100), 60).unwrap();
        assert_eq!((large.width, large.height), (1600, 50));
        assert_eq!(image::load_from_memory(&large.jpeg).unwrap().width(), 1600);
        assert_eq!(marked(&png(3, 3), 60).unwrap().width, 3);
    }

    #[test]
    fn what_is_no_photo_is_a_failure_of_the_file() {
        assert!(matches!(marked(b"a text", 60), Err(MarkError::Unsupported(_))));
        assert!(matches!(marked(&png(20, 20)[..60], 60), Err(MarkError::Corrupt(_))));
        assert_eq!(opacity("{}"), Ok(60));
        assert!(opacity(r#"{"opacity": 101}"#).unwrap_err().contains("config.opacity is 101"));
    }
}
