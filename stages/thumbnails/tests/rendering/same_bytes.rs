//! A rendition is a function of photo and configuration alone: of what was there before, of other executions, of the order
//! of things, nothing shows in its bytes.

use std::collections::{BTreeMap, BTreeSet};

use image::ExtendedColorType as Colour;
use jpeg_encoder::ColorType;
use stage_sdk::{Asset, Failure, MediaType};
use stage_thumbnails::stage::{Host as _, process};

use crate::pictures::png;
use crate::stage::{Bucket, KEY, STATE, asset, bucket, run};
use crate::support::*;

/// Returns a file of the sample listing.
fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../samples/listing/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Pictures of every kind of source, with the configurations under which they are rendered.
fn kinds() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let samples = quarters(700, 500);
    let jpeg = |jpeg: Jpeg| jpeg.encode(&samples, 700, 500, ColorType::Rgb);
    let rgba =
        paint(210, 330, |right, bottom| vec![200, 30, if bottom { 90 } else { 10 }, if right { 255 } else { 90 }]);
    let four = r#"{"boxes":["60x60","120x120"],"widths":[33,300]}"#;
    vec![
        ("a baseline JPEG", jpeg(Jpeg::default()), four),
        ("a progressive JPEG", jpeg(Jpeg { progressive: true, ..Jpeg::default() }), four),
        ("a turned JPEG", jpeg(Jpeg { exif: Some(exif(6)), ..Jpeg::default() }), four),
        ("a small JPEG", Jpeg::default().encode(&quarters(50, 40), 50, 40, ColorType::Rgb), four),
        ("a transparent PNG", png(&rgba, 210, 330, Colour::Rgba8, None, None), four),
        ("a photo", sample("front.jpg"), "{}"),
        ("a photo that is stored lying on its side", sample("staircase.jpg"), "{}"),
        ("a drawing", sample("floor-plan.png"), r#"{"boxes":["320x240","640x480"]}"#),
        ("a WebP photo", sample("bedroom.webp"), r#"{"widths":[200,400,800]}"#),
        ("WebP output", jpeg(Jpeg::default()), r#"{"boxes":["60x60","120x120"],"widths":[33],"format":"webp"}"#),
        (
            "lossless output",
            jpeg(Jpeg::default()),
            r#"{"boxes":["60x60","120x120"],"widths":[33],"format":"webp","lossless":true}"#,
        ),
    ]
}

#[test]
fn whichever_renditions_are_missing_they_are_made_with_the_same_bytes() {
    for (what, source, config) in kinds() {
        let mut bucket = Bucket::default();
        bucket.put(KEY, source, None);
        let first = run(&mut bucket, config).unwrap();
        let whole = bucket.objects.clone();
        let keys: Vec<String> = first.renditions.iter().map(|rendition| rendition.key.clone()).collect();
        for subset in 1u32..1 << keys.len() {
            let missing: Vec<&String> =
                keys.iter().enumerate().filter(|(at, _)| subset & (1 << at) != 0).map(|(_, key)| key).collect();
            missing.iter().for_each(|key| drop(bucket.objects.remove(*key)));
            bucket.written.clear();
            let again = run(&mut bucket, config).unwrap();
            assert!(bucket.objects == whole, "{what}: other bytes after {missing:?} were missing");
            assert_eq!(bucket.written.len(), missing.len(), "{what}: only {missing:?} are written");
            let names = |asset: &Asset| asset.renditions.iter().map(|r| r.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&again), names(&first), "{what}: in the same order");
        }
    }
}

#[test]
fn the_same_fingerprint_means_the_same_bytes_under_every_configuration() {
    let mut by_fingerprint: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let (photo, mut seen) = (sample("front.jpg"), 0);
    for boxes in 1u32..16 {
        let chosen = ["60x60", "120x120", "300x300", "650x650"].into_iter().enumerate();
        let chosen: Vec<&str> = chosen.filter(|(at, _)| boxes & (1 << at) != 0).map(|(_, name)| name).collect();
        let mut bucket = Bucket::default();
        bucket.put(KEY, photo.clone(), None);
        run(&mut bucket, &serde_json::json!({ "boxes": chosen }).to_string()).unwrap();
        for (bytes, stored) in bucket.objects.into_values() {
            let Some(fingerprint) = stored.fingerprint else { continue };
            seen += 1;
            let first = by_fingerprint.entry(fingerprint.clone()).or_insert_with(|| bytes.clone());
            assert!(*first == bytes, "{fingerprint}");
        }
    }
    assert_eq!(
        (seen, by_fingerprint.len()),
        (32, 15),
        "some renditions have one fingerprint in several configurations"
    );
    let distinct: BTreeSet<&Vec<u8>> = by_fingerprint.values().collect();
    assert!(distinct.len() > 4, "and the larger sizes do change the smaller ones");
}

#[test]
fn a_rendition_that_another_execution_wrote_meanwhile_is_replaced_if_the_photo_is_the_same() {
    let mut bucket = bucket();
    let key = "51/thumb/photo/vertical/2025-11-27/photo-001_640x480.jpg";
    let first = bucket.stat(KEY).unwrap().etag;
    let mut pinned = asset(MediaType::PhotoVertical);
    pinned.etag = Some(first);
    bucket.rivals = vec![(key.to_owned(), b"other settings".to_vec(), "x".to_owned())];
    let made = process(&mut bucket, STATE, "{}", pinned.clone()).unwrap();
    assert_eq!(made.renditions.len(), 3);
    assert_ne!(bucket.objects[key].0, b"other settings");

    // Two of them in a row: the state is to be tried again later.
    bucket.objects.remove(key);
    bucket.rivals = vec![(key.to_owned(), vec![1], "x".to_owned()), (key.to_owned(), vec![2], "y".to_owned())];
    assert!(matches!(process(&mut bucket, STATE, "{}", pinned), Err(Failure::Transient(_))));
}

#[test]
fn a_photo_that_is_replaced_while_its_renditions_are_written_is_a_mismatch_that_names_it() {
    let mut bucket = bucket();
    let mut pinned = asset(MediaType::PhotoVertical);
    pinned.etag = Some(bucket.stat(KEY).unwrap().etag);
    let photo = Jpeg::default().encode(&quarters(90, 90), 90, 90, ColorType::Rgb);
    bucket.replaced = Some((KEY.to_owned(), photo));
    bucket.rivals = vec![(
        "51/thumb/photo/vertical/2025-11-27/photo-001_320x240.jpg".to_owned(),
        b"of the newer photo".to_vec(),
        "x".to_owned(),
    )];
    match process(&mut bucket, STATE, "{}", pinned) {
        Err(Failure::Mismatch(text)) => assert!(text.starts_with("photo-001.jpg was replaced"), "{text}"),
        other => panic!("{other:?}"),
    }
    let kept = &bucket.objects["51/thumb/photo/vertical/2025-11-27/photo-001_320x240.jpg"].0;
    assert_eq!(kept, b"of the newer photo", "the newer execution's rendition stays");
}
