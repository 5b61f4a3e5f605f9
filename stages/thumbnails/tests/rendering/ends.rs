//! Files whose last bytes are missing: all rows are there, or the picture is refused with where it ends.

use image::ExtendedColorType as Colour;
use stage_thumbnails::error::PictureError;

use crate::pictures::png;
use crate::support::*;

const AS_IT_IS: &str = r#"{"boxes":["200x200"],"format":"webp","lossless":true}"#;

fn refused(file: &[u8]) -> String {
    match rendered(file, AS_IT_IS) {
        Err(PictureError::Corrupt(message)) => message,
        other => panic!("{:?}", other.map(|seen| seen.len())),
    }
}

/// Noise, so that every byte of the data matters.
fn noise() -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..100 * 80 * 3).map(|_| next()).collect()
}

#[test]
fn a_png_without_its_end_mark_is_a_picture_and_without_rows_it_is_not() {
    let samples = noise();
    let file = png(&samples, 100, 80, Colour::Rgb8, None, None);
    // Without the end chunk, without the checksum before it, and without that of the compressed data.
    for left_out in [1, 12, 14, 16, 18, 20] {
        assert_eq!(one(&file[..file.len() - left_out], AS_IT_IS).samples, samples, "without {left_out} bytes");
    }
    let message = refused(&file[..file.len() / 2]);
    assert!(message.contains("PNG data ends in line") && message.contains("of 80"), "{message}");
}

#[test]
fn a_png_whose_data_is_changed_is_refused_though_all_rows_are_there() {
    let mut file = png(&noise(), 100, 80, Colour::Rgb8, None, None);
    let data = file.windows(4).position(|kind| kind == b"IDAT").unwrap();
    file[data + 2000] ^= 1;
    refused(&file);
}

#[test]
fn a_gif_without_its_trailer_or_with_a_block_of_its_own_is_a_picture() {
    let samples = quarters(100, 80);
    let mut file = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut file).encode(&samples, 100, 80, Colour::Rgb8).unwrap();
    let whole = one(&file, AS_IT_IS).samples;
    for left_out in [1, 2] {
        assert_eq!(one(&file[..file.len() - left_out], AS_IT_IS).samples, whole, "without {left_out} bytes");
    }
    assert!(refused(&file[..file.len() - 30]).contains("GIF"));
    // An extension whose label is in no standard, before the first frame.
    let table = 13 + (3 << ((file[10] & 7) + 1)) * usize::from(file[10] >> 7);
    let mut extended = file.clone();
    extended.splice(table..table, *b"\x21\x42\x03abc\0");
    assert_eq!(one(&extended, AS_IT_IS).samples, whole);
    let mut probed = extended.as_slice();
    let found = stage_probe::probe(&mut probed).unwrap();
    assert_eq!(stage_probe::verify_end(&mut probed, &found), Ok(()));
}

#[test]
fn a_webp_that_counts_one_byte_too_many_is_a_picture() {
    let samples = quarters(100, 80);
    let mut file = Vec::new();
    image_webp::WebPEncoder::new(&mut file).encode(&samples, 100, 80, image_webp::ColorType::Rgb8).unwrap();
    let length = u32::from_le_bytes(file[4..8].try_into().unwrap());
    for wrong in [length + 1, length - 1] {
        file[4..8].copy_from_slice(&wrong.to_le_bytes());
        assert_eq!(one(&file, AS_IT_IS).samples, samples, "{wrong} for {length}");
        let found = stage_probe::probe(&mut file.as_slice()).unwrap();
        assert_eq!(stage_probe::verify_end(&mut file.as_slice(), &found), Ok(()), "{wrong} for {length}");
    }
    assert!(refused(&file[..file.len() - 30]).contains("WebP"));
}
