//! JPEG, decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 that still covers what is wanted.
//!
//! The fraction is taken in the inverse cosine transform itself, so a photo of 12 megapixels never exists at full size.
//! [`sequential`] does what cameras write; the library does the rest: progressive and CMYK pictures, several scans, odd
//! sampling, and those that are wanted at nearly their full size.

mod header;
mod huffman;
mod idct;
mod sequential;

use jpeg_decoder::{Decoder, Error, PixelFormat, UnsupportedFeature};

use self::header::{Frame, Header};
use super::{Decoded, Limits, exif_orientation};
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::Size;
use crate::raster::{Layout, Raster};

pub(super) fn decode(source: Vec<u8>, limits: Limits, wanted: &dyn Fn(Size) -> Size) -> Result<Decoded, PictureError> {
    let header = Header::read(&source)?;
    let frame = header.frame.as_ref().ok_or_else(|| corrupt("there is no frame header"))?;
    let full = Size::new(frame.width.into(), frame.height.into());
    limits.check_size(Format::Jpeg, full)?;
    check_kind(frame)?;

    let orientation = header.exif.as_deref().map(exif_orientation).unwrap_or_default();
    let target = orientation.apply(wanted(orientation.apply(full)));
    let eighths = smallest_scale(full, target);
    let scaled = Size::new(scale_side(full.width, eighths), scale_side(full.height, eighths));

    let samples = frame.components.len() as u64;
    let pixels = scaled.pixels() * samples;
    let (layout, pixels) = if sequential::takes(&header, frame, eighths) {
        limits.check_memory(Format::Jpeg, full, source.len() as u64 + pixels)?;
        let pixels = sequential::decode(&source, &header, frame, eighths, scaled)?;
        (if samples == 1 { Layout::Gray } else { Layout::Rgb }, pixels)
    } else {
        // Planes and pixels; a progressive picture also keeps every coefficient, two bytes each, until its last scan.
        let coefficients = if frame.marker == 0xC2 { 2 * full.pixels() * samples } else { 0 };
        limits.check_memory(Format::Jpeg, full, source.len() as u64 + 2 * pixels + coefficients)?;
        by_library(&source, &header, limits, scaled)?
    };
    let profile = header.profile();
    drop(source);
    let raster = Raster::new(scaled, layout, pixels)?;
    let ratio = f64::from(eighths) / 8.0;
    let extent = |side: u32, got: u32| (f64::from(side) * ratio).clamp(1.0, f64::from(got));
    let extent = (extent(full.width, scaled.width), extent(full.height, scaled.height));
    Ok(Decoded { raster, extent, full, orientation, profile })
}

/// Refuses, by name, the kinds of JPEG that no camera writes.
fn check_kind(frame: &Frame) -> Result<(), PictureError> {
    let what = match frame.marker {
        0xC0..=0xC2 if frame.precision == 8 => return Ok(()),
        0xC0..=0xC2 => format!("samples of {} bits", frame.precision),
        0xC3 => "lossless coding (SOF3)".to_owned(),
        0xC9..=0xCB => "arithmetic coding".to_owned(),
        other => format!("hierarchical coding (marker {other:02x})"),
    };
    Err(PictureError::Unsupported(format!("JPEG: {what} is not rendered")))
}

/// Decodes with the library. `scaled` has the very sides of one of its scales, so it takes that one.
fn by_library(source: &[u8], header: &Header, limits: Limits, scaled: Size) -> Result<(Layout, Vec<u8>), PictureError> {
    let explain = |error: Error| explain(&error, source.len());
    let mut decoder = Decoder::new(source);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    // Both sides are at most the full ones, which are u16.
    let got = decoder.scale(scaled.width as u16, scaled.height as u16).map_err(explain)?;
    if (u32::from(got.0), u32::from(got.1)) != (scaled.width, scaled.height) {
        return Err(PictureError::Internal(format!("JPEG: scaled to {}x{} and not to {scaled}", got.0, got.1)));
    }
    let mut pixels = decoder.decode().map_err(explain)?;
    let layout = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::L8) => Layout::Gray,
        Some(PixelFormat::RGB24) => Layout::Rgb,
        Some(PixelFormat::CMYK32) => {
            // It takes all four-colour pictures as Adobe writes them: inverted. Others mean what they say.
            if header.adobe.is_none() {
                pixels.iter_mut().for_each(|ink| *ink = 255 - *ink);
            }
            Layout::Cmyk
        }
        other => return Err(PictureError::Unsupported(format!("JPEG: {other:?} samples are not rendered"))),
    };
    Ok((layout, pixels))
}

/// In eighths. The whole picture covers whatever is wanted of it, because nothing is enlarged.
fn smallest_scale(full: Size, target: Size) -> u32 {
    [1, 2, 4]
        .into_iter()
        // Whole pixels of picture must cover the target, not the last one that is only begun.
        .find(|&eighths| full.width * eighths / 8 >= target.width && full.height * eighths / 8 >= target.height)
        .unwrap_or(8)
}

fn scale_side(side: u32, eighths: u32) -> u32 {
    (side * eighths).div_ceil(8)
}

fn corrupt(what: &str) -> PictureError {
    PictureError::Corrupt(format!("JPEG: {what}"))
}

fn explain(error: &Error, bytes: usize) -> PictureError {
    match error {
        Error::Format(what) => corrupt(what),
        Error::Unsupported(UnsupportedFeature::DNL) => {
            PictureError::Unsupported("JPEG: the height is given after the picture (DNL)".to_owned())
        }
        Error::Unsupported(what) => PictureError::Unsupported(format!("JPEG: {what:?} is not rendered")),
        Error::Io(_) => corrupt(&format!("the file ends after {bytes} bytes, before the picture does")),
        Error::Internal(what) => PictureError::Internal(format!("JPEG: {what}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_smallest_scale_that_covers_is_taken() {
        let photo = Size::new(4000, 3000);
        assert_eq!(smallest_scale(photo, Size::new(320, 240)), 1);
        assert_eq!(smallest_scale(photo, Size::new(500, 375)), 1);
        assert_eq!(smallest_scale(photo, Size::new(501, 376)), 2);
        assert_eq!(smallest_scale(photo, Size::new(1280, 960)), 4);
        assert_eq!(smallest_scale(photo, Size::new(2001, 1500)), 8);
        assert_eq!(smallest_scale(photo, photo), 8);
    }

    #[test]
    fn a_side_that_does_not_divide_keeps_its_last_pixel() {
        assert_eq!(scale_side(4001, 4), 2001);
        assert_eq!(scale_side(1, 1), 1);
    }

    /// A picture with something in every frequency.
    fn busy(width: u16, height: u16) -> Vec<u8> {
        let mut samples = Vec::new();
        for y in 0..u32::from(height) {
            for x in 0..u32::from(width) {
                let wave = ((x * x / 9 + y * 5) % 97) as u8;
                samples.extend([
                    wave * 2,
                    (x * 255 / u32::from(width)) as u8,
                    255 - (y * 255 / u32::from(height)) as u8,
                ]);
            }
        }
        samples
    }

    /// How far a scaled picture is on average from the full one, averaged over each of its pixels' areas.
    fn off(scaled: &[u8], size: Size, full: &[u8], whole: Size) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        let span = |at: u32, of: u32, all: u32| (at * all / of)..((at + 1) * all / of).max(at * all / of + 1);
        for y in 0..size.height {
            for x in 0..size.width {
                for channel in 0..3 {
                    let (mut area, mut pixels) = (0.0, 0.0);
                    for row in span(y, size.height, whole.height) {
                        for column in span(x, size.width, whole.width) {
                            area += f64::from(full[((row * whole.width + column) * 3 + channel) as usize]);
                            pixels += 1.0;
                        }
                    }
                    sum += (area / pixels - f64::from(scaled[((y * size.width + x) * 3 + channel) as usize])).abs();
                    count += 1.0;
                }
            }
        }
        sum / count
    }

    #[test]
    fn both_decoders_see_the_same_picture() {
        use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
        let (width, height) = (333, 222);
        let samples = busy(width, height);
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2] {
            for restart in [0, 5] {
                let mut file = Vec::new();
                let mut encoder = Encoder::new(&mut file, 90);
                encoder.set_sampling_factor(sampling);
                if restart > 0 {
                    encoder.set_restart_interval(restart);
                }
                encoder.encode(&samples, width, height, ColorType::Rgb).unwrap();
                let header = Header::read(&file).unwrap();
                let frame = header.frame.as_ref().unwrap();
                for eighths in [1, 2, 4, 8] {
                    let what = format!("{sampling:?} with restarts every {restart} at {eighths}/8");
                    if !sequential::takes(&header, frame, eighths) {
                        assert!(eighths == 8 && sampling != SamplingFactor::F_1_1, "{what} is not taken");
                        continue;
                    }
                    let scaled = Size::new(scale_side(width.into(), eighths), scale_side(height.into(), eighths));
                    let ours = sequential::decode(&file, &header, frame, eighths, scaled).unwrap();
                    let limits = Limits { pixels: 1 << 30, memory: 1 << 30 };
                    let (_, theirs) = by_library(&file, &header, limits, scaled).unwrap();
                    assert_eq!(ours.len(), theirs.len(), "{what}");
                    if sampling == SamplingFactor::F_1_1 {
                        let sum: u64 = ours.iter().zip(&theirs).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
                        let mean = sum as f64 / ours.len() as f64;
                        // At one eighth the library rounds down.
                        let allowed = if eighths == 1 { 1.2 } else { 0.6 };
                        assert!(mean < allowed, "{what}: {mean:.2} on average");
                    }
                    let whole = Size::new(width.into(), height.into());
                    let (_, reference) = by_library(&file, &header, limits, whole).unwrap();
                    let (ours, theirs) =
                        (off(&ours, scaled, &reference, whole), off(&theirs, scaled, &reference, whole));
                    // The library sees subsampled chroma in its own way; what counts is the picture at its full size.
                    assert!(
                        ours < theirs * 1.75 + 1.5,
                        "{what}: {ours:.2} from the full picture, the library {theirs:.2}"
                    );
                }
            }
        }
    }
}
