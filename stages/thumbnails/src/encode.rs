//! Encoding pictures as files. The files carry no metadata; without a profile, every reader assumes sRGB.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType as JpegColour, Encoder, SamplingFactor};

use crate::config::OutputFormat;
use crate::error::PictureError;
use crate::raster::{Layout, Raster};
use crate::webp;

/// Returns the file of a picture that is upright and in sRGB. If `format` has no opacity, the background becomes white.
pub fn encode(picture: Raster, format: OutputFormat, quality: u8, lossless: bool) -> Result<Vec<u8>, PictureError> {
    match format {
        OutputFormat::Jpeg => jpeg(&picture.on_white(), quality),
        OutputFormat::Webp if lossless => webp::lossless(&picture),
        OutputFormat::Webp => webp::lossy(&picture, quality),
    }
}

fn jpeg(picture: &Raster, quality: u8) -> Result<Vec<u8>, PictureError> {
    let size = picture.size();
    let failed =
        |what: &dyn std::fmt::Display| PictureError::defect(format!("writing a JPEG of {size} pixels failed: {what}"));
    let colour = match picture.layout() {
        Layout::Gray => JpegColour::Luma,
        Layout::Rgb => JpegColour::Rgb,
        Layout::GrayAlpha | Layout::Rgba | Layout::Cmyk => return Err(failed(&"it is neither gray nor RGB")),
    };
    let side = |side: u32| u16::try_from(side).map_err(|_| failed(&"a side is longer than 65535 pixels"));
    let (width, height) = (side(size.width)?, side(size.height)?);
    let mut out = Vec::with_capacity(picture.samples().len() / 8);
    let mut encoder = Encoder::new(&mut out, quality);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    // The default, one pixel of four, shifts colours by half a pixel and aliases fine ones.
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.encode(picture.samples(), width, height, colour).map_err(|e| failed(&e))?;
    Ok(out)
}
