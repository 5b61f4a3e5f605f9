//! Pixels to files. What is written carries no metadata at all; without a profile, every reader takes it as sRGB.
//!
//! WebP is written losslessly: the lossy encoders in Rust are young, and a lossy one in C would need a C toolchain for
//! WebAssembly on every machine that builds this stage. A photo is several times larger so than as JPEG; the format is
//! for renderings and drawings, or for bounds so small that it does not matter.

use image_webp::{ColorType as WebPColour, WebPEncoder};
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType as JpegColour, Encoder, SamplingFactor};

use crate::config::OutputFormat;
use crate::error::PictureError;
use crate::raster::{Layout, Raster};

/// Encodes a picture, which is upright and in sRGB. Opacity is laid on white where `format` has none.
pub fn encode(picture: Raster, format: OutputFormat, quality: u8) -> Result<Vec<u8>, PictureError> {
    match format {
        OutputFormat::Jpeg => jpeg(&picture.on_white(), quality),
        OutputFormat::Webp => webp(&picture),
    }
}

fn jpeg(picture: &Raster, quality: u8) -> Result<Vec<u8>, PictureError> {
    let size = picture.size();
    let failed = |what: &dyn std::fmt::Display| PictureError::Internal(format!("writing a JPEG of {size}: {what}"));
    let colour = match picture.layout() {
        Layout::Gray => JpegColour::Luma,
        Layout::Rgb => JpegColour::Rgb,
        other => return Err(failed(&format!("{other:?} samples cannot be written"))),
    };
    let side = |side: u32| u16::try_from(side).map_err(|_| failed(&"a side is longer than 65535 pixels"));
    let (width, height) = (side(size.width)?, side(size.height)?);
    let mut out = Vec::with_capacity(picture.samples().len() / 8);
    let mut encoder = Encoder::new(&mut out, quality);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    // Taking one pixel of four, the default, shifts colours by half a pixel and lets fine ones flicker.
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.encode(picture.samples(), width, height, colour).map_err(|e| failed(&e))?;
    Ok(out)
}

fn webp(picture: &Raster) -> Result<Vec<u8>, PictureError> {
    let size = picture.size();
    let failed = |what: &dyn std::fmt::Display| PictureError::Internal(format!("writing a WebP of {size}: {what}"));
    let colour = match picture.layout() {
        Layout::Gray => WebPColour::L8,
        Layout::GrayAlpha => WebPColour::La8,
        Layout::Rgb => WebPColour::Rgb8,
        Layout::Rgba => WebPColour::Rgba8,
        Layout::Cmyk => return Err(failed(&"ink samples cannot be written")),
    };
    let mut out = Vec::new();
    WebPEncoder::new(&mut out).encode(picture.samples(), size.width, size.height, colour).map_err(|e| failed(&e))?;
    Ok(out)
}
