#![allow(clippy::unwrap_used, missing_docs)]
//! Objects are read and composed on a store that keeps S3's rules.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::Digest as _;
use stagehost_batch::Case;
use stagehost_runtime::capability::{NewObject, ObjectInfo, ObjectWriter, Objects as _, Provenance};
use support::test_bucket::Store;

const MIB: usize = 1 << 20;

/// Bytes that repeat nowhere within a part, different for each seed.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut all = Vec::with_capacity(len + 8);
    while all.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend_from_slice(&state.to_le_bytes());
    }
    all.truncate(len);
    all
}

async fn writer(store: &Store, key: &str) -> Box<dyn ObjectWriter> {
    let object = NewObject {
        key: key.into(),
        content_type: "application/zip".into(),
        fingerprint: Some("made of: ü".into()),
        provenance: Arc::new(Provenance {
            stage: "zip".into(),
            version: "1.2.3".into(),
            digest: format!("sha256:{}", "ab".repeat(32)),
        }),
    };
    store.clients.objects().create(object).await.unwrap()
}

fn check(info: &ObjectInfo, expected: &[u8]) {
    assert_eq!(info.bytes, expected.len() as u64);
    if let Some(crc32) = info.crc32 {
        assert_eq!(crc32, crc32fast::hash(expected));
    }
}

#[tokio::test]
async fn a_small_object_is_there_with_its_metadata_once_it_is_finished_and_not_before() {
    let store = Store::start("small").await;
    let mut writer = writer(&store, "51/thumb/a b+ü.jpg").await;
    writer.append(Bytes::from_static(b"hello ")).await.unwrap();
    writer.append(Bytes::from_static(b"world")).await.unwrap();
    assert_eq!(store.get("51/thumb/a b+ü.jpg").await, None);
    let info = writer.finish().await.unwrap();
    assert_eq!(store.get("51/thumb/a b+ü.jpg").await.unwrap(), b"hello world");
    assert_eq!(info.crc32, Some(crc32fast::hash(b"hello world")));
    let stat = store.clients.objects().stat("51/thumb/a b+ü.jpg").await.unwrap();
    assert_eq!(stat.etag, info.etag);
    assert_eq!(stat.fingerprint.as_deref(), Some("made of: ü"));
    assert_eq!(stat.content_type.as_deref(), Some("application/zip"));
    assert!(stat.crc32.is_none_or(|crc32| Some(crc32) == info.crc32));
    let head = store.clients.s3.head_object().bucket(&store.bucket).key("51/thumb/a b+ü.jpg").send().await.unwrap();
    let metadata = head.metadata().unwrap();
    assert_eq!((metadata["stage"].as_str(), metadata["stage-version"].as_str()), ("zip", "1.2.3"));
}

#[tokio::test]
async fn an_object_of_no_bytes_can_be_written_and_read() {
    let store = Store::start("empty").await;
    let info = writer(&store, "empty").await.finish().await.unwrap();
    check(&info, b"");
    let objects = store.clients.objects();
    assert!(objects.open("empty", None).await.unwrap().read(0, 10).await.unwrap().is_empty());
    assert_eq!(objects.digest("empty", None).await.unwrap().sha256, hex::encode(sha2::Sha256::digest(b"")));
}

#[tokio::test]
async fn bytes_and_stored_objects_of_every_size_are_composed_in_order() {
    let store = Store::start("mixed").await;
    let mut sources = Vec::new();
    for (number, len) in [0, 1, 70_000, 5 * MIB - 1, 5 * MIB, 6 * MIB, 11 * MIB, 23 * MIB, 3].into_iter().enumerate() {
        let key = format!("51/raw/photo/ü {number}+&.jpg");
        let body = bytes(number as u64 + 1, len);
        let etag = store.put(&key, body.clone()).await;
        sources.push((key, etag, body));
    }
    let mut writer = writer(&store, "51/zip/complete.zip").await;
    let mut expected = Vec::new();
    for (number, (key, etag, body)) in sources.iter().enumerate() {
        let header = bytes(100 + number as u64, 30 + number);
        writer.append(header.clone().into()).await.unwrap();
        expected.extend_from_slice(&header);
        let from = body.len() / 7;
        let if_match = (number % 2 == 0).then_some(etag.as_str());
        writer.append_object(key, if_match, from as u64, (body.len() - from) as u64).await.unwrap();
        expected.extend_from_slice(&body[from..]);
    }
    let large = bytes(999, 19 * MIB);
    writer.append(large.clone().into()).await.unwrap();
    expected.extend_from_slice(&large);
    let info = writer.finish().await.unwrap();
    check(&info, &expected);
    assert!(store.get("51/zip/complete.zip").await.unwrap() == expected, "every byte, in order");
    assert_eq!(store.clients.objects().stat("51/zip/complete.zip").await.unwrap().etag, info.etag);
    assert_eq!(store.unfinished().await, 0);
}

#[tokio::test]
async fn bytes_alone_give_the_crc32_of_the_whole_object_over_many_parts() {
    let store = Store::start("crc").await;
    let body = bytes(7, 41 * MIB + 5);
    let mut writer = writer(&store, "large").await;
    for chunk in body.chunks(3 * MIB + 17) {
        writer.append(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    let info = writer.finish().await.unwrap();
    assert_eq!(info.crc32, Some(crc32fast::hash(&body)));
    let digests = store.clients.objects().digest("large", Some(&info.etag)).await.unwrap();
    assert_eq!(digests.sha256, hex::encode(sha2::Sha256::digest(&body)));
    assert_eq!((digests.crc32, digests.bytes), (crc32fast::hash(&body), body.len() as u64));
}

#[tokio::test]
async fn an_aborted_or_dropped_writer_leaves_neither_an_object_nor_an_upload() {
    let store = Store::start("abort").await;
    let body = Bytes::from(bytes(1, 20 * MIB));
    let mut aborted = writer(&store, "aborted").await;
    aborted.append(body.clone()).await.unwrap();
    assert_eq!(store.unfinished().await, 1);
    aborted.abort().await;
    assert_eq!(store.unfinished().await, 0);

    let mut dropped = writer(&store, "dropped").await;
    dropped.append(body).await.unwrap();
    drop(dropped);
    while store.unfinished().await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.get("aborted").await, None);
    assert_eq!(store.get("dropped").await, None);
}

#[tokio::test]
async fn a_source_that_was_replaced_fails_the_whole_object_whether_it_is_copied_or_streamed() {
    let store = Store::start("replaced").await;
    for len in [100_000, 30 * MIB] {
        let etag = store.put("source", bytes(1, len)).await;
        store.put("source", bytes(2, len)).await;
        let mut writer = writer(&store, "51/zip/complete.zip").await;
        let told = match writer.append_object("source", Some(&etag), 0, len as u64).await {
            Ok(()) => writer.finish().await.unwrap_err(),
            Err(failure) => failure,
        };
        assert_eq!(told.case, Case::Mismatch, "{told}");
        assert!(told.message.contains("source"), "{told}");
    }
    assert_eq!(store.get("51/zip/complete.zip").await, None);
    while store.unfinished().await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_writer_that_has_failed_says_the_same_ever_after() {
    let store = Store::start("failed").await;
    let mut writer = writer(&store, "x").await;
    let first = writer.append_object("nowhere", None, 0, 10).await.unwrap_err();
    assert_eq!(first.case, Case::Missing);
    assert_eq!(writer.append(Bytes::from_static(b"a")).await.unwrap_err(), first);
    assert_eq!(writer.finish().await.unwrap_err(), first);
}

#[tokio::test]
async fn a_range_beyond_the_source_is_never_padded_or_cut_short() {
    let store = Store::start("beyond").await;
    let etag = store.put("source", bytes(1, 1000)).await;
    let mut writer = writer(&store, "x").await;
    let told = match writer.append_object("source", Some(&etag), 500, 501).await {
        Ok(()) => writer.finish().await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!(told.case, Case::Mismatch, "{told}");
    assert_eq!(store.get("x").await, None);
}

#[tokio::test]
async fn what_is_not_there_is_missing_and_another_version_is_a_mismatch() {
    let store = Store::start("missing").await;
    let objects = store.clients.objects();
    assert_eq!(objects.stat("nowhere").await.unwrap_err().case, Case::Missing);
    assert_eq!(objects.digest("nowhere", None).await.unwrap_err().case, Case::Missing);
    assert_eq!(objects.open("nowhere", None).await.err().unwrap().case, Case::Missing);
    let etag = store.put("a", vec![1]).await;
    store.put("a", vec![2]).await;
    assert_eq!(objects.digest("a", Some(&etag)).await.unwrap_err().case, Case::Mismatch);
    assert_eq!(objects.open("a", Some(&etag)).await.err().unwrap().case, Case::Mismatch);
}

#[tokio::test]
async fn a_tag_is_set_beside_the_others_and_setting_it_again_changes_nothing() {
    let store = Store::start("tags").await;
    store.put("a", vec![1]).await;
    let objects = store.clients.objects();
    objects.tag("a", "owner", "web").await.unwrap();
    for value in ["old", "raw", "raw"] {
        objects.tag("a", "stage", value).await.unwrap();
    }
    let output = store.clients.s3.get_object_tagging().bucket(&store.bucket).key("a").send().await.unwrap();
    let mut tags: Vec<_> = output.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    tags.sort_unstable();
    assert_eq!(tags, [("owner", "web"), ("stage", "raw")]);
    assert_eq!(objects.tag("nowhere", "a", "b").await.unwrap_err().case, Case::Missing);
}
