#![allow(clippy::unwrap_used)]
use std::io::{Read, Write};
use std::sync::Arc;

use s3s::dto::{ETag, ETagCondition};

use super::*;

struct Disk {
    folder: tempfile::TempDir,
    store: Arc<ObjectStore>,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(ObjectStore::open(folder.path()).unwrap());
        store.tree.create_bucket("media").unwrap();
        Self { folder, store }
    }

    fn put(&self, key: &str, text: &str, condition: &WriteCondition) -> S3Result<ObjectRecord> {
        put(&self.store, key, text, condition)
    }
}

fn put(store: &ObjectStore, key: &str, text: &str, condition: &WriteCondition) -> S3Result<ObjectRecord> {
    let (mut file, scratch) = store.scratch()?;
    file.write_all(text.as_bytes()).unwrap();
    let digests = hash(text.as_bytes(), WantedAlgorithms::default()).unwrap();
    let object = NewObject {
        etag: digests.md5,
        checksums: digests.checksums,
        checksum_kind: ChecksumKind::FullObject,
        crc32: digests.crc32,
        attributes: Attributes { content_type: Some("text/x".to_owned()), ..Attributes::default() },
        tags: Vec::new(),
        parts: Vec::new(),
    };
    store.publish("media", key, &scratch, object, condition)
}

fn text(mut opened: OpenObject) -> String {
    let mut text = String::new();
    opened.file.read_to_string(&mut text).unwrap();
    text
}

fn if_match(etag: &str) -> WriteCondition {
    WriteCondition { if_match: Some(ETagCondition::ETag(ETag::Strong(etag.to_owned()))), if_absent: false }
}

fn absent() -> WriteCondition {
    WriteCondition { if_match: None, if_absent: true }
}

#[test]
fn the_visible_tree_contains_only_the_objects() {
    let disk = Disk::new();
    disk.put("51/raw/photo.jpg", "bytes", &WriteCondition::default()).unwrap();
    let names: Vec<_> = fs::read_dir(disk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(fs::read_to_string(disk.folder.path().join("media/51/raw/photo.jpg")).unwrap(), "bytes");
    assert_eq!(fs::read_dir(disk.folder.path().join("media/51/raw")).unwrap().count(), 1);
    assert!(disk.store.bucket(".stagehost").is_err());
}

#[test]
fn one_of_many_concurrent_conditional_writes_wins() {
    let disk = Disk::new();
    let won: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16)
            .map(|number| {
                let store = disk.store.clone();
                scope.spawn(move || usize::from(put(&store, "k", &number.to_string(), &absent()).is_ok()))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(won, 1);

    let current = disk.store.describe("media", "k").unwrap();
    let replaced: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (100..116)
            .map(|number| {
                let (store, condition) = (disk.store.clone(), if_match(&current.etag));
                scope.spawn(move || usize::from(put(&store, "k", &number.to_string(), &condition).is_ok()))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(replaced, 1);
}

#[test]
fn a_reader_never_gets_the_bytes_of_one_version_with_the_etag_of_another() {
    let disk = Disk::new();
    disk.put("k", "0", &WriteCondition::default()).unwrap();
    std::thread::scope(|scope| {
        let store = disk.store.clone();
        scope.spawn(move || {
            for number in 0..200 {
                put(&store, "k", &"x".repeat(number % 7 + 1), &WriteCondition::default()).unwrap();
            }
        });
        for _ in 0..200 {
            let opened = disk.store.read("media", "k").unwrap();
            let etag = opened.record.etag.clone();
            assert_eq!(hash(text(opened).as_bytes(), WantedAlgorithms::default()).unwrap().md5, etag);
        }
    });
}

#[test]
fn keys_that_are_each_others_directories_can_be_written_at_once() {
    let disk = Disk::new();
    std::thread::scope(|scope| {
        for key in ["a", "a/b", "a/b/c", "a/b/c/d"] {
            let store = disk.store.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    put(&store, key, key, &WriteCondition::default()).unwrap();
                    assert_eq!(text(store.read("media", key).unwrap()), key);
                    store.delete("media", key, &WriteCondition::default()).unwrap();
                    put(&store, key, key, &WriteCondition::default()).unwrap();
                }
            });
        }
    });
    for key in ["a", "a/b", "a/b/c", "a/b/c/d"] {
        assert_eq!(text(disk.store.read("media", key).unwrap()), key);
    }
}

#[test]
fn a_file_added_by_hand_is_an_object_and_a_file_replaced_by_hand_is_a_new_one() {
    let disk = Disk::new();
    fs::write(disk.folder.path().join("media/found.png"), "by hand").unwrap();
    let opened = disk.store.read("media", "found.png").unwrap();
    assert_eq!(opened.record.attributes.content_type.as_deref(), Some("image/png"));
    assert_eq!(opened.record.etag, hash(&b"by hand"[..], WantedAlgorithms::default()).unwrap().md5);
    assert_eq!(text(opened), "by hand");

    let stored = disk.put("own.txt", "stored", &WriteCondition::default()).unwrap();
    fs::write(disk.folder.path().join("media/own.txt"), "edited by hand").unwrap();
    let edited = disk.store.describe("media", "own.txt").unwrap();
    assert_ne!(edited.etag, stored.etag);
    assert_eq!(edited.attributes.content_type.as_deref(), Some("text/plain"));
    assert!(disk.put("own.txt", "x", &if_match(&stored.etag)).is_err());
    assert!(disk.put("own.txt", "x", &if_match(&edited.etag)).is_ok());
}

#[test]
fn a_file_added_by_hand_is_hashed_once() {
    let disk = Disk::new();
    let path = disk.folder.path().join("media/found");
    fs::write(&path, "aaaa").unwrap();
    let first = disk.store.describe("media", "found").unwrap();
    // The same size and time: only hashing the bytes again could find the difference.
    let times = fs::FileTimes::new().set_modified(fs::metadata(&path).unwrap().modified().unwrap());
    fs::write(&path, "bbbb").unwrap();
    File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    assert_eq!(disk.store.describe("media", "found").unwrap(), first);
}

#[test]
fn a_write_that_fails_leaves_the_object_and_its_record_as_they_were() {
    let disk = Disk::new();
    let before = disk.put("k", "before", &WriteCondition::default()).unwrap();
    let error = disk.put("k", "after", &if_match("0123")).unwrap_err();
    assert_eq!(error.code(), &S3ErrorCode::PreconditionFailed);
    assert_eq!(disk.store.describe("media", "k").unwrap(), before);
    assert_eq!(fs::read_dir(&disk.store.scratch).unwrap().count(), 0, "the refused file is gone");
    assert_eq!(disk.put("none", "x", &if_match("0")).unwrap_err().code(), &S3ErrorCode::NoSuchKey);
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_and_a_later_one_cleans_up() {
    let disk = Disk::new();
    let (_file, scratch) = disk.store.scratch().unwrap();
    assert!(matches!(ObjectStore::open(disk.folder.path()), Err(FolderError::InUse { .. })));
    let stale = scratch.path.clone();
    std::mem::forget(scratch);
    let Disk { folder, store } = disk;
    drop(store);
    assert!(stale.exists());
    let _again = ObjectStore::open(folder.path()).unwrap();
    assert!(!stale.exists());
}
