//! Objects, read and written.

use std::sync::OnceLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use stagehost_testing::StoredObject;

use crate::calling::KEY;
use crate::trial::{Language, Seen, Trial, photo};

pub const MADE: &str = "51/processed/photo/vertical/a_made.bin";
/// The length of a large file: 128 MiB.
const LARGE: usize = 128 << 20;
/// How much memory the stage may have while it copies one, in MiB.
pub const MEMORY: u32 = 112;

pub fn trials() -> Vec<Trial> {
    vec![ranges(), digest(), compose(), compose_of_another_version(), tidy(), list_on(), abandon(), copy(), pass_on()]
}

/// What a stage notes of an object that the host has.
fn info(seen: &Seen, key: &str) -> [(&'static str, String); 6] {
    let StoredObject { info, .. } = seen.host.object(key).unwrap_or_else(|| panic!("there is no {key}"));
    [
        ("key", info.key),
        ("bytes", info.bytes.to_string()),
        ("etag", info.etag),
        ("content-type", info.content_type.unwrap_or("none".into())),
        ("crc32", info.crc32.map_or("none".into(), |crc32| crc32.to_string())),
        ("fingerprint", info.fingerprint.unwrap_or("none".into())),
    ]
}

/// Panics if the stage did not note what the host has of an object, and `more`.
pub fn noted_with_info(seen: &Seen, key: &str, more: &[(&str, &str)]) {
    let info = info(seen, key);
    let all: Vec<_> = info.iter().map(|(name, value)| (*name, &**value)).chain(more.iter().copied()).collect();
    seen.noted(&all);
}

/// A read begins anywhere and ends at the object's end at the latest; past it there is nothing.
fn ranges() -> Trial {
    Trial::new("ranges", |seen| {
        let (photo, hex) = (photo(), |bytes: &[u8]| hex::encode(bytes));
        let (head, tail, back) = (hex(&photo[..4]), hex(&photo[997..]), hex(&photo[7..9]));
        let read = [("head", &*head), ("tail", &*tail), ("back", &*back), ("end", ""), ("far", ""), ("none", "")];
        noted_with_info(seen, KEY, &read);
        assert_eq!(seen.report.bytes_read, 4 + 3 + 2);
    })
}

fn digest() -> Trial {
    Trial::new("digest", |seen| {
        let sha256 = hex::encode(Sha256::digest(photo()));
        let [_, (_, bytes), (_, etag), _, (_, crc32), _] = info(seen, KEY);
        seen.noted(&[("sha256", &sha256), ("crc32", &crc32), ("bytes", &bytes), ("etag", &etag)]);
    })
}

/// An object is put together from the stage's own bytes and from those of a stored object.
fn compose() -> Trial {
    Trial::new("compose", |seen| {
        assert_eq!(seen.stored(), (MADE.to_owned(), Bytes::from_static(b"<\x02\x03\x04>")));
        noted_with_info(seen, MADE, &[]);
        let [rendition] = &seen.asset().renditions[..] else { panic!("{:?}", seen.asset()) };
        assert_eq!((&*rendition.name, &*rendition.key, rendition.bytes, rendition.reused), ("made", MADE, 5, false));
    })
}

fn compose_of_another_version() -> Trial {
    Trial::new("compose", |seen| seen.failed(stagehost_batch::Case::Mismatch, KEY))
        .given("another version", |setting| setting.asset.etag = Some("another".into()))
}

/// A listing has pages and stays below the pin's prefixes; only what the stage has made is deleted.
fn tidy() -> Trial {
    Trial::new("tidy", |seen| {
        seen.noted(&[
            ("made", "is there"),
            ("pages", "3"),
            ("found", "601"),
            ("again", "missing"),
            ("upload", "denied"),
            ("other-stage", "denied"),
            ("foreign", "denied"),
            ("everything", "denied"),
            ("left", "0"),
        ]);
        assert_eq!(seen.host.object(MADE), None);
        assert!(seen.host.object(KEY).is_some() && seen.host.object("51/processed/000.bin").is_some());
    })
    .given("601 objects", |setting| {
        for number in 0..600 {
            // The same bytes as the photo's, so that they have the same entity tag.
            setting.host.put(&format!("51/processed/{number:03}.bin"), "text/plain", None, photo());
        }
        setting.host.put("51/processed/../raw/hidden", "text/plain", None, photo());
        setting.host.put("52/processed/foreign.bin", "text/plain", None, photo());
    })
}

/// A stage that lists without end meets the quota of requests.
fn list_on() -> Trial {
    Trial::new("list-on", |seen| seen.noted(&[("lists", "2000"), ("end", "too-large")]))
        .given("without end", |setting| setting.limits.quotas.storage_requests = 2000)
}

/// What is not finished is never seen, whether the stage drops it or leaves it open.
fn abandon() -> Trial {
    Trial::new("abandon", |seen| {
        assert_eq!(seen.asset(), &seen.given);
        assert_eq!((seen.host.effects(), seen.host.object(MADE)), (Vec::new(), None));
    })
}

/// The bytes of a large file, made once.
pub fn large() -> Bytes {
    static LARGE_FILE: OnceLock<Bytes> = OnceLock::new();
    LARGE_FILE.get_or_init(|| (0..LARGE).map(|at| (at % 251) as u8).collect()).clone()
}

/// How much is copied. What the host returns to a stage in Python or JavaScript stays in its memory until the call ends, in
/// JavaScript three times over (componentize-py 0.25, componentize-js 0.19), so these cannot copy more than they have memory.
fn copied(language: Language) -> Bytes {
    match language {
        Language::Rust => large(),
        Language::Python => large().slice(..64 << 20),
        Language::Javascript => large().slice(..24 << 20),
    }
}

/// A large object is read and written in pieces.
fn copy() -> Trial {
    Trial::new("copy", move |seen| {
        let expected = copied(seen.language);
        let length = expected.len() as u64;
        let (key, bytes) = seen.stored();
        assert_eq!((&*key, bytes.len() as u64), (MADE, length));
        assert!(bytes == expected, "other bytes");
        noted_with_info(seen, MADE, &[]);
        assert_eq!((seen.report.bytes_read, seen.report.bytes_written), (length, length));
        let most = if seen.language == Language::Rust { 8 } else { MEMORY as usize };
        assert!(seen.report.memory_peak <= most << 20, "{}", seen.report.memory_peak);
        let progress = seen.heard.progress.lock().unwrap();
        assert_eq!(progress.last(), Some(&(length, length)));
    })
    .given("a large file", |setting| {
        setting.asset.etag = Some(setting.host.put(KEY, "video/mp4", None, copied(setting.language)));
        setting.limits.memory_mib = MEMORY;
    })
}

/// The host puts a large object into another one, and no byte of it comes into the stage's memory.
fn pass_on() -> Trial {
    Trial::new("pass-on", |seen| {
        let (key, bytes) = seen.stored();
        assert_eq!(&*key, MADE);
        assert!(bytes == large(), "{} bytes, or others", bytes.len());
        noted_with_info(seen, MADE, &[]);
        assert!(seen.report.memory_peak <= 16 << 20, "{}", seen.report.memory_peak);
    })
    .given("128 MiB", |setting| {
        setting.asset.etag = Some(setting.host.put(KEY, "video/mp4", None, large()));
    })
}
