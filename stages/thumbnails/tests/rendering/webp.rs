//! Lossy WebP: decoded by other decoders, and its bytes beside those of a JPEG of the same quality.

use image::ExtendedColorType as Colour;

use crate::pictures::png;
use crate::support::*;

/// A photo of the sample listing.
fn photo() -> Vec<u8> {
    std::fs::read(format!("{}/../../samples/listing/front.jpg", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The peak signal-to-noise ratio over red, green and blue, in dB.
fn psnr(a: &Seen, b: &Seen) -> f64 {
    assert_eq!(a.samples.len(), b.samples.len());
    let pairs = a.samples.iter().zip(&b.samples);
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * a.samples.len() as f64 / sum as f64).log10()
}

fn lossy(quality: u8) -> String {
    format!(r#"{{"boxes":["1280x960"],"format":"webp","quality":{quality}}}"#)
}

#[test]
fn a_lossy_webp_takes_at_most_four_fifths_of_a_jpeg_of_the_same_quality() {
    let exact = one(&photo(), r#"{"boxes":["1280x960"],"format":"webp","lossless":true}"#);
    let jpeg = one(&photo(), r#"{"boxes":["1280x960"],"quality":85}"#);
    let wanted = psnr(&exact, &jpeg);
    let webp = (60..100).map(|quality| one(&photo(), &lossy(quality)));
    let webp = webp.into_iter().find(|webp| psnr(&exact, webp) >= wanted).unwrap();
    assert!(webp.file.len() * 5 <= jpeg.file.len() * 4, "{} of {} bytes", webp.file.len(), jpeg.file.len());
}

#[test]
fn a_higher_quality_is_nearer_and_takes_more_bytes() {
    let exact = one(&photo(), r#"{"boxes":["320x240"],"format":"webp","lossless":true}"#);
    let mut before = (0, 0.0);
    for quality in [1, 20, 40, 60, 80, 90, 100] {
        let seen = one(&photo(), &format!(r#"{{"boxes":["320x240"],"format":"webp","quality":{quality}}}"#));
        let now = (seen.file.len(), psnr(&exact, &seen));
        assert!(now.0 > before.0 && now.1 > before.1, "quality {quality}: {now:?} after {before:?}");
        before = now;
    }
    assert!(before.1 > 38.0, "the best one has {:.1} dB", before.1);
}

#[test]
fn every_size_is_written_and_read_again() {
    for (width, height) in [(1, 1), (2, 3), (15, 17), (16, 16), (31, 33), (300, 2), (5, 200)] {
        let file = png(&quarters(width, height), width as u32, height as u32, Colour::Rgb8, None, None);
        let seen = one(&file, r#"{"boxes":["400x400"],"format":"webp","quality":90}"#);
        assert_eq!((seen.width as usize, seen.height as usize), (width, height));
        if width > 8 && height > 8 {
            for (got, want) in seen.quarters().iter().zip(CORNERS) {
                assert_near(got, &want, 12, &format!("{width}x{height}"));
            }
        }
    }
}
