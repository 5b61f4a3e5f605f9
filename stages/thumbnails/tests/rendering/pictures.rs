//! Every kind of picture, and the renditions that it must give.

use image::ExtendedColorType as Colour;
use image::ImageEncoder;
use jpeg_encoder::{ColorType, SamplingFactor};
use moxcms::ColorProfile;
use stage_thumbnails::error::PictureError;
use stage_thumbnails::geometry::{Orientation, Size};

use crate::support::*;

pub fn png(
    samples: &[u8],
    width: u32,
    height: u32,
    colour: Colour,
    icc: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut out);
    if let Some(icc) = icc {
        encoder.set_icc_profile(icc).unwrap();
    }
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).unwrap();
    }
    encoder.write_image(samples, width, height, colour).unwrap();
    out
}

/// Returns a PNG of 160 × 96 pixels whose EXIF comes after its data, as ImageMagick writes it.
fn png_with_late_exif(samples: &[u8], orientation: u8) -> Vec<u8> {
    let block = exif(orientation);
    let mut file = png(samples, 160, 96, Colour::Rgb8, None, Some(block.clone()));
    // Length, name, body and checksum.
    let early = file.windows(4).position(|name| name == b"eXIf").unwrap() - 4;
    let chunk: Vec<u8> = file.drain(early..early + 12 + block.len()).collect();
    let end = file.len() - 12;
    assert_eq!(file[end + 4..end + 8], *b"IEND");
    file.splice(end..end, chunk);
    file
}

fn webp(samples: &[u8], width: u32, height: u32, colour: image_webp::ColorType, exif: Option<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut out);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif);
    }
    encoder.encode(samples, width, height, colour).unwrap();
    out
}

fn tiff<C: tiff::encoder::colortype::ColorType>(
    samples: &[C::Inner],
    width: u32,
    height: u32,
    orientation: u16,
) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut out = std::io::Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut out).unwrap();
    let mut image = encoder.new_image::<C>(width, height).unwrap();
    image.encoder().write_tag(tiff::tags::Tag::Orientation, orientation).unwrap();
    image.write_data(samples).unwrap();
    out.into_inner()
}

fn corners_are(seen: &Seen, order: [usize; 4], tolerance: u8, what: &str) {
    for (got, want) in seen.quarters().iter().zip(order) {
        assert_near(got, &CORNERS[want], tolerance, what);
    }
}

/// The corners of the stored picture in their upright order, by the EXIF specification.
const UPRIGHT: [[usize; 4]; 8] =
    [[0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 1, 0], [2, 3, 0, 1], [0, 2, 1, 3], [2, 0, 3, 1], [3, 1, 2, 0], [1, 3, 0, 2]];

#[test]
fn every_orientation_becomes_upright_in_every_format_that_has_one() {
    let samples = quarters(160, 96);
    for orientation in 1..=8u8 {
        let exif = Some(exif(orientation));
        let files = [
            ("JPEG", Jpeg { exif: exif.clone(), ..Jpeg::default() }.encode(&samples, 160, 96, ColorType::Rgb)),
            ("PNG", png(&samples, 160, 96, Colour::Rgb8, None, exif.clone())),
            ("PNG with its EXIF after its data", png_with_late_exif(&samples, orientation)),
            ("WebP", webp(&samples, 160, 96, image_webp::ColorType::Rgb8, exif.clone())),
            ("TIFF", tiff::<tiff::encoder::colortype::RGB8>(&samples, 160, 96, orientation.into())),
        ];
        for (format, file) in files {
            let what = format!("{format}, orientation {orientation}");
            let seen = one(&file, r#"{"boxes":["80x60"]}"#);
            let turned = Orientation::from_exif(orientation.into()).turns();
            // 160×96 fills the box's width. Turned to 96×160 it fills the height.
            assert_eq!((seen.width, seen.height), if turned { (36, 60) } else { (80, 48) }, "{what}");
            corners_are(&seen, UPRIGHT[usize::from(orientation) - 1], 12, &what);
        }
    }
}

/// Otherwise the pixels, which are all there, would be rendered lying on their side.
#[test]
fn a_picture_that_ends_within_the_exif_after_its_pixels_is_refused() {
    let samples = quarters(160, 96);
    let webp = webp(&samples, 160, 96, image_webp::ColorType::Rgb8, Some(exif(6)));
    let png = png_with_late_exif(&samples, 6);
    for (name, cut) in [("PNG", &png[..png.len() - 40]), ("WebP", &webp[..webp.len() - 20])] {
        assert_eq!(rendered(cut, "{}").unwrap_err(), PictureError::cut_off(name, cut.len()));
    }
}

/// Otherwise a portrait would be accepted as a landscape, or the other way round.
#[test]
fn a_picture_is_turned_as_the_probe_reads_it() {
    let samples = quarters(160, 96);
    let mut file = Jpeg { exif: Some(exif(6)), ..Jpeg::default() }.encode(&samples, 160, 96, ColorType::Rgb);
    // Another block of EXIF comes first, and has no orientation.
    file.splice(2..2, *b"\xFF\xE1\0\x16Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0");
    let probed = stage_probe::probe(&mut file.as_slice()).unwrap();
    let seen = one(&file, r#"{"boxes":["80x60"]}"#);
    assert_eq!((probed.orientation, seen.width, seen.height), (6, 36, 60));
}

#[test]
fn the_box_is_applied_to_the_picture_as_a_person_sees_it() {
    let samples = quarters(400, 300);
    let portrait = Jpeg { exif: Some(exif(6)), ..Jpeg::default() }.encode(&samples, 400, 300, ColorType::Rgb);
    let sizes: Vec<_> =
        rendered(&portrait, "{}").unwrap().iter().map(|s| (s.name.clone(), s.width, s.height)).collect();
    assert_eq!(
        sizes,
        [("640x480".to_owned(), 300, 400), ("1280x960".to_owned(), 300, 400), ("320x240".to_owned(), 180, 240)]
    );
}

#[test]
fn a_small_picture_is_never_enlarged() {
    let file = Jpeg::default().encode(&quarters(50, 40), 50, 40, ColorType::Rgb);
    for seen in rendered(&file, "{}").unwrap() {
        assert_eq!((seen.width, seen.height), (50, 40), "{}", seen.name);
    }
    let dot = png(&[9, 9, 9], 1, 1, Colour::Rgb8, None, None);
    assert_eq!(rendered(&dot, "{}").unwrap().len(), 3);
}

#[test]
fn every_kind_of_jpeg_is_rendered_at_every_scale() {
    // Sizes that do not divide by a block, so that the scaled picture ends within a pixel.
    let (width, height) = (643, 357);
    let samples = quarters(width, height);
    for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2] {
        for progressive in [false, true] {
            for restart in [0, 7] {
                let jpeg = Jpeg { progressive, sampling, restart, ..Jpeg::default() };
                let file = jpeg.encode(&samples, width, height, ColorType::Rgb);
                for bounds in ["60x60", "100x100", "300x300", "600x600", "643x643"] {
                    let what = format!("{sampling:?}, progressive {progressive}, restart {restart}, {bounds}");
                    let seen = one(&file, &format!(r#"{{"boxes":["{bounds}"]}}"#));
                    corners_are(&seen, [0, 1, 2, 3], 12, &what);
                }
            }
        }
    }
}

#[test]
fn a_gray_jpeg_stays_gray() {
    let samples = paint(100, 100, |right, _| vec![if right { 200 } else { 50 }]);
    let seen = one(&Jpeg::default().encode(&samples, 100, 100, ColorType::Luma), r#"{"boxes":["40x40"]}"#);
    assert_eq!(seen.channels, 1);
    assert_near(&seen.quarter(false, false), &[50], 4, "left");
    assert_near(&seen.quarter(true, false), &[200], 4, "right");
}

#[test]
fn inks_become_the_colours_they_print() {
    // As Adobe's programs write them: inverted, with Adobe's segment. Cyan, magenta, yellow, black.
    let inks = [[255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255]];
    let printed = [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]];
    let samples = paint(64, 64, |right, bottom| inks[usize::from(right) + 2 * usize::from(bottom)].to_vec());
    for colour in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let file = Jpeg { sampling: SamplingFactor::F_1_1, ..Jpeg::default() }.encode(&samples, 64, 64, colour);
        let seen = one(&file, r#"{"boxes":["32x32"]}"#);
        for (got, want) in seen.quarters().iter().zip(printed) {
            assert_near(got, &want, 12, &format!("{colour:?}"));
        }
    }
}

#[test]
fn inks_without_adobes_segment_are_inverted_as_well() {
    let samples = paint(64, 64, |_, _| vec![0, 255, 0, 0]);
    let mut file =
        Jpeg { sampling: SamplingFactor::F_1_1, ..Jpeg::default() }.encode(&samples, 64, 64, ColorType::Cmyk);
    let at = file.windows(5).position(|w| w == b"Adobe").unwrap();
    file.drain(at - 4..at + 12);
    assert_near(&one(&file, r#"{"boxes":["32x32"]}"#).quarter(false, false), &[255, 0, 255], 12, "magenta");
}

#[test]
fn a_wide_gamut_becomes_srgb_in_every_format_that_has_profiles() {
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let samples = [200, 100, 50].repeat(64 * 64);
    let jpeg = Jpeg { icc: Some(p3.clone()), ..Jpeg::default() }.encode(&samples, 64, 64, ColorType::Rgb);
    let png = png(&samples, 64, 64, Colour::Rgb8, Some(p3.clone()), None);
    let mut webp = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut webp);
    encoder.set_icc_profile(p3.clone());
    encoder.encode(&samples, 64, 64, image_webp::ColorType::Rgb8).unwrap();
    for (format, file) in [("JPEG", jpeg), ("PNG", png), ("WebP", webp)] {
        let seen = one(&file, r#"{"boxes":["32x32"]}"#);
        assert_near(&seen.quarter(false, false), &[215, 93, 31], 5, format);
    }
}

#[test]
fn a_long_profile_is_combined_from_its_pieces() {
    // A JPEG segment holds 64 KiB, so this profile of 100,000 bytes, half of them padding, needs two.
    let mut p3 = ColorProfile::new_display_p3().encode().unwrap();
    p3.resize(100_000, 0);
    let length = (p3.len() as u32).to_be_bytes();
    p3[..4].copy_from_slice(&length);
    let samples = [200, 100, 50].repeat(64 * 64);
    let file = Jpeg { icc: Some(p3), ..Jpeg::default() }.encode(&samples, 64, 64, ColorType::Rgb);
    assert!(file.windows(11).filter(|w| w == b"ICC_PROFILE").count() == 2);
    assert_near(&one(&file, r#"{"boxes":["32x32"]}"#).quarter(true, true), &[215, 93, 31], 5, "two segments");
}

#[test]
fn sixteen_bits_palettes_and_opacity_are_rendered_correctly() {
    let wide: Vec<u8> = quarters(64, 64).iter().flat_map(|&s| (u16::from(s) * 257).to_ne_bytes()).collect();
    corners_are(
        &one(&png(&wide, 64, 64, Colour::Rgb16, None, None), r#"{"boxes":["32x32"]}"#),
        [0, 1, 2, 3],
        12,
        "16 bits",
    );

    let half = paint(64, 64, |right, bottom| {
        let [r, g, b] = CORNERS[usize::from(right) + 2 * usize::from(bottom)];
        vec![r, g, b, if right { 0 } else { 255 }]
    });
    let file = png(&half, 64, 64, Colour::Rgba8, None, None);
    let seen = one(&file, r#"{"boxes":["32x32"]}"#);
    assert_near(&seen.quarter(false, false), &CORNERS[0], 12, "opaque");
    assert_near(&seen.quarter(true, false), &[255, 255, 255], 4, "transparent is white in a JPEG");
    let seen = one(&file, r#"{"boxes":["32x32"],"format":"webp"}"#);
    assert_eq!((seen.channels, seen.quarter(true, false)[3], seen.quarter(false, true)[3]), (4, 0, 255));

    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    encoder.encode(&quarters(64, 64), 64, 64, Colour::Rgb8).unwrap();
    // A second frame, which must not be rendered.
    encoder.encode(&vec![0; 64 * 64 * 3], 64, 64, Colour::Rgb8).unwrap();
    drop(encoder);
    corners_are(&one(&gif, r#"{"boxes":["32x32"]}"#), [0, 1, 2, 3], 12, "GIF");
}

#[test]
fn every_supported_kind_of_tiff_is_rendered_correctly() {
    use tiff::encoder::colortype;
    let samples = quarters(64, 64);
    let wide: Vec<u16> = samples.iter().map(|&s| u16::from(s) * 257).collect();
    let inks = paint(64, 64, |_, _| vec![0, 255, 255, 0]);
    let gray = paint(64, 64, |right, _| vec![if right { 200 } else { 50 }]);
    let config = r#"{"boxes":["32x32"]}"#;
    corners_are(&one(&tiff::<colortype::RGB16>(&wide, 64, 64, 1), config), [0, 1, 2, 3], 12, "RGB of 16 bits");
    assert_near(
        &one(&tiff::<colortype::CMYK8>(&inks, 64, 64, 1), config).quarter(false, false),
        &[255, 0, 0],
        6,
        "red of inks",
    );
    assert_near(&one(&tiff::<colortype::Gray8>(&gray, 64, 64, 1), config).quarter(true, true), &[200], 4, "gray");
}

#[test]
fn no_metadata_of_the_source_is_left() {
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let samples = quarters(400, 300);
    let exif = Some(exif(6));
    let mut jpeg = Jpeg { exif: exif.clone(), icc: Some(p3.clone()), ..Jpeg::default() }.encode(
        &samples,
        400,
        300,
        ColorType::Rgb,
    );
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>";
    let comment = b"a comment";
    let mut extra = vec![0xFF, 0xE1, 0, xmp.len() as u8 + 2];
    extra.extend(xmp);
    extra.extend([0xFF, 0xFE, 0, comment.len() as u8 + 2]);
    extra.extend(comment);
    jpeg.splice(2..2, extra);
    let png = png(&samples, 400, 300, Colour::Rgb8, Some(p3), exif);
    for source in [jpeg, png] {
        for config in ["{}", r#"{"format":"webp"}"#] {
            for seen in rendered(&source, config).unwrap() {
                for secret in [
                    &b"Exif"[..],
                    b"EXIF",
                    b"ICC_PROFILE",
                    b"ICCP",
                    b"http://ns.adobe.com",
                    b"XMP",
                    b"MM\0*",
                    b"comment",
                ] {
                    assert!(
                        !seen.file.windows(secret.len()).any(|w| w == secret),
                        "{} has {:?}",
                        seen.name,
                        String::from_utf8_lossy(secret)
                    );
                }
            }
        }
    }
}

#[test]
fn a_lossless_webp_has_exactly_the_pixels() {
    let file = png(&quarters(64, 64), 64, 64, Colour::Rgb8, None, None);
    let seen = one(&file, r#"{"boxes":["64x64"],"format":"webp","lossless":true}"#);
    assert_eq!(seen.samples, quarters(64, 64));
}

#[test]
fn a_file_that_is_cut_off_is_corrupt_in_every_format() {
    let samples = quarters(200, 200);
    let baseline = Jpeg::default().encode(&samples, 200, 200, ColorType::Rgb);
    let progressive = Jpeg { progressive: true, ..Jpeg::default() }.encode(&samples, 200, 200, ColorType::Rgb);
    let mut gif = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut gif).encode(&samples, 200, 200, Colour::Rgb8).unwrap();
    for (format, file) in [
        ("JPEG", baseline),
        ("JPEG", progressive),
        ("PNG", png(&samples, 200, 200, Colour::Rgb8, None, None)),
        ("WebP", webp(&samples, 200, 200, image_webp::ColorType::Rgb8, None)),
        ("GIF", gif),
        ("TIFF", tiff::<tiff::encoder::colortype::RGB8>(&samples, 200, 200, 1)),
    ] {
        for part in [30, 50, 90] {
            let cut = &file[..file.len() * part / 100];
            match rendered(cut, "{}") {
                Err(PictureError::Corrupt(message)) => assert!(message.contains(format), "{message}"),
                other => panic!("{format} cut to {part} %: {:?}", other.map(|seen| seen.len())),
            }
        }
    }
}

#[test]
fn a_jpeg_whose_data_stops_early_is_corrupt_even_with_an_end_marker() {
    // Many viewers show this damage as a gray band.
    let file = Jpeg::default().encode(&quarters(200, 200), 200, 200, ColorType::Rgb);
    let mut cut = file[..file.len() - 300].to_vec();
    cut.extend([0xFF, 0xD9]);
    match rendered(&cut, r#"{"boxes":["50x50"]}"#) {
        Err(PictureError::Corrupt(message)) => assert!(message.contains("line"), "{message}"),
        other => panic!("{:?}", other.map(|seen| seen.len())),
    }
    // Bytes after the picture are accepted.
    let mut longer = file;
    longer.extend(b"a video, as phones append it");
    assert!(rendered(&longer, "{}").is_ok());
}

#[test]
fn too_many_pixels_are_refused_from_the_header_alone() {
    let mut png = png(&[0; 3], 1, 1, Colour::Rgb8, None, None);
    png[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let mut jpeg = Jpeg::default().encode(&quarters(16, 16), 16, 16, ColorType::Rgb);
    let sof = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
    let gif = b"GIF89a\x30\x75\x30\x75\0\0\0".to_vec();
    let tiff = {
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        let tags: [(u16, u32); 7] = [(256, 30_000), (257, 30_000), (258, 8), (259, 1), (262, 1), (273, 8), (279, 100)];
        file.extend((tags.len() as u16).to_le_bytes());
        for (tag, value) in tags {
            file.extend(tag.to_le_bytes());
            file.extend([4, 0, 1, 0, 0, 0]);
            file.extend(value.to_le_bytes());
        }
        file.extend([0; 4]);
        file
    };
    let webp = {
        // An extended header says 16384 × 16384, which is 268 megapixels.
        let mut file = b"RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\xFF\x3F\0\xFF\x3F\0".to_vec();
        file.extend(b"VP8L\x05\0\0\0\x2F\xFF\xFF\xFF\x0F\0");
        let length = (file.len() as u32 - 8).to_le_bytes();
        file[4..8].copy_from_slice(&length);
        file
    };
    for (format, file) in [("PNG", png), ("JPEG", jpeg), ("GIF", gif), ("TIFF", tiff), ("WebP", webp)] {
        match rendered(&file, "{}") {
            Err(PictureError::TooLarge(message)) => {
                assert!(message.contains(format) && message.contains("megapixels"), "{message}");
            }
            other => panic!("{format}: {:?}", other.map(|seen| seen.len())),
        }
    }
}

#[test]
fn all_pixels_of_a_frame_larger_than_its_screen_count() {
    // A screen of 10×10 and a frame of 60000×60000 on it.
    let mut gif = b"GIF89a\x0A\0\x0A\0\x80\0\0\0\0\0\xFF\xFF\xFF".to_vec();
    gif.extend(b"\x2C\0\0\0\0\x60\xEA\x60\xEA\0\x02\x02\x44\x01\0\x3B");
    let error = rendered(&gif, "{}").unwrap_err();
    assert!(matches!(error, PictureError::TooLarge(_)), "{error}");
}

#[test]
fn memory_is_limited_independently_of_pixels() {
    let file = png(&quarters(400, 400), 400, 400, Colour::Rgb8, None, None);
    let error = rendered(&file, r#"{"maxMemory":100000}"#).unwrap_err();
    assert!(matches!(&error, PictureError::TooLarge(m) if m.contains("maxMemory")), "{error}");
}

#[test]
fn a_file_of_another_format_is_unsupported_and_named() {
    for (head, word) in [(&b"%PDF-1.7\n"[..], "PDF"), (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "MP4")] {
        let error = rendered(head, "{}").unwrap_err();
        assert!(matches!(&error, PictureError::Unsupported(m) if m.contains(word)), "{error}");
    }
}

#[test]
fn every_rendition_of_a_cascade_has_its_exact_size() {
    let file = Jpeg::default().encode(&quarters(1201, 801), 1201, 801, ColorType::Rgb);
    let config = r#"{"widths":[200,400,800,1200],"boxes":["333x100"]}"#;
    let mut seen: Vec<_> = rendered(&file, config).unwrap();
    for s in &seen {
        corners_are(s, [0, 1, 2, 3], 12, &s.name);
    }
    seen.sort_by_key(|s| s.width);
    let sizes: Vec<Size> = seen.iter().map(|s| Size::new(s.width, s.height)).collect();
    let want = [(150, 100), (200, 133), (400, 267), (800, 534), (1200, 800)].map(|(w, h)| Size::new(w, h));
    assert_eq!(sizes, want);
}
