#![allow(clippy::unwrap_used)]
use super::*;
use crate::raster::{Layout, Raster};
use jpeg_decoder::{CodingProcess, Decoder};
use proptest::prelude::*;

/// Returns the size and the samples that the library decodes.
fn decoded(file: &[u8]) -> (Size, Vec<u8>) {
    let mut decoder = Decoder::new(file);
    let samples = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    assert_eq!(info.coding_process, CodingProcess::DctProgressive);
    (Size::new(info.width.into(), info.height.into()), samples)
}

/// Returns a picture of soft waves with noise of the given strength.
fn picture(size: Size, channels: usize, noise: u32) -> Raster {
    let mut state = size.width * 31 + size.height;
    let mut samples = Vec::new();
    for y in 0..size.height {
        for x in 0..size.width {
            for channel in 0..channels as u32 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let wave = (f64::from(x) / 9.0 + f64::from(channel)).sin() + (f64::from(y) / 7.0).cos();
                let random = (state >> 16) % (noise + 1);
                samples
                    .push((128.0 + 40.0 * wave + f64::from(random) - f64::from(noise) / 2.0).clamp(0.0, 255.0) as u8);
            }
        }
    }
    Raster::new(size, if channels == 1 { Layout::Gray } else { Layout::Rgb }, samples).unwrap()
}

fn mean_error(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

proptest! {
    #[test]
    fn every_size_is_decoded_by_the_library(
        width in 1u32..70, height in 1u32..70, gray: bool, halved: bool, noise in 0u32..250, quality in 1u8..=100
    ) {
        let size = Size::new(width, height);
        let raster = picture(size, if gray { 1 } else { 3 }, noise);
        let file = encode(&Planes::of(&raster, halved).unwrap(), quality).unwrap();
        let (got, samples) = decoded(&file);
        prop_assert_eq!(got, size);
        prop_assert_eq!(samples.len(), raster.samples().len());
        if quality > 95 && (gray || !halved) {
            let error = mean_error(&samples, raster.samples());
            prop_assert!(error < 5.0, "{error}");
        }
    }
}

#[test]
fn at_the_best_quality_a_picture_is_kept_to_within_rounding() {
    for noise in [0, 200] {
        let gray = picture(Size::new(123, 77), 1, noise);
        let file = encode(&Planes::of(&gray, false).unwrap(), 100).unwrap();
        let error = mean_error(&decoded(&file).1, gray.samples());
        assert!(error < 0.3, "{error}");
        let colour = picture(Size::new(123, 77), 3, noise);
        let file = encode(&Planes::of(&colour, false).unwrap(), 100).unwrap();
        let error = mean_error(&decoded(&file).1, colour.samples());
        assert!(error < 0.8, "{error}");
    }
}

#[test]
fn long_runs_of_even_blocks_are_decoded() {
    // More blocks than one symbol can skip, then one that is not even.
    let size = Size::new(2_048, 2_056);
    let mut samples = vec![90; 2_048 * 2_056];
    let last = samples.len() - 1;
    samples[last] = 255;
    let raster = Raster::new(size, Layout::Gray, samples).unwrap();
    let (_, got) = decoded(&encode(&Planes::of(&raster, false).unwrap(), 85).unwrap());
    assert!(got[..2_048 * 2_040].iter().all(|sample| *sample == 90));
    assert!(got[last] > 180, "{}", got[last]);
}

#[test]
fn it_is_smaller_than_what_the_library_writes_with_the_same_tables() {
    let raster = picture(Size::new(320, 240), 3, 40);
    let ours = encode(&Planes::of(&raster, true).unwrap(), 85).unwrap();
    for progressive in [false, true] {
        let mut theirs = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut theirs, 85);
        encoder.set_progressive(progressive);
        encoder.set_optimized_huffman_tables(true);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
        encoder.encode(raster.samples(), 320, 240, jpeg_encoder::ColorType::Rgb).unwrap();
        assert!(ours.len() < theirs.len(), "{} and {}, progressive {progressive}", ours.len(), theirs.len());
    }
}

/// Another platform, another compiler, or the vectors of WebAssembly must give the same bytes.
#[test]
fn the_bytes_are_the_same_everywhere() {
    let digest = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
    };
    // Without `sin`, which differs from machine to machine.
    let mut state = 7u32;
    let mut random = |mean: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (mean + (state >> 24) / 4) as u8
    };
    let samples = (0..3 * 61 * 43).map(|i| random(i % 61 * 3)).collect();
    let raster = Raster::new(Size::new(61, 43), Layout::Rgb, samples).unwrap();
    let small = Planes::of(&raster, true).unwrap().resized(Size::new(37, 26), true, Default::default()).unwrap();
    assert_eq!(digest(&encode(&small, 85).unwrap()), 0x9DC8_EE9D_C9AB_2656);
}

#[test]
fn a_side_beyond_sixteen_bits_is_refused() {
    let long = Raster::new(Size::new(65_536, 1), Layout::Gray, vec![0; 65_536]).unwrap();
    assert!(encode(&Planes::of(&long, false).unwrap(), 85).is_err());
}
