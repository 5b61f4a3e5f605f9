//! Real photos and hostile files of the media collection.

use std::panic::catch_unwind;

use stage_thumbnails::error::PictureError;

use crate::support::*;

#[test]
fn all_orientations_look_like_the_first() {
    let Some(files) = media("orientation") else { return };
    let named = |name: String| files.iter().find(|f| f.file_name().is_some_and(|n| *n == *name)).unwrap();
    for shape in ["Landscape", "Portrait"] {
        let upright = rendered(&std::fs::read(named(format!("{shape}_1.jpg"))).unwrap(), "{}").unwrap();
        for orientation in 2..=8 {
            let turned = rendered(&std::fs::read(named(format!("{shape}_{orientation}.jpg"))).unwrap(), "{}").unwrap();
            for (a, b) in upright.iter().zip(&turned) {
                let what = format!("{shape}_{orientation} at {}", a.name);
                assert_eq!((a.width, a.height), (b.width, b.height), "{what}");
                // The files were turned and compressed again by their makers, so pixels differ a little.
                let sum: u64 = a.samples.iter().zip(&b.samples).map(|(x, y)| u64::from(x.abs_diff(*y))).sum();
                let mean = sum as f64 / a.samples.len() as f64;
                assert!(mean < 4.0, "{what}: pixels differ by {mean:.2} on average");
            }
        }
    }
}

#[test]
fn every_real_photo_gets_all_its_renditions_and_no_metadata() {
    let Some(files) = media("photos") else { return };
    for file in files {
        let what = file.display();
        let seen = rendered(&std::fs::read(&file).unwrap(), "{}").unwrap_or_else(|e| panic!("{what}: {e}"));
        let names: Vec<&str> = seen.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["1280x960", "640x480", "320x240"], "{what}");
        for s in seen {
            assert!(s.width <= 1280 && s.height <= 960, "{what}: {}x{}", s.width, s.height);
            for secret in [&b"Exif"[..], b"ICC_PROFILE", b"http://ns.adobe.com"] {
                assert!(!s.file.windows(secret.len()).any(|w| w == secret), "{what}");
            }
            let (darkest, lightest) = (s.samples.iter().min().unwrap(), s.samples.iter().max().unwrap());
            assert!(lightest - darkest > 60, "{what}: hardly any contrast");
        }
    }
}

/// How the names end of files in formats that the stage does not read.
const FOREIGN: [&str; 11] =
    [".bin", ".blp", ".dds", ".eps", ".fli", ".icns", ".ico", ".j2k", ".pillow", ".psd", ".sgi"];

#[test]
fn every_hostile_file_is_rendered_or_refused_for_what_is_wrong_with_it() {
    let Some(files) = media("hostile") else { return };
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        // The host would catch a panic in the sandbox, but there should be none.
        let outcome = catch_unwind(|| rendered(&bytes, "{}").map(|seen| seen.len()));
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let foreign = FOREIGN.iter().any(|end| name.ends_with(end));
        match outcome {
            Ok(Err(PictureError::Unsupported(_))) => {}
            Ok(other) if foreign => panic!("{name} is of a format that is not read: {other:?}"),
            Ok(Err(PictureError::Corrupt(_))) => {}
            // PngSuite's files that begin with an x are all damaged.
            Ok(other) if name.starts_with('x') => panic!("{name} is damaged: {other:?}"),
            Ok(Err(PictureError::TooLarge(_))) => {}
            Ok(Err(PictureError::Internal(why))) => panic!("{name}: no fault of the file: {why}"),
            Ok(Ok(count)) => assert_eq!(count, 3, "{name}"),
            Err(_) => panic!("{name} made the stage panic"),
        }
    }
}
