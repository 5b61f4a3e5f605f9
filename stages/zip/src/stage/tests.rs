//! The stage on a host with objects in memory.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use stage_sdk::testing::batch;

use super::*;
use crate::bindings::toq::media::keys::Area;
use crate::bindings::toq::media::types::{Asset, MediaType, Rendition};
use crate::fixtures;

#[derive(Clone)]
struct Stored {
    bytes: Vec<u8>,
    etag: String,
    fingerprint: Option<String>,
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Stored>,
    /// The bytes that the stage itself sent.
    appended: u64,
    digests: u32,
    created: u32,
    /// Archives that another execution writes just before this one finishes, the next one last.
    rivals: Vec<(Vec<u8>, String)>,
}

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Bucket>>);

/// As the real host's: it reads ahead, so a failed read is reported by a later call, at the latest by `finish`.
struct MemoryWriter {
    bucket: Rc<RefCell<Bucket>>,
    key: String,
    fingerprint: String,
    bytes: Vec<u8>,
    failed: Option<Failure>,
}

impl Memory {
    fn put(&self, key: &str, bytes: &[u8]) -> String {
        let etag = format!("etag-{:08x}", crc32fast::hash(bytes));
        let stored = Stored { bytes: bytes.to_vec(), etag: etag.clone(), fingerprint: None };
        self.0.borrow_mut().objects.insert(key.to_owned(), stored);
        etag
    }

    /// Returns the names in a bundle, in order, and checks its bytes.
    fn names(&self, key: &str) -> Vec<String> {
        let bytes = self.0.borrow().objects[key].bytes.clone();
        let mut reader = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        (0..reader.len())
            .map(|index| {
                let mut file = reader.by_index(index).unwrap();
                std::io::copy(&mut file, &mut std::io::sink()).unwrap();
                file.name().unwrap().into_owned()
            })
            .collect()
    }
}

fn fetch(bucket: &Bucket, key: &str, if_match: &str) -> Result<Stored, Failure> {
    let stored = bucket.objects.get(key).ok_or_else(|| Failure::Missing(key.to_owned()))?;
    if stored.etag == if_match { Ok(stored.clone()) } else { Err(Failure::Mismatch(key.to_owned())) }
}

impl Host for Memory {
    type Writer = MemoryWriter;

    fn parse(&self, key: &str) -> Result<Parts, Failure> {
        let parts: Vec<&str> = key.split('/').collect();
        let [listing, area, kind, orientation, date, name] = parts[..] else {
            return Err(Failure::InvalidInput(format!("{key} does not follow the layout")));
        };
        let area = match area {
            "raw" => Area::Raw,
            "processed" => Area::Processed,
            _ => Area::Thumb,
        };
        let media_type = match (kind, orientation) {
            ("photo", "vertical") => MediaType::PhotoVertical,
            ("video", _) => MediaType::VideoHorizontal,
            ("project", _) => MediaType::ProjectDoc,
            _ => MediaType::PhotoHorizontal,
        };
        let (listing, date, name) = (listing.to_owned(), Some(date.to_owned()), name.to_owned());
        Ok(Parts { listing, area, media_type, date, name })
    }
    fn bundle_key(&self, name: &str) -> Result<String, Failure> {
        Ok(format!("51/zip/{name}.zip"))
    }
    fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        let bucket = self.0.borrow();
        let stored = bucket.objects.get(key).ok_or_else(|| Failure::Missing(key.to_owned()))?;
        Ok(info(key, stored))
    }
    fn digest(&self, key: &str, if_match: &str) -> Result<Digests, Failure> {
        let mut bucket = self.0.borrow_mut();
        bucket.digests += 1;
        let stored = fetch(&bucket, key, if_match)?;
        Ok(Digests {
            sha256: String::new(),
            crc32: crc32fast::hash(&stored.bytes),
            bytes: stored.bytes.len() as u64,
            etag: stored.etag,
        })
    }
    fn create(&self, key: &str, content_type: &str, fingerprint: &str) -> Result<MemoryWriter, Failure> {
        assert_eq!(content_type, "application/zip");
        self.0.borrow_mut().created += 1;
        let (key, fingerprint) = (key.to_owned(), fingerprint.to_owned());
        Ok(MemoryWriter { bucket: self.0.clone(), key, fingerprint, bytes: Vec::new(), failed: None })
    }
    fn report(&self, done: u64, total: u64) {
        assert!(done <= total);
    }
}

fn info(key: &str, stored: &Stored) -> ObjectInfo {
    ObjectInfo {
        key: key.to_owned(),
        bytes: stored.bytes.len() as u64,
        etag: stored.etag.clone(),
        content_type: None,
        crc32: Some(crc32fast::hash(&stored.bytes)),
        fingerprint: stored.fingerprint.clone(),
    }
}

impl ObjectWriter for MemoryWriter {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.check()?;
        self.bucket.borrow_mut().appended += bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
    fn append_object(&mut self, key: &str, if_match: &str, bytes: u64) -> Result<(), Failure> {
        self.check()?;
        match fetch(&self.bucket.borrow(), key, if_match) {
            Ok(stored) => {
                assert_eq!(stored.bytes.len() as u64, bytes);
                self.bytes.extend(stored.bytes);
            }
            Err(failure) => self.failed = Some(failure),
        }
        Ok(())
    }
    fn finish(self) -> Result<ObjectInfo, Failure> {
        self.check()?;
        let mut bucket = self.bucket.borrow_mut();
        if let Some((bytes, fingerprint)) = bucket.rivals.pop() {
            let stored = Stored { bytes, etag: "rival".to_owned(), fingerprint: Some(fingerprint) };
            bucket.objects.insert(self.key, stored);
            return Err(Failure::Mismatch("another execution wrote it".to_owned()));
        }
        let stored = Stored { bytes: self.bytes, etag: "zip".to_owned(), fingerprint: Some(self.fingerprint) };
        let info = info(&self.key, &stored);
        bucket.objects.insert(self.key, stored);
        Ok(info)
    }
}

impl MemoryWriter {
    fn check(&self) -> Result<(), Failure> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}

fn asset(host: &Memory, key: &str, bytes: &[u8]) -> Asset {
    Asset {
        media_type: host.parse(key).unwrap().media_type,
        bytes: Some(bytes.len() as u64),
        etag: Some(host.put(key, bytes)),
        crc32: Some(crc32fast::hash(bytes)),
        ..fixtures::asset(key)
    }
}

fn rendition(host: &Memory, key: &str, bytes: &[u8], crc32: Option<u32>) -> Rendition {
    let (bytes, etag) = (bytes.len() as u64, host.put(key, bytes));
    Rendition { bytes, etag, crc32, ..fixtures::rendition("any", key, "any/any", None) }
}

/// Returns a photo with a thumbnail, a video transcoded by a service that gives no checksum, with a stream, and a
/// document.
fn listing(host: &Memory) -> Batch {
    let mut photo = asset(host, "51/raw/photo/vertical/2025-11-27/a.jpg", b"photo");
    photo.renditions = vec![rendition(
        host,
        "51/thumb/photo/vertical/2025-11-27/a_320x240.jpg",
        b"small",
        Some(crc32fast::hash(b"small")),
    )];
    let mut video = asset(host, "51/raw/video/horizontal/2025-11-27/v.mov", b"video");
    video.renditions = vec![rendition(host, "51/processed/video/horizontal/2025-11-27/v_1080p.mp4", b"hd", None)];
    // Its segments are in no batch, so the playlist is in no archive.
    let playlist = rendition(host, "51/processed/video/horizontal/2025-11-27/v_hls.m3u8", b"#EXTM3U", None);
    video.renditions.push(Rendition { content_type: "application/vnd.apple.mpegurl".to_owned(), ..playlist });
    let document = asset(host, "51/raw/project/doc/2025-11-27/plan.pdf", b"plan");
    batch(vec![photo, video, document])
}

#[test]
fn each_bundle_holds_its_files_with_readable_names() {
    let host = Memory::default();
    let outcome = run(&host, "{}", &listing(&host)).unwrap();
    assert!(outcome.failures.is_empty() && outcome.assets.is_empty());
    let facts: Vec<_> =
        outcome.bundles.iter().map(|b| (b.name.as_str(), b.entries, b.unpacked_bytes, b.reused)).collect();
    assert_eq!(facts, [("complete", 5, 21, false), ("originals", 3, 14, false), ("thumbnails", 1, 5, false)]);
    assert_eq!(
        host.names("51/zip/complete.zip"),
        [
            "photo/vertical/a.jpg",
            "thumbnails/photo/vertical/a_320x240.jpg",
            "video/horizontal/v.mov",
            "processed/video/horizontal/v_1080p.mp4",
            "project/doc/plan.pdf"
        ]
    );
    assert_eq!(
        host.names("51/zip/originals.zip"),
        ["photo/vertical/a.jpg", "video/horizontal/v.mov", "project/doc/plan.pdf"]
    );
    assert_eq!(host.names("51/zip/thumbnails.zip"), ["photo/vertical/a_320x240.jpg"]);
    for bundle in &outcome.bundles {
        assert_eq!(bundle.bytes, host.0.borrow().objects[&bundle.key].bytes.len() as u64);
    }
    assert_eq!(host.0.borrow().digests, 1, "only the video's rendition has no checksum, and it is computed once");
}

#[test]
fn a_second_run_makes_nothing_and_reads_nothing() {
    let host = Memory::default();
    let listing = listing(&host);
    let first = run(&host, "{}", &listing).unwrap();
    let (created, digests) = (host.0.borrow().created, host.0.borrow().digests);
    let second = run(&host, "{}", &listing).unwrap();
    assert_eq!((host.0.borrow().created, host.0.borrow().digests), (created, digests));
    assert!(second.bundles.iter().all(|bundle| bundle.reused));
    let unmarked: Vec<Bundle> = second.bundles.into_iter().map(|b| Bundle { reused: false, ..b }).collect();
    assert_eq!(unmarked, first.bundles);
    assert_eq!(
        second.note.as_deref(),
        Some("complete: 5 files, up to date; originals: 3 files, up to date; thumbnails: 1 file, up to date")
    );
}

#[test]
fn a_changed_photo_remakes_only_the_bundles_that_hold_it() {
    let host = Memory::default();
    let mut listing = listing(&host);
    run(&host, "{}", &listing).unwrap();
    let renditions = std::mem::take(&mut listing.assets[0].renditions);
    listing.assets[0] = asset(&host, "51/raw/photo/vertical/2025-11-27/a.jpg", b"other");
    listing.assets[0].renditions = renditions;
    let outcome = run(&host, "{}", &listing).unwrap();
    let reused: Vec<bool> = outcome.bundles.iter().map(|bundle| bundle.reused).collect();
    assert_eq!(reused, [false, false, true]);
}

#[test]
fn an_upload_counts_if_validated_even_if_a_later_stage_failed() {
    let host = Memory::default();
    let mut listing = listing(&host);
    listing.assets[0].problem = Some(crate::bindings::toq::media::types::Problem {
        state: "GenerateThumbnails".to_owned(),
        code: "Stage.Corrupt".to_owned(),
        message: "x".to_owned(),
    });
    listing.assets[0].renditions.clear();
    listing.assets[2].verified = false;
    let outcome = run(&host, r#"{"bundles":["originals","thumbnails"]}"#, &listing).unwrap();
    assert_eq!(host.names("51/zip/originals.zip"), ["photo/vertical/a.jpg", "video/horizontal/v.mov"]);
    assert_eq!(outcome.bundles.len(), 1);
    assert!(outcome.note.unwrap().ends_with("thumbnails: nothing to bundle"));
}

#[test]
fn a_file_that_was_replaced_meanwhile_is_left_out_and_reported() {
    let host = Memory::default();
    let listing = listing(&host);
    host.put("51/raw/photo/vertical/2025-11-27/a.jpg", b"another photo");
    host.0.borrow_mut().objects.remove("51/processed/video/horizontal/2025-11-27/v_1080p.mp4");
    let outcome = run(&host, r#"{"bundles":["complete","originals"]}"#, &listing).unwrap();
    assert_eq!(
        host.names("51/zip/complete.zip"),
        ["thumbnails/photo/vertical/a_320x240.jpg", "video/horizontal/v.mov", "project/doc/plan.pdf"]
    );
    let failed: Vec<_> = outcome.failures.iter().map(|f| (f.key.as_str(), &f.failure)).collect();
    assert!(matches!(
        failed[..],
        [
            ("51/raw/photo/vertical/2025-11-27/a.jpg", Failure::Mismatch(_)),
            ("51/raw/video/horizontal/2025-11-27/v.mov", Failure::Missing(_))
        ]
    ));
    let note = outcome.note.unwrap();
    assert!(note.ends_with("replaced or removed meanwhile: a.jpg, v_1080p.mp4"), "{note}");
}

#[test]
fn whichever_file_was_replaced_it_fails_alone() {
    let keys = [
        "51/raw/photo/vertical/2025-11-27/a.jpg",
        "51/thumb/photo/vertical/2025-11-27/a_320x240.jpg",
        "51/raw/video/horizontal/2025-11-27/v.mov",
        "51/processed/video/horizontal/2025-11-27/v_1080p.mp4",
        "51/raw/project/doc/2025-11-27/plan.pdf",
    ];
    for (key, owner) in std::iter::zip(keys, [0, 0, 1, 1, 2]) {
        let host = Memory::default();
        let listing = listing(&host);
        host.put(key, b"something else");
        let outcome = run(&host, "{}", &listing).unwrap();
        let failed: Vec<&str> = outcome.failures.iter().map(|failed| failed.key.as_str()).collect();
        assert_eq!(failed, [listing.assets[owner].key.as_str()], "{key}");
        assert!(matches!(outcome.failures[0].failure, Failure::Mismatch(_)));
        assert_eq!(outcome.bundles[0].entries, 4, "{key}");
        assert_eq!(host.names("51/zip/complete.zip").len(), 4, "{key}");
    }
}

#[test]
fn a_rendition_that_was_made_again_with_the_same_bytes_stays_valid() {
    let host = Memory::default();
    let listing = listing(&host);
    let key = "51/thumb/photo/vertical/2025-11-27/a_320x240.jpg";
    // As SSE-KMS does: the same bytes under another entity tag.
    host.0.borrow_mut().objects.get_mut(key).unwrap().etag = "another".to_owned();
    let outcome = run(&host, "{}", &listing).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(outcome.bundles[0].entries, 5);
    // An upload was validated in one version, and only that one counts.
    host.0.borrow_mut().objects.get_mut("51/raw/photo/vertical/2025-11-27/a.jpg").unwrap().etag = "another".to_owned();
    host.0.borrow_mut().objects.remove("51/zip/complete.zip");
    assert_eq!(run(&host, "{}", &listing).unwrap().failures.len(), 1);
}

#[test]
fn an_archive_that_another_execution_writes_is_taken_if_it_is_the_same_and_else_replaced() {
    let host = Memory::default();
    let listing = listing(&host);
    let one = r#"{"bundles":["complete"]}"#;
    let made = run(&host, one, &listing).unwrap().bundles;
    let stored = host.0.borrow_mut().objects.remove("51/zip/complete.zip").unwrap();
    host.0.borrow_mut().rivals = vec![(stored.bytes.clone(), stored.fingerprint.clone().unwrap())];
    let taken = run(&host, one, &listing).unwrap().bundles;
    assert!(taken[0].reused);
    assert_eq!(Bundle { reused: false, ..taken[0].clone() }, made[0]);

    host.0.borrow_mut().objects.remove("51/zip/complete.zip");
    host.0.borrow_mut().rivals = vec![(b"of other files".to_vec(), "zip/1 x".to_owned())];
    let outcome = run(&host, one, &listing).unwrap();
    assert!(outcome.failures.is_empty());
    assert_eq!(host.0.borrow().objects["51/zip/complete.zip"].bytes, stored.bytes);

    host.0.borrow_mut().objects.remove("51/zip/complete.zip");
    host.0.borrow_mut().rivals = vec![(Vec::new(), "x".to_owned()); 50];
    assert!(matches!(run(&host, one, &listing), Err(Failure::Transient(text)) if text.contains("complete")));
}

#[test]
fn the_note_says_why_an_archive_was_made_again() {
    let host = Memory::default();
    let mut listing = listing(&host);
    let first = run(&host, r#"{"bundles":["originals"]}"#, &listing).unwrap().note.unwrap();
    assert!(!first.contains("again"), "{first}");
    listing.assets.remove(0);
    let second = run(&host, r#"{"bundles":["originals"]}"#, &listing).unwrap().note.unwrap();
    assert!(second.contains("2 files") && second.ends_with("made again because its files have changed"), "{second}");
}

#[test]
fn no_byte_of_a_file_passes_through_the_stage() {
    let host = Memory::default();
    let sent = |size: usize| {
        let before = host.0.borrow().appended;
        let photo = asset(&host, "51/raw/photo/vertical/2025-11-27/a.jpg", &vec![7; size]);
        run(&host, r#"{"bundles":["originals"]}"#, &batch(vec![photo])).unwrap();
        host.0.borrow().appended - before
    };
    assert_eq!(sent(10), sent(1_000_000));
}

#[test]
fn a_batch_without_a_good_file_has_no_bundle_and_a_note_about_it() {
    let host = Memory::default();
    let outcome = run(&host, "{}", &batch(Vec::new())).unwrap();
    assert!(outcome.bundles.is_empty());
    assert_eq!(host.0.borrow().created, 0);
    assert_eq!(
        outcome.note.as_deref(),
        Some("complete: nothing to bundle; originals: nothing to bundle; thumbnails: nothing to bundle")
    );
}

#[test]
fn an_upload_with_an_invalid_key_is_a_failure_of_that_upload() {
    let host = Memory::default();
    let mut listing = listing(&host);
    listing.assets[0].key = "nonsense".to_owned();
    listing.assets[1].etag = None;
    let outcome = run(&host, r#"{"bundles":["originals"]}"#, &listing).unwrap();
    assert_eq!(host.names("51/zip/originals.zip"), ["project/doc/plan.pdf"]);
    assert!(outcome.failures.iter().all(|failed| matches!(failed.failure, Failure::InvalidInput(_))));
    assert_eq!(outcome.failures.len(), 2);
}
