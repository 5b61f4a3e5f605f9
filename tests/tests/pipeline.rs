//! A listing from upload to callback, and a second run over it.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use stagehost_tests::{file, run};

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

fn modified(bucket: &Path) -> std::collections::BTreeMap<PathBuf, std::time::SystemTime> {
    let mut files = Vec::new();
    for area in ["thumb", "processed", "zip"] {
        walk(&bucket.join("1").join(area), &mut files);
    }
    files.into_iter().map(|file| (file.clone(), file.metadata().unwrap().modified().unwrap())).collect()
}

/// Returns the markers of a JPEG.
fn segments(jpeg: &[u8]) -> Vec<u8> {
    let mut markers = Vec::new();
    let mut at = 2;
    while jpeg[at..].len() > 4 {
        if jpeg[at] != 0xff || matches!(jpeg[at + 1], 0 | 0xd0..=0xd7 | 0xff) {
            at += 1; // within a scan
            continue;
        }
        markers.push(jpeg[at + 1]);
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    markers
}

#[test]
fn a_listing_is_processed_once_and_then_only_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in"), dir.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    for entry in std::fs::read_dir(file("samples/listing")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), input.join(entry.file_name())).unwrap();
    }
    let arguments = [input.as_os_str(), "--out".as_ref(), out.as_os_str()];
    let first = run(arguments).unwrap();
    assert_eq!(first.code, 3, "{:#}\n{}", first.json, first.stderr);
    assert_eq!(first.json["status"], "PARTIAL_SUCCESS");
    assert_eq!(first.output("kitchen-damaged.jpg")["errorCode"], "Stage.Corrupt");
    let states: Vec<_> =
        first.json["timings"].as_array().unwrap().iter().map(|t| t["state"].as_str().unwrap()).collect();
    for state in ["ValidateRawAssets", "GenerateThumbnails", "ProcessVideos", "CreateZipBundle", "FinalizeAndCallback"]
    {
        assert!(states.contains(&state), "{state} is not in {states:?}");
    }

    let bucket = out.join("toq-listing-medias");
    let made = modified(&bucket);
    for picture in made.keys().filter(|file| file.starts_with(bucket.join("1/thumb"))) {
        let segments = segments(&std::fs::read(picture).unwrap());
        // Only JFIF's own header may be beside the picture: no EXIF, GPS, ICC or XMP (APP1 to APP15) and no comment.
        let metadata: Vec<_> = segments.iter().filter(|marker| matches!(marker, 0xe1..=0xef | 0xfe)).collect();
        assert!(metadata.is_empty(), "{}: {metadata:x?}", picture.display());
        assert!(segments.contains(&0xc2), "{} is progressive", picture.display());
    }

    let second = run(arguments).unwrap();
    assert_eq!(second.json["status"], "PARTIAL_SUCCESS", "{}", second.stderr);
    assert_eq!(modified(&bucket), made, "a second run writes nothing");

    std::fs::copy(input.join("front.jpg"), input.join("kitchen.jpg")).unwrap();
    run(arguments).unwrap();
    let changed: Vec<_> =
        modified(&bucket).into_iter().filter(|(file, at)| made.get(file) != Some(at)).map(|(file, _)| file).collect();
    for file in &changed {
        let name = file.file_name().unwrap().to_string_lossy();
        assert!(name.starts_with("kitchen_") || name.ends_with(".zip"), "{name} was made again without need");
    }
    assert_eq!(changed.len(), 3 + 3, "three renditions and three archives: {changed:?}");
}
