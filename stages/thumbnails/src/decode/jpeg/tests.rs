//! Scales, and the project's decoder compared with the library.
#![allow(clippy::unwrap_used)]

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use super::*;

#[test]
fn the_smallest_scale_that_covers_the_target_is_used() {
    let photo = Size::new(4000, 3000);
    assert_eq!(smallest_scale(photo, Size::new(320, 240)), 1);
    assert_eq!(smallest_scale(photo, Size::new(500, 375)), 1);
    assert_eq!(smallest_scale(photo, Size::new(501, 376)), 2);
    assert_eq!(smallest_scale(photo, Size::new(1280, 960)), 4);
    assert_eq!(smallest_scale(photo, Size::new(2001, 1500)), 8);
    assert_eq!(smallest_scale(photo, photo), 8);
}

#[test]
fn a_picture_with_a_side_of_a_few_pixels_is_decoded_at_its_full_size() {
    for (width, height) in [(48, 1), (1, 48), (2, 100), (7, 33), (7, 7), (8, 8)] {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 80);
        encoder.set_progressive(true);
        let samples = vec![90; usize::from(width) * usize::from(height)];
        encoder.encode(&samples, width, height, ColorType::Luma).unwrap();
        let full = Size::new(width.into(), height.into());
        for wanted in [Size::new((full.width / 8).max(1), (full.height / 8).max(1)), full] {
            let decoded = decode(file.clone(), LIMITS, Orientation::Upright, &|_| wanted).unwrap();
            assert!(decoded.raster.size().covers(wanted), "{full} for {wanted}: {}", decoded.raster.size());
        }
    }
}

#[test]
fn a_side_that_is_not_a_multiple_of_eight_keeps_its_last_pixel() {
    assert_eq!(scale_side(4001, 4), 2001);
    assert_eq!(scale_side(1, 1), 1);
}

const WHOLE: Size = Size { width: 333, height: 222 };
const LIMITS: Limits = Limits { pixels: 1 << 30, memory: 1 << 30, held: 0 };
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

/// The picture at this scale by our decoder and by the library. `None` if ours does not support it.
fn both(file: &[u8], eighths: u32) -> Option<(Vec<u8>, Vec<u8>)> {
    let header = Header::read(file).unwrap();
    let frame = header.frame.as_ref().unwrap();
    if !sequential::supports(&header, frame, eighths) {
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

/// Colours change slowly here and brightness at every frequency, so the way in which a decoder enlarges half-size colours
/// does not matter.
#[test]
fn both_decoders_give_the_same_picture() {
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
                    assert!(eighths == 8 && sampling != SamplingFactor::F_1_1, "{what} is not supported");
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

/// Stripes of colour that a half-size channel still holds and that a quarter-size channel blurs.
#[test]
fn fine_colours_are_kept_at_least_as_well_as_by_the_library() {
    let stripe = |at: u32, period: u32| (f64::from(at) / f64::from(period) * std::f64::consts::TAU).sin() * 60.0;
    let pixel = |x: u32, y: u32, period: u32| {
        let wave = stripe(x, period) + stripe(y, period);
        // Of equal brightness by the weights of JFIF, so that only colours differ.
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
