//! What the files of the sample listing are.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;

use stage_probe::{Format, Pixels, Probe, ProbeError, Reader, probe, verify_end};

fn look_at(name: &str) -> (Probe, Result<(), ProbeError<std::io::Error>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/listing").join(name);
    let mut source = Reader::new(File::open(path).unwrap()).unwrap();
    let found = probe(&mut source).unwrap_or_else(|error| panic!("{name}: {error}"));
    let end = verify_end(&mut source, &found);
    (found, end)
}

#[test]
fn every_picture_has_its_upright_size_and_orientation() {
    let expected = [
        ("front.jpg", Format::Jpeg, 2400, 1600, 1),
        ("living-room.jpg", Format::Jpeg, 2400, 1600, 3),
        ("staircase.jpg", Format::Jpeg, 1600, 2133, 6),
        ("staircase-other-hand.jpg", Format::Jpeg, 1300, 1883, 8),
        ("evening-view.jpg", Format::Jpeg, 2600, 1462, 1),
        ("kitchen.jpg", Format::Jpeg, 2000, 1500, 1),
        ("bedroom.webp", Format::WebP, 1600, 1200, 1),
        ("floor-plan.png", Format::Png, 1600, 1200, 1),
    ];
    for (name, format, width, height, orientation) in expected {
        let (found, end) = look_at(name);
        assert_eq!(found.format, format, "{name}");
        assert_eq!(found.pixels, Some(Pixels { width, height }), "{name}");
        assert_eq!(found.orientation, orientation, "{name}");
        assert_eq!(found.progressive, name == "staircase-other-hand.jpg", "{name}");
        assert!(end.is_ok(), "{name}: {end:?}");
    }
}

/// ImageMagick 6 has made it of a photo that a camera stored lying on its side, and writes the EXIF after the picture's data.
#[test]
fn a_png_by_imagemagick_is_turned() {
    let (found, end) = look_at("../../tests/fuzz/corpus/probe/by-imagemagick-png");
    assert_eq!((found.pixels, found.orientation), (Some(Pixels { width: 40, height: 60 }), 6));
    assert!(end.is_ok(), "{end:?}");
}

#[test]
fn the_portrait_video_is_turned_and_silent_and_the_landscape_video_is_neither() {
    let (portrait, end) = look_at("staircase.mp4");
    assert_eq!(portrait.pixels, Some(Pixels { width: 720, height: 1280 }));
    assert_eq!((portrait.orientation, portrait.duration_ms, portrait.has_audio), (6, Some(3000), Some(false)));
    assert!(end.is_ok());
    let (landscape, end) = look_at("walk-through.mp4");
    assert_eq!(landscape.pixels, Some(Pixels { width: 1280, height: 720 }));
    assert_eq!((landscape.orientation, landscape.duration_ms, landscape.has_audio), (1, Some(4000), Some(true)));
    assert!(end.is_ok());
}

#[test]
fn the_document_is_complete_and_the_damaged_photo_is_not() {
    let (document, end) = look_at("description.pdf");
    assert_eq!((document.format, document.pixels), (Format::Pdf, None));
    assert!(end.is_ok());
    let (damaged, end) = look_at("kitchen-damaged.jpg");
    assert_eq!(damaged.pixels, Some(Pixels { width: 2000, height: 1500 }), "the header is intact");
    assert!(matches!(end, Err(ProbeError::Truncated { what: "the picture's data", .. })), "{end:?}");
}

/// Some programs forget the end mark, and some phones write their own trailer in its place.
#[test]
fn a_photo_without_an_end_mark_is_complete_if_its_data_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/listing");
    for name in ["front.jpg", "kitchen.jpg", "staircase-other-hand.jpg"] {
        let whole = std::fs::read(folder.join(name)).unwrap();
        let end = whole.windows(2).rposition(|pair| pair == b"\xff\xd9").unwrap();
        let ends = |file: &[u8]| {
            let found = probe(&mut &*file).unwrap();
            verify_end(&mut &*file, &found)
        };
        assert_eq!(ends(&whole[..end]), Ok(()), "{name} without its end mark");
        assert_eq!(ends(&[&whole[..end], b"\0\0\x10\x0atrailer".as_slice()].concat()), Ok(()), "{name} with a trailer");
        if name != "staircase-other-hand.jpg" {
            let cut = ends(&whole[..end - 200]);
            assert!(matches!(cut, Err(ProbeError::Truncated { .. })), "{name} without its last data: {cut:?}");
        }
    }
}
