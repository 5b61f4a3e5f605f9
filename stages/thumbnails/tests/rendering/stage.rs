//! The stage with one asset, on a host with objects in memory.

use std::collections::BTreeMap;

use jpeg_encoder::ColorType;
use stage_sdk::{Asset, Failure, MediaType, ObjectInfo, PixelSize};
use stage_thumbnails::stage::{Host, process};

use crate::fixtures;
use crate::support::*;

/// A host with objects in memory that records the calls.
#[derive(Default)]
pub struct Bucket {
    pub objects: BTreeMap<String, (Vec<u8>, ObjectInfo)>,
    opened: u32,
    pub written: Vec<String>,
    reads: Vec<(u64, u32)>,
    reports: Vec<(u64, u64)>,
    /// The key at which writing fails.
    broken: Option<String>,
    /// What others store between this call's look at a key and its write, by key: bytes and fingerprint.
    pub rivals: Vec<(String, Vec<u8>, String)>,
    /// What replaces an object when the first rival writes.
    pub replaced: Option<(String, Vec<u8>)>,
    /// The most bytes that a read returns; 0 for no limit.
    short: usize,
}

impl Bucket {
    pub fn put(&mut self, key: &str, bytes: Vec<u8>, fingerprint: Option<&str>) -> ObjectInfo {
        let stored = ObjectInfo {
            key: key.to_owned(),
            content_type: None,
            bytes: bytes.len() as u64,
            etag: format!("etag-{key}-{}", bytes.iter().map(|&b| u64::from(b)).sum::<u64>()),
            crc32: Some(7),
            fingerprint: fingerprint.map(str::to_owned),
        };
        self.objects.insert(key.to_owned(), (bytes, stored.clone()));
        stored
    }
}

impl Host for Bucket {
    type Object = String;

    fn stat(&mut self, key: &str) -> Result<ObjectInfo, Failure> {
        self.objects.get(key).map(|(_, stored)| stored.clone()).ok_or_else(|| Failure::Missing(key.to_owned()))
    }

    fn open(&mut self, key: &str, if_match: Option<&str>) -> Result<(String, ObjectInfo), Failure> {
        self.opened += 1;
        let stored = self.stat(key)?;
        match if_match {
            Some(etag) if etag != stored.etag => Err(Failure::Mismatch(format!("{key} was replaced"))),
            _ => Ok((key.to_owned(), stored)),
        }
    }

    fn read(&mut self, object: &String, offset: u64, len: u32) -> Result<Vec<u8>, Failure> {
        self.reads.push((offset, len));
        let bytes = &self.objects[object].0;
        let len = if self.short > 0 { self.short.min(len as usize) } else { len as usize };
        let from = (offset as usize).min(bytes.len());
        Ok(bytes[from..(from + len).min(bytes.len())].to_vec())
    }

    fn derive_key(&mut self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure> {
        let stem = source.replace("/raw/", "/thumb/");
        Ok(format!("{}_{suffix}.{extension}", stem.rsplit_once('.').map_or(stem.as_str(), |(stem, _)| stem)))
    }

    fn write(&mut self, key: &str, content_type: &str, fingerprint: &str, bytes: &[u8]) -> Result<ObjectInfo, Failure> {
        if self.broken.as_deref() == Some(key) {
            return Err(Failure::Transient("the store is busy".to_owned()));
        }
        assert!(content_type.starts_with("image/"));
        if let Some(at) = self.rivals.iter().position(|(rival, ..)| rival == key) {
            let (_, bytes, fingerprint) = self.rivals.remove(at);
            if let Some((key, bytes)) = self.replaced.take() {
                self.put(&key, bytes, None);
            }
            self.put(key, bytes, Some(&fingerprint));
            return Err(Failure::Mismatch(format!("{key} was written meanwhile")));
        }
        self.written.push(key.to_owned());
        Ok(self.put(key, bytes.to_vec(), Some(fingerprint)))
    }

    fn progress(&mut self, done: u64, total: u64) {
        self.reports.push((done, total));
    }
}

/// The state that runs the stage.
pub const STATE: &str = "GenerateThumbnails";
pub const KEY: &str = "51/raw/photo/vertical/2025-11-27/photo-001.jpg";

pub fn asset(media_type: MediaType) -> Asset {
    Asset {
        media_type,
        content_type: Some("image/jpeg".to_owned()),
        sha256: Some("ab".repeat(32)),
        ..fixtures::asset(KEY)
    }
}

fn photo() -> Vec<u8> {
    Jpeg::default().encode(&quarters(700, 500), 700, 500, ColorType::Rgb)
}

pub fn bucket() -> Bucket {
    let mut bucket = Bucket::default();
    bucket.put(KEY, photo(), None);
    bucket
}

pub fn run(bucket: &mut Bucket, config: &str) -> Result<Asset, Failure> {
    process(bucket, STATE, config, asset(MediaType::PhotoVertical))
}

#[test]
fn a_photo_gets_its_renditions_beside_it() {
    let mut bucket = bucket();
    let asset = run(&mut bucket, "{}").unwrap();
    let got: Vec<_> = asset
        .renditions
        .iter()
        .map(|r| (r.name.as_str(), r.key.as_str(), r.pixels, r.content_type.as_str(), r.reused))
        .collect();
    let key = |size: &str| format!("51/thumb/photo/vertical/2025-11-27/photo-001_{size}.jpg");
    let size = |width, height| Some(PixelSize { width, height });
    assert_eq!(
        got,
        [
            ("320x240", key("320x240").as_str(), size(320, 229), "image/jpeg", false),
            ("640x480", key("640x480").as_str(), size(640, 457), "image/jpeg", false),
            ("1280x960", key("1280x960").as_str(), size(700, 500), "image/jpeg", false),
        ]
    );
    for rendition in &asset.renditions {
        let (bytes, stored) = &bucket.objects[&rendition.key];
        assert_eq!((rendition.bytes, &rendition.etag), (bytes.len() as u64, &stored.etag));
    }
    assert_eq!(bucket.reports.last(), Some(&(4, 4)));
    assert!(bucket.reports.is_sorted());
}

#[test]
fn a_second_run_does_not_open_the_photo() {
    let mut bucket = bucket();
    let first = run(&mut bucket, "{}").unwrap();
    bucket.opened = 0;
    bucket.written.clear();
    let second = run(&mut bucket, "{}").unwrap();
    assert_eq!((bucket.opened, bucket.written.len()), (0, 0));
    assert!(second.renditions.iter().all(|r| r.reused));
    let facts = |a: &Asset| {
        let facts = a.renditions.iter().map(|r| (r.name.clone(), r.key.clone(), r.pixels, r.bytes, r.etag.clone()));
        facts.collect::<Vec<_>>()
    };
    assert_eq!(facts(&first), facts(&second));
}

#[test]
fn only_what_is_missing_or_out_of_date_is_made() {
    let mut bucket = bucket();
    run(&mut bucket, "{}").unwrap();
    bucket.objects.remove("51/thumb/photo/vertical/2025-11-27/photo-001_640x480.jpg");
    bucket.written.clear();
    let asset = run(&mut bucket, "{}").unwrap();
    assert_eq!(bucket.written, ["51/thumb/photo/vertical/2025-11-27/photo-001_640x480.jpg"]);
    let reused: Vec<_> = asset.renditions.iter().map(|r| (r.name.as_str(), r.reused)).collect();
    assert_eq!(reused, [("320x240", true), ("640x480", false), ("1280x960", true)]);

    // Another quality remakes all of them, and so does another photo.
    bucket.written.clear();
    run(&mut bucket, r#"{"quality":70}"#).unwrap();
    assert_eq!(bucket.written.len(), 3);
    bucket.written.clear();
    let mut changed = self::asset(MediaType::PhotoVertical);
    changed.sha256 = Some("cd".repeat(32));
    process(&mut bucket, STATE, r#"{"quality":70}"#, changed).unwrap();
    assert_eq!(bucket.written.len(), 3);
}

#[test]
fn a_rendition_without_a_valid_fingerprint_is_remade() {
    let mut bucket = bucket();
    let key = "51/thumb/photo/vertical/2025-11-27/photo-001_320x240.jpg";
    for fingerprint in [None, Some(""), Some("thumbnails/1"), Some("by hand 320x240")] {
        bucket.put(key, b"something".to_vec(), fingerprint);
        let asset = run(&mut bucket, r#"{"boxes":["320x240"]}"#).unwrap();
        assert!(!asset.renditions[0].reused, "{fingerprint:?}");
    }
}

#[test]
fn without_a_digest_the_entity_tag_tells_versions_apart() {
    let mut bucket = bucket();
    let mut plain = asset(MediaType::PhotoHorizontal);
    plain.sha256 = None;
    process(&mut bucket, STATE, "{}", plain.clone()).unwrap();
    assert!(process(&mut bucket, STATE, "{}", plain.clone()).unwrap().renditions.iter().all(|r| r.reused));
    bucket.put(KEY, Jpeg::default().encode(&quarters(90, 90), 90, 90, ColorType::Rgb), None);
    assert!(process(&mut bucket, STATE, "{}", plain).unwrap().renditions.iter().all(|r| !r.reused));
}

#[test]
fn a_photo_that_was_replaced_during_the_run_is_a_mismatch() {
    let mut bucket = bucket();
    let mut pinned = asset(MediaType::PhotoVertical);
    pinned.etag = Some("an earlier one".to_owned());
    assert!(matches!(process(&mut bucket, STATE, "{}", pinned), Err(Failure::Mismatch(_))));
    assert!(bucket.written.is_empty());
}

#[test]
fn an_asset_that_is_not_a_picture_is_returned_unchanged() {
    for media in [MediaType::VideoVertical, MediaType::VideoHorizontal, MediaType::ProjectDoc] {
        let mut bucket = bucket();
        assert_eq!(process(&mut bucket, STATE, "{}", asset(media)).unwrap(), asset(media));
        assert_eq!((bucket.opened, bucket.reports.len()), (0, 0));
    }
    assert_eq!(process(&mut bucket(), STATE, "{}", asset(MediaType::ProjectRender)).unwrap().renditions.len(), 3);
}

#[test]
fn a_document_under_a_photos_key_is_unsupported_after_its_first_bytes() {
    let mut bucket = Bucket::default();
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.resize(20 << 20, b' ');
    bucket.put(KEY, pdf, None);
    match run(&mut bucket, "{}") {
        Err(Failure::Unsupported(message)) => {
            assert!(message.starts_with("photo-001.jpg is a document (PDF)"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bucket.reads.len(), 1);
}

#[test]
fn a_large_photo_is_read_once_in_pieces_that_the_contract_allows() {
    let mut bucket = Bucket::default();
    let mut large = photo();
    // Any bytes may follow the end of a photo. Phones append videos.
    large.resize(20 << 20, 0);
    bucket.put(KEY, large, None);
    run(&mut bucket, "{}").unwrap();
    assert_eq!(bucket.reads, [(0, 8 << 20), (8 << 20, 8 << 20), (16 << 20, 4 << 20)]);
}

#[test]
fn reads_may_come_short() {
    let mut bucket = bucket();
    bucket.short = 1000;
    assert_eq!(run(&mut bucket, "{}").unwrap().renditions.len(), 3);
}

#[test]
fn failures_are_typed_and_name_the_file() {
    type Expected = fn(&Failure) -> bool;
    let cases: [(Vec<u8>, &str, Expected); 4] = [
        (
            photo()[..3000].to_vec(),
            "{}",
            |f| matches!(f, Failure::Corrupt(m) if m.contains("data ends near line 160 of 500")),
        ),
        (Vec::new(), "{}", |f| matches!(f, Failure::Corrupt(m) if m.contains("empty"))),
        (photo(), r#"{"maxPixels":1000}"#, |f| matches!(f, Failure::TooLarge(m) if m.contains("700x500"))),
        (photo(), r#"{"maxBytes":1000}"#, |f| matches!(f, Failure::TooLarge(m) if m.contains("maxBytes"))),
    ];
    for (file, config, expected) in cases {
        let mut bucket = Bucket::default();
        bucket.put(KEY, file, None);
        let failure = run(&mut bucket, config).unwrap_err();
        assert!(expected(&failure), "{failure:?}");
        assert!(format!("{failure:?}").contains("photo-001.jpg "), "{failure:?}");
    }
    assert!(matches!(run(&mut Bucket::default(), "{}"), Err(Failure::Missing(_))));
    assert!(matches!(run(&mut bucket(), "{"), Err(Failure::InvalidInput(_))));
}

#[test]
fn a_failure_of_the_store_is_returned_unchanged() {
    let mut bucket = bucket();
    bucket.broken = Some("51/thumb/photo/vertical/2025-11-27/photo-001_640x480.jpg".to_owned());
    assert!(matches!(run(&mut bucket, "{}"), Err(Failure::Transient(_))));
}

#[test]
fn the_extension_of_a_key_is_that_of_its_format() {
    let asset = run(&mut bucket(), r#"{"boxes":["320x240"],"format":"webp"}"#).unwrap();
    assert!(asset.renditions[0].key.ends_with("photo-001_320x240.webp"));
    assert_eq!(asset.renditions[0].content_type, "image/webp");
}
