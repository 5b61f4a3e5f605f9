//! Real and hostile pictures through the whole pipeline, in the sandbox.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use stage_thumbnails::config::Config;
use stage_thumbnails::error::PictureError;
use stage_thumbnails::render::render;
use stagehost_needs::media;
use stagehost_tests::run;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file() && !file.file_name().unwrap().to_string_lossy().starts_with("LICENSE"));
    files.sort();
    files
}

fn copy(files: &[PathBuf], to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in files {
        std::fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Mean difference of two pictures' channels, 0 to 255.
fn difference(a: &Path, b: &Path) -> f64 {
    let (a, b) = (image::open(a).unwrap().to_rgb8(), image::open(b).unwrap().to_rgb8());
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

#[test]
fn all_sixteen_orientations_look_the_same() {
    let Some(source) = media("orientation") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in"), dir.path().join("out"));
    copy(&files(&source), &input);
    let ran = run([input.as_os_str(), "--out".as_ref(), out.as_os_str()]).unwrap();
    assert_eq!(ran.code, 0, "{:#}\n{}", ran.json, ran.stderr);
    let bucket = out.join("toq-listing-medias");
    for shape in ["Landscape", "Portrait"] {
        let rendition = |number: u32| {
            let key = ran.output(&format!("{shape}_{number}.jpg"))["outputs"]["640x480"].as_str().unwrap();
            bucket.join(key)
        };
        for number in 2..=8 {
            let off = difference(&rendition(1), &rendition(number));
            assert!(off < 6.0, "{shape}_{number} differs from {shape}_1 by {off:.1} of 255");
        }
    }
}

/// The stage's own tests run natively. They speak for the component, because it decodes, resizes and encodes to the same
/// bytes with WebAssembly's vectors as natively without.
#[test]
fn the_sandbox_makes_the_same_bytes_as_native_code() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/listing");
    let names = ["front.jpg", "kitchen.jpg", "living-room.jpg", "staircase.jpg", "staircase-other-hand.jpg"];
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in"), dir.path().join("out"));
    copy(&names.map(|name| samples.join(name)), &input);
    let ran = run([input.as_os_str(), "--out".as_ref(), out.as_os_str()]).unwrap();
    assert_eq!(ran.code, 0, "{:#}\n{}", ran.json, ran.stderr);
    let config = Config::default();
    for name in names {
        let output = ran.output(name);
        let mut compared = 0;
        render::<PictureError>(std::fs::read(input.join(name)).unwrap(), &config, &config.renditions, |rendered| {
            let key = output["outputs"][rendered.bounds.to_string()].as_str().unwrap();
            let sandboxed = std::fs::read(out.join("toq-listing-medias").join(key)).unwrap();
            assert!(sandboxed == rendered.bytes, "{name}: {key} has other bytes than natively");
            compared += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(compared, 3);
    }
}

#[test]
fn renditions_that_their_format_cannot_hold_are_named_beside_those_that_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out, config) = (dir.path().join("in"), dir.path().join("out"), dir.path().join("config.json"));
    std::fs::create_dir(&input).unwrap();
    image::GrayImage::new(800, 17_000).save(input.join("long-page.jpg")).unwrap();
    image::GrayImage::new(800, 600).save(input.join("page.jpg")).unwrap();
    let settings = r#"{"states":{"GenerateThumbnails":{"config":{"widths":[200,800],"format":"webp"}}}}"#;
    std::fs::write(&config, settings).unwrap();
    let arguments = [input.as_os_str(), "--out".as_ref(), out.as_os_str(), "--config".as_ref(), config.as_os_str()];
    for _ in 0..2 {
        let ran = run(arguments).unwrap();
        assert_eq!(
            (ran.code, ran.json["status"].as_str()),
            (3, Some("PARTIAL_SUCCESS")),
            "{:#}\n{}",
            ran.json,
            ran.stderr
        );
        let made = |name: &str| ran.output(name)["outputs"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(made("page.jpg"), ["w200", "w800"]);
        assert_eq!(made("long-page.jpg"), ["w200"]);
        assert_eq!(ran.output("long-page.jpg")["errorCode"], "Stage.TooLarge");
        assert!(ran.output("page.jpg").get("errorCode").is_none());
    }
}

/// What may be wrong with a file. Anything else would be a defect of a stage or of the host.
const REFUSALS: [&str; 3] = ["Stage.Corrupt", "Stage.Unsupported", "Stage.TooLarge"];

#[test]
fn a_hostile_file_is_a_typed_failure_or_gets_its_thumbnails_and_the_process_lives() {
    let Some(source) = media("hostile") else { return };
    let dir = tempfile::tempdir().unwrap();
    // Formats that are refused by default are accepted, so that the decoders see them.
    let config = dir.path().join("config.json");
    std::fs::write(
        &config,
        r#"{"states":{"ValidateRawAssets":{"config":{"accept":["image/jpeg","image/png","image/gif","image/tiff","image/webp"]}}}}"#,
    )
    .unwrap();
    for (number, batch) in files(&source).chunks(40).enumerate() {
        let (input, out) = (dir.path().join(format!("in{number}")), dir.path().join(format!("out{number}")));
        copy(batch, &input);
        let arguments = [input.as_os_str(), "--out".as_ref(), out.as_os_str(), "--config".as_ref(), config.as_os_str()];
        let ran = run(arguments).unwrap();
        assert!([0, 1, 3].contains(&ran.code), "exit code {}\n{}", ran.code, ran.stderr);
        for file in batch {
            let name = file.file_name().unwrap().to_string_lossy();
            let output = ran.output(&name);
            match output["errorCode"].as_str() {
                Some(code) => assert!(REFUSALS.contains(&code), "{name}: {output:#}"),
                None => {
                    let outputs = output["outputs"].as_object().unwrap();
                    assert_eq!(outputs.len(), 3, "{name} has neither a failure nor its renditions: {output}");
                    for key in outputs.values() {
                        image::open(out.join("toq-listing-medias").join(key.as_str().unwrap())).unwrap();
                    }
                }
            }
        }
    }
}
