//! Colours that a file states by other means than a profile.

use image::ExtendedColorType as Colour;
use jpeg_encoder::ColorType;
use moxcms::ColorProfile;

use crate::pictures::png;
use crate::support::*;

const AS_IT_IS: &str = r#"{"boxes":["64x64"],"format":"webp","lossless":true}"#;

/// Colours in sRGB.
const WANTED: [[u8; 3]; 4] = [[60, 90, 120], [128, 128, 128], [200, 180, 150], [240, 240, 235]];

/// White, red, green and blue of sRGB, and of Display P3, as PNG writes them.
const SRGB: [u32; 8] = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];
const P3: [u32; 8] = [31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000];

/// Returns the light, from 0 to 1, of a sample of sRGB.
fn light(sample: u8) -> f64 {
    let value = f64::from(sample) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Returns a PNG with quarters in the wanted colours, encoded by `encode` with 8 or 16 bits, and with these chunks.
fn file(wide: bool, encode: impl Fn(f64) -> f64, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let highest = if wide { 65_535.0 } else { 255.0 };
    let sample = |colour: u8| {
        let value = (encode(light(colour)) * highest).round();
        if wide { (value as u16).to_ne_bytes().to_vec() } else { vec![value as u8] }
    };
    let samples = paint(64, 64, |right, bottom| {
        WANTED[usize::from(right) + 2 * usize::from(bottom)].iter().flat_map(|colour| sample(*colour)).collect()
    });
    let mut file = png(&samples, 64, 64, if wide { Colour::Rgb16 } else { Colour::Rgb8 }, None, None);
    for (kind, body) in chunks {
        add_chunk(&mut file, kind, body);
    }
    file
}

/// Puts a chunk after the header.
pub fn add_chunk(file: &mut Vec<u8>, kind: &[u8; 4], body: &[u8]) {
    let sealed = [kind.as_slice(), body].concat();
    let sum = !sealed.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    });
    let chunk = [&(body.len() as u32).to_be_bytes()[..], &sealed, &sum.to_be_bytes()].concat();
    file.splice(33..33, chunk);
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn is_wanted(file: &[u8], what: &str) {
    for (got, want) in one(file, AS_IT_IS).quarters().iter().zip(WANTED) {
        assert_near(got, &want, 2, what);
    }
}

/// What renderers write: light itself, with 16 bits.
#[test]
fn a_png_s_gamma_is_applied() {
    let srgb = (b"cHRM", numbers(&SRGB));
    let gamma = |value: u32| (b"gAMA", numbers(&[value]));
    is_wanted(&file(true, |light| light, &[gamma(100_000), srgb.clone()]), "linear light of 16 bits");
    is_wanted(&file(false, |light| light.powf(1.0 / 1.8), &[gamma(55_556)]), "the gamma of old Macintoshes");
    let encoded = |light: f64| if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    is_wanted(&file(false, encoded, &[gamma(45_455), srgb]), "the gamma that stands for sRGB");
}

#[test]
fn a_png_s_chromaticities_are_applied() {
    let mut file = png(&[200, 100, 50].repeat(64 * 64), 64, 64, Colour::Rgb8, None, None);
    add_chunk(&mut file, b"cHRM", &numbers(&P3));
    assert_near(&one(&file, AS_IT_IS).quarter(false, false), &[215, 93, 31], 2, "P3 by chromaticities");
}

#[test]
fn the_order_of_the_third_edition_decides_between_statements() {
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let samples = [200, 100, 50].repeat(64 * 64);
    let seen = |profile: Option<&Vec<u8>>, chunks: &[(&[u8; 4], &[u8])]| {
        let mut file = png(&samples, 64, 64, Colour::Rgb8, profile.cloned(), None);
        chunks.iter().for_each(|(kind, body)| add_chunk(&mut file, kind, body));
        one(&file, AS_IT_IS).quarter(false, false)
    };
    let (in_p3, in_srgb): (&[u8], &[u8]) = (&[215, 93, 31], &[200, 100, 50]);
    let linear = numbers(&[100_000]);
    let (cicp_srgb, cicp_p3): (&[u8], &[u8]) = (&[1, 13, 0, 1], &[12, 13, 0, 1]);
    assert_near(&seen(None, &[(b"cICP", cicp_p3)]), in_p3, 2, "cICP alone");
    assert_near(&seen(Some(&p3), &[(b"cICP", cicp_srgb)]), in_srgb, 2, "cICP before iCCP");
    assert_near(&seen(Some(&p3), &[(b"gAMA", &linear)]), in_p3, 2, "iCCP before gAMA");
    assert_near(&seen(None, &[(b"sRGB", &[0]), (b"gAMA", &linear)]), in_srgb, 2, "sRGB before gAMA");
    assert_near(&seen(None, &[(b"cICP", &[1, 99, 0, 1]), (b"sRGB", &[0])]), in_srgb, 2, "an unknown cICP");
}

/// EXIF with `ColorSpace` and the index of interoperability, as cameras write it for Adobe RGB.
fn exif_of(colour_space: u8, index: &[u8; 3]) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08".to_vec();
    block.extend(b"\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0");
    block.extend(b"\0\x02\xa0\x01\0\x03\0\0\0\x01");
    block.extend(if colour_space == 1 { [0, 1, 0, 0] } else { [255, 255, 0, 0] });
    block.extend(b"\xa0\x05\0\x04\0\0\0\x01\0\0\0\x38\0\0\0\0");
    block.extend(b"\0\x01\0\x01\0\x02\0\0\0\x04");
    block.extend(index);
    block.extend([0; 5]);
    block
}

#[test]
fn adobe_rgb_that_only_exif_states_becomes_srgb() {
    let samples = [200, 100, 50].repeat(64 * 64);
    let jpeg = |exif: Vec<u8>, icc: Option<Vec<u8>>| {
        let exif = Some(exif);
        Jpeg { exif, icc, ..Jpeg::default() }.encode(&samples, 64, 64, ColorType::Rgb)
    };
    let seen = |file: &[u8]| one(file, AS_IT_IS).quarter(false, false);
    let (adobe, srgb): (&[u8], &[u8]) = (&[227, 100, 42], &[200, 100, 50]);
    assert_near(&seen(&jpeg(exif_of(0, b"R03"), None)), adobe, 5, "R03");
    assert_near(&seen(&jpeg(exif_of(1, b"R03"), None)), srgb, 5, "sRGB");
    assert_near(&seen(&jpeg(exif_of(0, b"R98"), None)), srgb, 5, "another index");
    let profile = ColorProfile::new_srgb().encode().unwrap();
    assert_near(&seen(&jpeg(exif_of(0, b"R03"), Some(profile))), srgb, 5, "a profile comes before EXIF");
    let mut file = png(&samples, 64, 64, Colour::Rgb8, None, Some(exif_of(0, b"R03")));
    assert_near(&seen(&file), adobe, 3, "a PNG");
    add_chunk(&mut file, b"sRGB", &[0]);
    assert_near(&seen(&file), srgb, 1, "chunks come before EXIF");
}
