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

    use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

    const WHOLE: Size = Size { width: 333, height: 222 };
    const LIMITS: Limits = Limits { pixels: 1 << 30, memory: 1 << 30 };
    const SAMPLINGS: [SamplingFactor; 4] =
        [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2];

    fn picture(pixel: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
        (0..WHOLE.height).flat_map(|y| (0..WHOLE.width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect()
    }

    fn written(samples: &[u8], sampling: SamplingFactor, restart: u16) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 95);
        encoder.set_sampling_factor(sampling);
        encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        if restart > 0 {
            encoder.set_restart_interval(restart);
        }
        encoder.encode(samples, WHOLE.width as u16, WHOLE.height as u16, ColorType::Rgb).unwrap();
        file
    }

    fn scaled(eighths: u32) -> Size {
        Size::new(scale_side(WHOLE.width, eighths), scale_side(WHOLE.height, eighths))
    }

    /// The picture at this scale as our decoder and the library see it, if ours takes it.
    fn both(file: &[u8], eighths: u32) -> Option<(Vec<u8>, Vec<u8>)> {
        let header = Header::read(file).unwrap();
        let frame = header.frame.as_ref().unwrap();
        if !sequential::takes(&header, frame, eighths) {
            return None;
        }
        let ours = sequential::decode(file, &header, frame, eighths, scaled(eighths)).unwrap();
        let (_, theirs) = by_library(file, &header, LIMITS, scaled(eighths)).unwrap();
        assert_eq!(ours.len(), theirs.len());
        Some((ours, theirs))
    }

    fn mean(differences: impl Iterator<Item = f64>) -> f64 {
        let (sum, count) = differences.fold((0.0, 0.0), |(sum, count), difference| (sum + difference, count + 1.0));
        sum / count
    }

    /// Colours change slowly here and brightness in every frequency, so that how a decoder stretches half-size colours
    /// does not matter.
    #[test]
    fn both_decoders_see_the_same_picture() {
        let samples = picture(|x, y| {
            let wave = (x * x / 9 + y * 5) % 97;
            [wave + x * 100 / WHOLE.width, wave + 60, wave + 100 - y * 100 / WHOLE.height].map(|sample| sample as u8)
        });
        for sampling in SAMPLINGS {
            for restart in [0, 5] {
                let file = written(&samples, sampling, restart);
                for eighths in [1, 2, 4, 8] {
                    let what = format!("{sampling:?} with restarts every {restart} at {eighths}/8");
                    let Some((ours, theirs)) = both(&file, eighths) else {
                        assert!(eighths == 8 && sampling != SamplingFactor::F_1_1, "{what} is not taken");
                        continue;
                    };
                    let mean = mean(ours.iter().zip(&theirs).map(|(a, b)| f64::from(a.abs_diff(*b))));
                    // At one eighth the library rounds down.
                    let allowed = if eighths == 1 { 1.2 } else { 0.6 };
                    assert!(mean < allowed, "{what}: {mean:.2} on average");
                }
            }
        }
    }

    /// Stripes of colour that a half-size channel still holds, and that half of it blurs.
    #[test]
    fn fine_colours_are_kept_at_least_as_well_as_by_the_library() {
        let stripe = |at: u32, period: u32| (f64::from(at) / f64::from(period) * std::f64::consts::TAU).sin() * 60.0;
        let pixel = |x: u32, y: u32, period: u32| {
            let wave = stripe(x, period) + stripe(y, period);
            // Of one brightness by the weights of JFIF, so that only colours differ.
            [128.0 + wave * 0.5, 128.0 - wave * 0.5 * (0.299 - 0.114) / 0.587, 128.0 - wave * 0.5]
        };
        for sampling in SAMPLINGS {
            for eighths in [1, 2, 4] {
                // Three pixels of the scaled picture.
                let period = 24 / eighths;
                let samples = picture(|x, y| pixel(x, y, period).map(|sample| sample.round() as u8));
                let (ours, theirs) = both(&written(&samples, sampling, 0), eighths).unwrap();
                let off = |got: &[u8]| {
                    let step = 8 / eighths;
                    let size = scaled(eighths);
                    mean((0..size.pixels()).flat_map(|at| {
                        let (x, y) = ((at % u64::from(size.width)) as u32, (at / u64::from(size.width)) as u32);
                        let mut sum = [0.0; 3];
                        for (dx, dy) in (0..step * step).map(|i| (i % step, i / step)) {
                            let pixel = pixel(x * step + dx, y * step + dy, period);
                            sum = std::array::from_fn(|i| sum[i] + pixel[i] / f64::from(step * step));
                        }
                        std::array::from_fn::<_, 3, _>(|i| (sum[i] - f64::from(got[at as usize * 3 + i])).abs())
                    }))
                };
                let (ours, theirs) = (off(&ours), off(&theirs));
                assert!(
                    ours < 3.0 && ours < theirs + 0.1,
                    "{sampling:?} at {eighths}/8: ours {ours:.2}, the library {theirs:.2}"
                );
            }
        }
    }
}
