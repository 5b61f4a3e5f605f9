//! The picture of a page: read, painted, encoded. It knows neither the host nor WebAssembly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::{LoadPdfError, Pdf};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde::Deserialize;

/// The quality of the JPEG, 1 to 100.
const QUALITY: u8 = 85;

/// The settings, as `config.schema.json` describes them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The longer side of the picture, in pixels.
    pub longest: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self { longest: 1200 }
    }
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn read(config: &str) -> Result<Self, String> {
        let config: Self = serde_json::from_str(config).map_err(|error| format!("config: {error}"))?;
        let Self { longest } = config;
        if !(64..=2400).contains(&longest) {
            return Err(format!("config.longest is {longest}; a number from 64 to 2400 is expected"));
        }
        Ok(config)
    }
}

/// Why there is no picture.
#[derive(Debug, PartialEq, Eq)]
pub enum PreviewError {
    /// The file cannot be read without a password, or by this reader.
    Unsupported(String),
    /// The file breaks the rules of its format.
    Corrupt(String),
}

/// The picture of a page.
#[derive(Debug)]
pub struct Preview {
    /// A JPEG.
    pub jpeg: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// How many pages the file has.
    pub pages: usize,
    /// How many fonts and pictures of the page could not be painted.
    pub left_out: usize,
}

/// Returns the picture of the first page on white paper.
///
/// # Errors
/// If the file is no PDF that can be read.
pub fn preview(file: Vec<u8>, config: &Config) -> Result<Preview, PreviewError> {
    let pdf = Pdf::new(file).map_err(|error| match error {
        LoadPdfError::Decryption(why) => PreviewError::Unsupported(format!("the file is encrypted ({why:?})")),
        LoadPdfError::Invalid => PreviewError::Corrupt("the file has no readable table of its objects".into()),
    })?;
    let pages = pdf.pages().len();
    let page = pdf.pages().first().ok_or_else(|| PreviewError::Corrupt("the file has no page".into()))?;
    let (width, height) = page.render_dimensions();
    let (across, down) = fitted(width, height, config.longest)
        .ok_or_else(|| PreviewError::Corrupt(format!("the first page is {width} by {height} points large")))?;

    let left_out = Arc::new(AtomicUsize::new(0));
    let counter = left_out.clone();
    let interpreter = InterpreterSettings {
        warning_sink: Arc::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        }),
        ..InterpreterSettings::default()
    };
    // A hundredth of a pixel more, because the renderer rounds sizes down.
    let scale = |pixels: u16, points: f32| (f32::from(pixels) + 0.01) / points;
    let canvas = PixmapSettings { x_scale: scale(across, width), y_scale: scale(down, height), bg_color: WHITE };
    let painted = render(page, &RenderCache::new(), &interpreter, &RenderSettings::default(), &canvas);
    let (width, height) = (u32::from(painted.width()), u32::from(painted.height()));

    // The paper is opaque, so no pixel lets anything through.
    let pixels = painted.data_as_u8_slice().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let failed = |why: String| PreviewError::Corrupt(format!("the first page cannot be painted: {why}"));
    let picture = RgbImage::from_raw(width, height, pixels).ok_or_else(|| failed("it has no pixels".into()))?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&picture)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Preview { jpeg, width, height, pages, left_out: left_out.load(Ordering::Relaxed) })
}

/// Returns the size in pixels of a page of this size in points; `None` if the page has no size.
fn fitted(width: f32, height: f32, longest: u16) -> Option<(u16, u16)> {
    let longer = width.max(height);
    if !(width.is_finite() && height.is_finite() && width > 0.0 && height > 0.0) {
        return None;
    }
    let side = |points: f32| (points / longer * f32::from(longest)).round().max(1.0) as u16;
    Some((side(width), side(height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a PDF whose first page has this size in points and this content.
    fn pdf(size: (u32, u32), entries: &str, content: &str) -> Vec<u8> {
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {} {}] /Contents 4 0 R {entries}\n/Resources << /Font << /F \
                 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
                size.0, size.1
            ),
            format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        ];
        let mut file = String::from("%PDF-1.4\n");
        let mut places = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            places.push(file.len());
            file += &format!("{} 0 obj\n{object}\nendobj\n", index + 1);
        }
        let table = file.len();
        file += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
        places.iter().for_each(|place| file += &format!("{place:010} 00000 n \n"));
        file += &format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
        file.into_bytes()
    }

    fn pixels(preview: &Preview) -> RgbImage {
        image::load_from_memory(&preview.jpeg).unwrap().into_rgb8()
    }

    fn near(picture: &RgbImage, x: u32, y: u32, colour: [u8; 3]) {
        let found = picture.get_pixel(x, y).0;
        assert!(found.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 12), "{found:?} at {x}, {y}");
    }

    #[test]
    fn the_page_is_painted_on_white_paper_with_its_text() {
        // A red square in the lower left quarter, and a letter, drawn in a font that every reader must have.
        let content = "1 0 0 rg 0 0 100 100 re f 0 0 0 rg BT /F 90 Tf 110 110 Td (H) Tj ET";
        let made = preview(pdf((200, 200), "", content), &Config { longest: 400 }).unwrap();
        assert_eq!((made.width, made.height, made.pages, made.left_out), (400, 400, 1, 0));
        let picture = pixels(&made);
        near(&picture, 100, 300, [255, 0, 0]);
        near(&picture, 100, 100, [255, 255, 255]);
        let ink = picture.enumerate_pixels().filter(|(x, y, pixel)| *x > 200 && *y < 200 && pixel[0] < 60).count();
        assert!(ink > 1_000, "{ink} pixels of the letter are dark");
    }

    #[test]
    fn a_turned_page_is_shown_upright() {
        let content = "0 0 1 rg 0 0 100 50 re f"; // lower left before it is turned
        let made = preview(pdf((200, 100), "/Rotate 90", content), &Config { longest: 100 }).unwrap();
        assert_eq!((made.width, made.height), (50, 100));
        near(&pixels(&made), 10, 10, [0, 0, 255]);
        near(&pixels(&made), 40, 90, [255, 255, 255]);
    }

    #[test]
    fn the_size_follows_from_the_page_and_no_side_is_empty() {
        assert_eq!(fitted(595.0, 842.0, 1200), Some((848, 1200)));
        assert_eq!(fitted(14_400.0, 1.0, 1200), Some((1200, 1)));
        assert_eq!(fitted(f32::NAN, 1.0, 1200), None);
        let made = preview(pdf((14_000, 2), "", "0 g"), &Config::default()).unwrap();
        assert_eq!((made.width, made.height), (1200, 1));
    }

    #[test]
    fn what_cannot_be_read_is_a_failure_of_the_file() {
        let config = Config::default();
        assert!(matches!(preview(b"a text".to_vec(), &config), Err(PreviewError::Corrupt(_))));
        assert!(matches!(preview(Vec::new(), &config), Err(PreviewError::Corrupt(_))));
        let whole = pdf((100, 100), "", "0 g");
        for cut in 0..whole.len() {
            // Readers of PDFs look for what is left; what matters is that every answer is one.
            let _ = preview(whole[..cut].to_vec(), &Config { longest: 64 });
        }
    }

    #[test]
    fn a_setting_that_does_not_fit_is_named() {
        assert_eq!(Config::read("{}"), Ok(Config::default()));
        assert!(Config::read(r#"{"longest": 5000}"#).unwrap_err().contains("config.longest is 5000"));
        assert!(Config::read(r#"{"lognest": 500}"#).unwrap_err().contains("lognest"));
    }
}
