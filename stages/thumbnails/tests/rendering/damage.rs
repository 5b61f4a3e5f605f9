//! Damaged and random bytes: each file becomes a picture or is refused for what is wrong with it.

use jpeg_encoder::ColorType;
use proptest::prelude::*;
use stage_thumbnails::error::PictureError;

use crate::support::*;

const CONFIG: &str = r#"{"boxes":["24x24","10x10"],"maxPixels":4000000,"maxMemory":67108864}"#;

/// A small picture in every format, and in every kind of JPEG.
fn samples() -> Vec<Vec<u8>> {
    use image::{ExtendedColorType as Colour, ImageEncoder};
    let picture = quarters(40, 30);
    let jpeg = |progressive, restart| {
        let exif = Some(exif(6));
        let icc = Some(moxcms::ColorProfile::new_display_p3().encode().unwrap());
        Jpeg { progressive, restart, exif, icc, ..Jpeg::default() }.encode(&picture, 40, 30, ColorType::Rgb)
    };
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png).write_image(&picture, 40, 30, Colour::Rgb8).unwrap();
    let mut gif = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut gif).encode(&picture, 40, 30, Colour::Rgb8).unwrap();
    let mut webp = Vec::new();
    image_webp::WebPEncoder::new(&mut webp).encode(&picture, 40, 30, image_webp::ColorType::Rgb8).unwrap();
    let mut tiff = std::io::Cursor::new(Vec::new());
    tiff::encoder::TiffEncoder::new(&mut tiff)
        .unwrap()
        .write_image::<tiff::encoder::colortype::RGB8>(40, 30, &picture)
        .unwrap();
    let inks: Vec<u8> = picture.chunks(3).flat_map(|p| [p[0], p[1], p[2], 0]).collect();
    let cmyk = Jpeg::default().encode(&inks, 40, 30, ColorType::CmykAsYcck);
    vec![jpeg(false, 0), jpeg(false, 3), jpeg(true, 0), jpeg(true, 3), cmyk, png, gif, webp, tiff.into_inner()]
}

/// Panics if the stage has a defect of its own.
fn is_rendered_or_refused(file: &[u8]) {
    if let Err(PictureError::Internal(why)) = rendered(file, CONFIG) {
        panic!("no fault of the file: {why}");
    }
}

/// Other decoders go on with zeros where a marker comes too early.
#[test]
fn a_picture_that_is_cut_off_and_closed_with_an_end_mark_is_refused() {
    let samples = quarters(40, 30);
    for (progressive, restart) in [(false, 0), (false, 3), (true, 0), (true, 3)] {
        let file = Jpeg { progressive, restart, ..Jpeg::default() }.encode(&samples, 40, 30, ColorType::Rgb);
        let scan = file.windows(2).rposition(|pair| pair == b"\xFF\xDA").unwrap();
        let data = scan + 2 + usize::from(u16::from_be_bytes([file[scan + 2], file[scan + 3]]));
        assert_eq!(rendered(&file, "{}").unwrap().len(), 3);
        for kept in data..file.len() - 2 {
            let closed = [&file[..kept], b"\xFF\xD9"].concat();
            let outcome = rendered(&closed, "{}").map(|seen| seen.len());
            assert!(
                matches!(outcome, Err(PictureError::Corrupt(_))),
                "progressive {progressive}, restarts every {restart}, cut at {kept} of {}: {outcome:?}",
                file.len()
            );
        }
    }
}

#[test]
fn a_directory_that_claims_more_values_than_the_file_has_is_refused_at_once() {
    let mut file = b"II*\0\x08\0\0\0\x03\0".to_vec();
    for (tag, count, value) in [(0x100u16, 1u32, 5u32), (0x101, 1, 3), (0x111, 7 << 20, 8)] {
        file.extend(tag.to_le_bytes());
        file.extend(4u16.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 60]);
    let refused = rendered(&file, "{}").unwrap_err();
    assert_eq!(refused, PictureError::cut_off("TIFF", file.len()));
    // With them, no more are read than the picture has strips, which is one.
    file.extend(vec![0; 28 << 20]);
    assert_eq!(rendered(&file, r#"{"maxMemory":67108864}"#).unwrap().len(), 3);
}

/// Each scan costs time for the whole picture, however few bytes it has.
#[test]
fn scans_that_repeat_another_are_refused_and_those_behind_a_complete_picture_are_not_read() {
    let file = Jpeg { progressive: true, ..Jpeg::default() }.encode(&quarters(40, 30), 40, 30, ColorType::Rgb);
    let scans: Vec<usize> =
        file.windows(2).enumerate().filter(|(_, pair)| *pair == b"\xFF\xDA").map(|(at, _)| at).collect();
    let [.., one, last] = scans.as_slice() else { panic!("{} scans", scans.len()) };
    let repeated = |from: usize, to: usize| [&file[..from], &file[from..to].repeat(1000), &file[to..]].concat();
    assert_eq!(rendered(&repeated(*last, file.len() - 2), "{}").unwrap().len(), 3);
    let refused = rendered(&repeated(*one, *last), "{}").unwrap_err();
    assert!(refused.to_string().contains("do not follow from each other"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_after_any_magic_number_are_rendered_or_refused(
        magic in 0usize..9,
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut file = samples()[magic][..12].to_vec();
        file.extend(bytes);
        is_rendered_or_refused(&file);
    }

    #[test]
    fn a_picture_with_changed_bytes_is_rendered_or_refused(
        which in 0usize..9,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = samples().swap_remove(which);
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        is_rendered_or_refused(&file);
    }
}
