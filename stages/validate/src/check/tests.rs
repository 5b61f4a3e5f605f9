//! Which files are accepted and which are not, on a host with one object in memory.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

const PHOTO: &str = "51/raw/photo/horizontal/2025-11-27/front.jpg";

/// A host with one stored object, and a log of the calls.
struct OneObject {
    key: String,
    bytes: Vec<u8>,
    /// The length that the store reports, if it differs from the real one.
    claimed: Option<u64>,
    content_type: Option<String>,
    crc32: Option<u32>,
    log: Rc<RefCell<Vec<String>>>,
}

impl OneObject {
    fn new(key: &str, bytes: Vec<u8>) -> Self {
        Self { key: key.to_owned(), bytes, claimed: None, content_type: None, crc32: None, log: Rc::default() }
    }

    fn from_sample(key: &str, name: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/listing/");
        Self::new(key, std::fs::read(format!("{folder}{name}")).unwrap())
    }

    fn exists(&self, key: &str) -> Result<(), Failure> {
        if key == self.key { Ok(()) } else { Err(Failure::Missing(format!("there is no {key}"))) }
    }

    fn log_call(&self, what: &str) {
        self.log.borrow_mut().push(what.to_owned());
    }
}

struct Bytes(Vec<u8>);

impl Source for Bytes {
    type Error = Failure;

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Failure> {
        Ok(Source::read(&mut self.0.as_slice(), offset, len).unwrap())
    }
}

impl Host for OneObject {
    type Object = Bytes;

    fn parse_key(&mut self, key: &str) -> Result<Parts, Failure> {
        let segments: Vec<&str> = key.split('/').collect();
        let [listing, area, kind, shape, date, name] = segments.as_slice() else {
            return Err(Failure::InvalidInput(format!("{key} does not follow the layout of keys")));
        };
        Ok(Parts {
            listing: (*listing).to_owned(),
            area: if *area == "raw" { Area::Raw } else { Area::Thumb },
            media_type: media_type(&format!("{kind}/{shape}")),
            date: Some((*date).to_owned()),
            name: (*name).to_owned(),
        })
    }

    fn stat(&mut self, key: &str) -> Result<ObjectInfo, Failure> {
        self.exists(key)?;
        Ok(ObjectInfo {
            key: key.to_owned(),
            bytes: self.claimed.unwrap_or(self.bytes.len() as u64),
            etag: "etag-1".to_owned(),
            content_type: self.content_type.clone(),
            crc32: self.crc32,
            fingerprint: None,
        })
    }

    fn digest(&mut self, key: &str, etag: &str) -> Result<Digests, Failure> {
        self.exists(key)?;
        self.log_call("digest");
        assert_eq!(etag, "etag-1", "digests are of the version from stat");
        Ok(Digests {
            sha256: "ab".repeat(32),
            crc32: 0x1234_5678,
            bytes: self.bytes.len() as u64,
            etag: etag.to_owned(),
        })
    }

    fn open(&mut self, key: &str, etag: &str) -> Result<Bytes, Failure> {
        self.exists(key)?;
        self.log_call("open");
        assert_eq!(etag, "etag-1", "headers are of the version from stat");
        Ok(Bytes(self.bytes.clone()))
    }

    fn tag(&mut self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        self.exists(key)?;
        self.log_call(&format!("tag {name}={value}"));
        Ok(())
    }
}

fn media_type(segment: &str) -> MediaType {
    let all = [
        MediaType::PhotoVertical,
        MediaType::PhotoHorizontal,
        MediaType::VideoVertical,
        MediaType::VideoHorizontal,
        MediaType::ProjectDoc,
        MediaType::ProjectRender,
    ];
    all.into_iter().find(|each| media_name(*each) == segment).unwrap()
}

/// Returns an asset before validation.
fn asset(key: &str) -> Asset {
    let segments: Vec<&str> = key.split('/').collect();
    Asset {
        media_type: media_type(&segments[2..4].join("/")),
        title: Some("Front".to_owned()),
        sequence: Some(3),
        verified: false,
        ..crate::fixtures::asset(key)
    }
}

fn check(host: &mut OneObject, asset: Asset) -> Result<Asset, Failure> {
    validate(host, &Config::default(), asset)
}

#[test]
fn a_good_photo_is_returned_with_the_facts_about_its_bytes() {
    let key = "51/raw/photo/vertical/2025-11-27/staircase.jpg";
    let mut host = OneObject::from_sample(key, "staircase.jpg");
    let bytes = host.bytes.len() as u64;
    let found = check(&mut host, asset(key)).unwrap();
    let expected = Asset {
        content_type: Some("image/jpeg".to_owned()),
        bytes: Some(bytes),
        etag: Some("etag-1".to_owned()),
        sha256: Some("ab".repeat(32)),
        crc32: Some(0x1234_5678),
        pixels: Some(PixelSize { width: 1600, height: 2133 }),
        orientation: Some(6),
        verified: true,
        ..asset(key)
    };
    assert_eq!(found, expected);
    assert_eq!(*host.log.borrow(), ["tag lifecycle=raw", "digest", "open"]);
}

#[test]
fn a_video_is_returned_with_its_duration_sound_and_rotation() {
    let key = "51/raw/video/vertical/2025-11-27/staircase.mp4";
    let found = check(&mut OneObject::from_sample(key, "staircase.mp4"), asset(key)).unwrap();
    assert_eq!(found.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(found.pixels, Some(PixelSize { width: 720, height: 1280 }));
    assert_eq!((found.orientation, found.duration_ms, found.has_audio), (Some(6), Some(3000), Some(false)));
}

#[test]
fn a_document_has_neither_pixels_nor_orientation() {
    let key = "51/raw/project/doc/2025-11-27/description.pdf";
    let found = check(&mut OneObject::from_sample(key, "description.pdf"), asset(key)).unwrap();
    assert_eq!((found.pixels, found.orientation, found.verified), (None, None, true));
}

#[test]
fn a_correct_declaration_passes_in_any_spelling() {
    let mut host = OneObject::from_sample(PHOTO, "front.jpg");
    host.content_type = Some("binary/octet-stream".to_owned());
    host.crc32 = Some(0x1234_5678);
    let declared = Asset {
        content_type: Some("image/JPG".to_owned()),
        bytes: Some(host.bytes.len() as u64),
        etag: Some("\"etag-1\"".to_owned()),
        sha256: Some("AB".repeat(32)),
        ..asset(PHOTO)
    };
    assert!(check(&mut host, declared).unwrap().verified);
}

#[test]
fn a_wrong_declaration_is_a_mismatch_that_names_both_values() {
    type Lie = fn(&mut Asset);
    let lies: [(Lie, [&str; 2]); 5] = [
        (|asset| asset.bytes = Some(7), ["7 bytes", "but has"]),
        (|asset| asset.etag = Some("other".to_owned()), ["\"other\"", "\"etag-1\""]),
        (|asset| asset.sha256 = Some("cd".repeat(32)), ["cdcdcdcd", "abababab"]),
        (|asset| asset.content_type = Some("image/png".to_owned()), ["\"image/png\"", "JPEG (image/jpeg)"]),
        (|asset| asset.media_type = MediaType::PhotoVertical, ["photo/vertical", "photo/horizontal"]),
    ];
    for (lie, sides) in lies {
        let mut declared = asset(PHOTO);
        lie(&mut declared);
        match check(&mut OneObject::from_sample(PHOTO, "front.jpg"), declared) {
            Err(Failure::Mismatch(message)) => {
                assert!(message.contains("front.jpg"), "{message}");
                assert!(sides.iter().all(|side| message.contains(side)), "{message}");
            }
            other => panic!("{sides:?} gave {other:?}"),
        }
    }
}

#[test]
fn the_stores_own_metadata_is_checked_too() {
    let mut wrong_type = OneObject::from_sample(PHOTO, "front.jpg");
    wrong_type.content_type = Some("text/html".to_owned());
    assert!(matches!(check(&mut wrong_type, asset(PHOTO)), Err(Failure::Mismatch(_))));
    let mut wrong_sum = OneObject::from_sample(PHOTO, "front.jpg");
    wrong_sum.crc32 = Some(1);
    assert!(matches!(check(&mut wrong_sum, asset(PHOTO)), Err(Failure::Mismatch(_))));
    let mut wrong_length = OneObject::from_sample(PHOTO, "front.jpg");
    wrong_length.claimed = Some(5);
    assert!(matches!(check(&mut wrong_length, asset(PHOTO)), Err(Failure::Mismatch(_))));
}

#[test]
fn a_video_among_the_photos_is_a_mismatch() {
    let refused = check(&mut OneObject::from_sample(PHOTO, "walk-through.mp4"), asset(PHOTO)).unwrap_err();
    let message = "front.jpg is a video (MP4), but photo/horizontal is for pictures";
    assert_eq!(refused, Failure::Mismatch(message.to_owned()));
    let doc = "51/raw/project/doc/2025-11-27/front.pdf";
    let refused = check(&mut OneObject::from_sample(doc, "front.jpg"), asset(doc)).unwrap_err();
    assert!(matches!(refused, Failure::Mismatch(_)));
}

#[test]
fn a_project_rendering_is_a_picture() {
    let key = "51/raw/project/render/2025-11-27/floor-plan.png";
    assert!(check(&mut OneObject::from_sample(key, "floor-plan.png"), asset(key)).unwrap().verified);
}

#[test]
fn a_limit_on_bytes_is_checked_before_any_byte_is_read() {
    let mut host = OneObject::from_sample(PHOTO, "front.jpg");
    host.claimed = Some(256 * 1024 * 1024 + 1);
    let refused = check(&mut host, asset(PHOTO)).unwrap_err();
    let message = "front.jpg has 268435457 bytes; at most 268435456 bytes are accepted";
    assert_eq!(refused, Failure::TooLarge(message.to_owned()));
    assert_eq!(*host.log.borrow(), ["tag lifecycle=raw"]);
}

#[test]
fn a_limit_on_pixels_is_checked_on_the_header() {
    let config = Config { max_pixels: 2400 * 1600 - 1, ..Config::default() };
    let refused = validate(&mut OneObject::from_sample(PHOTO, "front.jpg"), &config, asset(PHOTO)).unwrap_err();
    let message = "front.jpg has 2400 × 1600 pixels; at most 3839999 pixels in all are accepted";
    assert_eq!(refused, Failure::TooLarge(message.to_owned()));
}

#[test]
fn damage_is_reported_with_its_offset() {
    let message_of = |bytes: Vec<u8>| match check(&mut OneObject::new(PHOTO, bytes), asset(PHOTO)) {
        Err(Failure::Corrupt(message)) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(message_of(Vec::new()), "front.jpg is empty");
    let whole = OneObject::from_sample(PHOTO, "front.jpg").bytes;
    let header = message_of(whole[..100].to_vec());
    assert_eq!(header, "front.jpg is cut off: it ends at byte 100, within the JPEG header");
    let data = message_of(whole[..100_000].to_vec());
    assert_eq!(data, "front.jpg is cut off: it ends at byte 100000, within the picture's data");
    let mut broken = whole;
    broken[4..6].fill(0);
    assert_eq!(message_of(broken), "front.jpg is damaged: a segment of an impossible length, at byte 2");
}

#[test]
fn the_damaged_sample_is_refused() {
    let key = "51/raw/photo/horizontal/2025-11-27/kitchen-damaged.jpg";
    let refused = check(&mut OneObject::from_sample(key, "kitchen-damaged.jpg"), asset(key)).unwrap_err();
    assert!(matches!(refused, Failure::Corrupt(message) if message.starts_with("kitchen-damaged.jpg is cut off")));
}

#[test]
fn a_file_of_another_format_is_refused_with_its_name() {
    let accepted = "accepted formats are JPEG, PNG, HEIC, WebP";
    let cases: [(&[u8], &str); 3] = [
        (b"GIF89a\x01\0\x01\0\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\0\x3b", "has the format GIF"),
        (b"PK\x03\x04\x14\0\0\0", "is a ZIP archive, or a document made of one (DOCX, XLSX, PPTX)"),
        (b"<!doctype html><title>Oops</title>", "is an HTML page"),
    ];
    for (bytes, what) in cases {
        let refused = check(&mut OneObject::new(PHOTO, bytes.to_vec()), asset(PHOTO)).unwrap_err();
        assert_eq!(refused, Failure::Unsupported(format!("front.jpg {what}; {accepted}")));
    }
}

#[test]
fn the_accepted_formats_are_configuration() {
    let config = Config::parse(r#"{"accept": ["PNG"]}"#).unwrap();
    let refused = validate(&mut OneObject::from_sample(PHOTO, "front.jpg"), &config, asset(PHOTO)).unwrap_err();
    assert_eq!(refused, Failure::Unsupported("front.jpg has the format JPEG; accepted formats are PNG".to_owned()));
}

#[test]
fn a_missing_file_and_a_key_of_no_upload_are_refused() {
    let mut host = OneObject::new("elsewhere", vec![1]);
    assert!(matches!(check(&mut host, asset(PHOTO)), Err(Failure::Missing(_))));
    let thumb = "51/thumb/photo/horizontal/2025-11-27/front.jpg";
    assert!(matches!(check(&mut host, asset(thumb)), Err(Failure::InvalidInput(_))));
    assert!(host.log.borrow().is_empty(), "no object was touched");
}
