//! Scales, memory and damage. Whole files of every kind are compared with libjpeg-turbo in `tests/rendering/libjpeg.rs`.
#![allow(clippy::unwrap_used)]

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use super::*;

const LIMITS: Limits = Limits { pixels: 1 << 30, memory: 1 << 30, held: 0 };

/// A picture of 333 by 222 pixels.
fn written(sampling: SamplingFactor, progressive: bool) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let wave = (x * x / 9 + y * 5) % 97;
        [wave + x * 100 / 333, wave + 60, wave + 100 - y * 100 / 222].map(|sample| sample as u8)
    };
    let samples: Vec<u8> = (0..222).flat_map(|y| (0..333).flat_map(move |x| pixel(x, y))).collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 95);
    encoder.set_progressive(progressive);
    encoder.set_sampling_factor(sampling);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.encode(&samples, 333, 222, ColorType::Rgb).unwrap();
    file
}

fn planar(file: &[u8], size: Size, halved_chroma: bool) -> Planes {
    let wanted = |_| WantedScale { size, halved_chroma };
    match decode(file.to_vec(), LIMITS, Orientation::Upright, &wanted).unwrap().pixels {
        DecodedPixels::Planar(planes) => planes,
        DecodedPixels::Interleaved { .. } => panic!("YCbCr stays in planes"),
    }
}

#[test]
fn each_channel_has_the_smallest_scale_that_covers_what_is_wanted_of_it() {
    let file = written(SamplingFactor::F_2_2, false);
    let sizes = |size, halved| {
        let planes = planar(&file, size, halved);
        let [cb, cr] = planes.chroma.unwrap();
        assert_eq!((cb.size, cb.extent), (cr.size, cr.extent));
        (planes.luma.size, planes.luma.extent, cb.size, cb.extent)
    };
    let whole = (Size::new(333, 222), (333.0, 222.0));
    let half = (Size::new(167, 111), (166.5, 111.0));
    let (five, five_halved) = ((Size::new(209, 139), (208.125, 138.75)), (Size::new(105, 70), (104.0625, 69.375)));
    let (seven, six) = ((Size::new(292, 195), (291.375, 194.25)), (Size::new(250, 167), (249.75, 166.5)));
    let quarter = (Size::new(84, 56), (83.25, 55.5));
    let eighth = (Size::new(42, 28), (41.625, 27.75));
    let all = |first: (Size, (f64, f64)), others: (Size, (f64, f64))| (first.0, first.1, others.0, others.1);
    assert_eq!(sizes(Size::new(333, 222), true), all(whole, half));
    assert_eq!(sizes(Size::new(333, 222), false), all(whole, half));
    assert_eq!(sizes(Size::new(166, 111), true), all(half, quarter));
    assert_eq!(sizes(Size::new(166, 111), false), all(half, half));
    assert_eq!(sizes(Size::new(167, 111), true), all(five, five_halved));
    assert_eq!(sizes(Size::new(249, 166), false).0, six.0);
    assert_eq!(sizes(Size::new(250, 166), false), all(seven, half));
    assert_eq!(sizes(Size::new(41, 27), true), all(eighth, (Size::new(21, 14), (20.8125, 13.875))));
    assert_eq!(sizes(Size::new(41, 27), false), all(eighth, eighth));
}

#[test]
fn the_rows_of_a_plane_are_those_of_the_picture_whatever_its_last_blocks_hold() {
    // As sequential and progressive pictures, and with blocks that fill up units of two by two.
    for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2] {
        for eighths in [1, 2, 4, 5, 6, 7, 8] {
            let wanted = Size::new(333 * eighths / 8, 222 * eighths / 8);
            let [one, other] = [false, true].map(|progressive| planar(&written(sampling, progressive), wanted, false));
            assert!(one == other, "{sampling:?} at {eighths}/8");
            assert_eq!(one.luma.samples.len() as u64, one.luma.size.pixels());
            assert!(one.luma.size.covers(wanted));
        }
    }
}

#[test]
fn memory_is_known_before_anything_is_decoded() {
    let file = written(SamplingFactor::F_2_2, true);
    let half = Size::new(166, 111);
    let decode = |memory, size| {
        let wanted = |_| WantedScale { size, halved_chroma: true };
        decode(file.clone(), Limits { memory, ..LIMITS }, Orientation::Upright, &wanted)
    };
    let Opened { mut shape, .. } = Opened::new(&file, LIMITS, Colours::of).unwrap();
    shape.scale_apart((166.0, 111.0), (83.0, 55.5));
    let needed = file.len() as u64 + shape.bytes();
    assert!(decode(needed, half).is_ok());
    assert!(matches!(decode(needed - 1, half), Err(PictureError::TooLarge(_))));
    assert!(matches!(decode(needed, Size::new(333, 222)), Err(PictureError::TooLarge(_))), "coefficients of all sizes");
}

#[test]
fn kinds_that_are_not_decoded_are_named() {
    let file = written(SamplingFactor::F_1_1, false);
    let frame = file.windows(2).position(|pair| pair == b"\xFF\xC0").unwrap();
    let refused = |place: usize, byte: u8| {
        let mut file = file.clone();
        file[frame + place] = byte;
        decode_within(file, false, LIMITS).unwrap_err().to_string()
    };
    for (place, byte, what) in [
        (1, 0xC3, "lossless coding"),
        (1, 0xC9, "arithmetic coding"),
        (1, 0xCA, "arithmetic coding"),
        (1, 0xC5, "hierarchical coding"),
        (4, 12, "samples of 12 bits"),
    ] {
        let message = refused(place, byte);
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn the_tables_of_motion_jpeg_are_those_that_encoders_write() {
    // This encoder writes the standard's tables unless it is told to make better ones.
    let header = Header::read(&written(SamplingFactor::F_1_1, false)).unwrap();
    for number in 0..2 {
        let place = usize::from(number);
        assert_eq!(header.dc[place], standard::first(number), "first coefficients, {number}");
        assert_eq!(header.ac[place], standard::others(number), "others, {number}");
    }
}

/// A progressive picture of one gray block with these scans: first and last coefficient, and the bits that are still missing
/// before (0 at first) and after, in four bits each.
fn with_scans(scans: &[[u8; 3]], end: &[u8]) -> Vec<u8> {
    let mut file = b"\xFF\xD8\xFF\xDB\0\x43\0".to_vec();
    file.extend([8; 64]);
    file.extend(b"\xFF\xC2\0\x0B\x08\0\x08\0\x08\x01\x01\x11\0");
    // One code of one bit: no difference, and the end of the block.
    for class in [0, 0x10] {
        file.extend([0xFF, 0xC4, 0, 20, class, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    for scan in scans {
        file.extend(b"\xFF\xDA\0\x08\x01\x01\0");
        file.extend(scan);
        // The code, and what fills up its byte.
        file.push(0x7F);
    }
    file.extend(end);
    file
}

#[test]
fn a_progressive_picture_is_shown_if_its_scans_follow_from_each_other_and_none_is_missing() {
    const END: &[u8] = b"\xFF\xD9";
    let outcome = |scans: &[[u8; 3]], end: &[u8]| decode_within(with_scans(scans, end), false, LIMITS);
    for (scans, end) in [
        (&[[0, 0, 0], [1, 63, 0]][..], END),
        (&[[0, 0, 0], [1, 63, 0]], b""),
        (&[[0, 0, 1], [1, 5, 2], [6, 63, 2], [1, 63, 0x21], [0, 0, 0x10], [1, 63, 0x10]], b""),
        // A picture may be written with fewer bits, if the file says that it ends there.
        (&[[0, 0, 1], [1, 63, 1]], END),
        // What follows a complete picture is not read.
        (&[[0, 0, 0], [1, 63, 0], [1, 63, 0], [5, 2, 0]], END),
    ] {
        assert_eq!(outcome(scans, end).unwrap().samples(), [128; 64], "{scans:?}");
    }
    for (scans, end, what) in [
        (&[[0, 0, 0], [1, 63, 1]][..], &b""[..], "ends after"),
        (&[[0, 0, 0], [1, 5, 1], [6, 63, 2]], END, "before all of its scans"),
        (&[[0, 0, 0]], END, "before all of its scans"),
        (&[[0, 0, 0], [1, 62, 0]], END, "before all of its scans"),
        (&[[1, 63, 0]], END, "do not follow"),
        (&[[0, 0, 0], [0, 0, 0]], END, "do not follow"),
        (&[[0, 0, 0], [1, 63, 2], [1, 63, 0x10]], END, "do not follow"),
        (&[[0, 0, 0], [1, 63, 3], [1, 63, 0x31]], END, "cannot be in one scan"),
        (&[[0, 5, 0]], END, "cannot be in one scan"),
    ] {
        let refused = outcome(scans, end).unwrap_err();
        assert!(matches!(&refused, PictureError::Corrupt(why) if why.contains(what)), "{scans:?}: {refused}");
    }
}

/// Each scan costs time for the whole picture, however few bytes it has.
#[test]
fn a_progressive_picture_with_thousands_of_scans_is_refused() {
    let mut scans = vec![[0, 0, 0]];
    for missing in (0..14).rev() {
        let bits = if missing == 13 { 13 } else { (missing + 1) << 4 | missing };
        scans.extend((1..64).map(|place| [place, place, bits]));
    }
    let refused = decode_within(with_scans(&scans, b""), false, LIMITS).unwrap_err();
    assert!(refused.to_string().contains("more than 500 scans"), "{refused}");
}
