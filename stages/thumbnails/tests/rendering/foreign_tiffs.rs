//! TIFFs of every kind that scanners write, made by Pillow and libtiff and compared with what these make of them.

use std::path::Path;
use std::process::Command;

use stage_thumbnails::error::PictureError;

use crate::support::*;

/// At least as large as the pictures, so that nothing is resized, and without loss.
const AS_IT_IS: &str = r#"{"boxes":["400x400"],"format":"webp","lossless":true}"#;

/// Runs the script that writes the files. `None` if the test is skipped without Pillow.
#[track_caller]
fn written(folder: &Path) -> Option<()> {
    let python = stagehost_needs::pillow()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rendering/tiffs.py");
    let done = Command::new(python).arg(script).arg(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(())
}

/// Returns pixels on white.
fn on_white(pixels: &[u8], channels: usize) -> Vec<u8> {
    let flat = |colour: u8, opacity: u8| {
        ((u32::from(colour) * u32::from(opacity) + 255 * (255 - u32::from(opacity)) + 127) / 255) as u8
    };
    match channels {
        4 => pixels.chunks(4).flat_map(|p| [flat(p[0], p[3]), flat(p[1], p[3]), flat(p[2], p[3])]).collect(),
        _ => pixels.to_vec(),
    }
}

#[test]
fn every_kind_of_tiff_that_scanners_write_has_the_pixels_that_libtiff_reads() {
    let folder = tempfile::tempdir().unwrap();
    if written(folder.path()).is_none() {
        return;
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "tif") {
            continue;
        }
        count += 1;
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let raw = std::fs::read(path.with_extension("raw")).unwrap();
        let side = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().unwrap());
        let seen = match rendered(&std::fs::read(&path).unwrap(), AS_IT_IS) {
            Ok(mut seen) => seen.remove(0),
            Err(error) => {
                wrong.push(format!("{name} {error}"));
                continue;
            }
        };
        let (got, want) = (on_white(&seen.samples, seen.channels), on_white(&raw[8..], 4));
        if (seen.width, seen.height) != (side(0), side(4)) || got.len() != want.len() {
            wrong.push(format!("{name}: {}x{} for {}x{}", seen.width, seen.height, side(0), side(4)));
            continue;
        }
        let differences = got.iter().zip(&want).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = differences.sum::<u64>() as f64 / got.len() as f64;
        // Shared colours and JPEG are enlarged and rounded in different ways.
        let most = if name.contains("jpeg") || name.starts_with("ycbcr") { 2.0 } else { 0.6 };
        if mean > most {
            wrong.push(format!("{name}: pixels differ by {mean:.2} on average"));
        }
    }
    assert!(count > 60, "{count} files");
    assert!(wrong.is_empty(), "{} of {count} files:\n{}", wrong.len(), wrong.join("\n"));
}

/// Returns a file of one directory, whose tags have one number each, and what follows it.
fn with_tags(tags: &[(u16, u32)], data: &[u8]) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((tags.len() as u16).to_le_bytes());
    for (tag, value) in tags {
        file.extend([&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat());
    }
    file.extend([0; 4]);
    file.extend(data);
    file
}

/// Which number is black and which is white, the file does not say, and programs disagree.
#[test]
fn samples_without_a_known_white_are_refused_by_name() {
    // Two by two pixels from byte 134.
    let file = |bits: u32, photometric: u32, samples: u32, format: u32, data: &[u8]| {
        let length = data.len() as u32;
        let tags: [(u16, u32); 10] = [
            (256, 2),
            (257, 2),
            (258, bits),
            (259, 1),
            (262, photometric),
            (273, 134),
            (277, samples),
            (278, 2),
            (279, length),
            (339, format),
        ];
        with_tags(&tags, data)
    };
    for (file, why) in [
        (file(32, 1, 1, 3, &[0; 16]), "floating-point samples that are not RGB"),
        (file(16, 1, 1, 2, &[0; 8]), "samples that can be negative"),
        (file(32, 2, 3, 3, &255f32.to_le_bytes().repeat(12)), "floating-point samples that are mostly above 1"),
    ] {
        match rendered(&file, AS_IT_IS) {
            Err(PictureError::Unsupported(message)) => assert!(message.contains(why), "{message}"),
            other => panic!("{why}: {other:?}"),
        }
    }
    let light = one(&file(32, 2, 3, 3, &0.5f32.to_le_bytes().repeat(12)), AS_IT_IS);
    // IEC 61966-2-1: half of the light is 188 of 255.
    assert_eq!(light.samples, [188; 12]);
}

/// What is there is a picture; what is missing is named by its line.
#[test]
fn a_tiff_that_is_cut_off_is_refused_with_the_first_line_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    if written(folder.path()).is_none() {
        return;
    }
    let group4 = std::fs::read(folder.path().join("pillow-group4.tif")).unwrap();
    assert!(rendered(&group4, AS_IT_IS).is_ok());
    for name in ["rgb16-little", "tiles", "ycbcr-2-2", "planar"] {
        let whole = std::fs::read(folder.path().join(format!("{name}.tif"))).unwrap();
        // The directory is at the end.
        for at in (8..whole.len() - 16).step_by(whole.len() / 40) {
            match rendered(&whole[..at], AS_IT_IS) {
                Err(PictureError::Corrupt(message)) => assert!(message.contains("TIFF"), "{message}"),
                other => panic!("{name} cut to {at} bytes: {:?}", other.map(|seen| seen.len())),
            }
        }
    }
    // A strip whose data is shorter than its rows.
    let tags: [(u16, u32); 7] = [(256, 10), (257, 10), (258, 8), (259, 1), (262, 1), (273, 98), (279, 35)];
    let refused = rendered(&with_tags(&tags, &[128; 100]), AS_IT_IS).unwrap_err();
    assert_eq!(refused.to_string(), "is cut off: the TIFF data ends in line 4 of 10, before the picture is complete");
}
