#![allow(clippy::unwrap_used, missing_docs)]
//! Objects are read and composed in a bucket with S3's rules.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::Digest as _;
use stagehost_batch::Case;
use stagehost_runtime::capability::{NewObject, ObjectInfo, ObjectPage, ObjectWriter, Objects, Provenance, Replaces};
use stagehost_runtime::{HostBudget, World};
use support::test_bucket::TestBucket;

const MIB: usize = 1 << 20;

/// Returns bytes that do not repeat within a part and are different for each seed.
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

async fn writer(bucket: &TestBucket, key: &str) -> Box<dyn ObjectWriter> {
    writer_in(&bucket.clients.objects(), key).await
}

async fn writer_in(objects: &dyn Objects, key: &str) -> Box<dyn ObjectWriter> {
    let object = NewObject {
        key: key.into(),
        content_type: "application/zip".into(),
        fingerprint: Some("made of: ü".into()),
        provenance: Arc::new(Provenance {
            stage: "zip".into(),
            version: "1.2.3".into(),
            digest: format!("sha256:{}", "ab".repeat(32)),
        }),
        replaces: Replaces::Anything,
    };
    objects.create(object).await.unwrap()
}

fn check(info: &ObjectInfo, expected: &[u8]) {
    assert_eq!(info.bytes, expected.len() as u64);
    if let Some(crc32) = info.crc32 {
        assert_eq!(crc32, crc32fast::hash(expected));
    }
}

#[tokio::test]
async fn a_small_object_appears_with_its_metadata_when_it_is_finished_and_not_before() {
    let bucket = TestBucket::start("small").await;
    let mut writer = writer(&bucket, "51/thumb/a b+ü.jpg").await;
    writer.append(Bytes::from_static(b"hello ")).await.unwrap();
    writer.append(Bytes::from_static(b"world")).await.unwrap();
    assert_eq!(bucket.get("51/thumb/a b+ü.jpg").await, None);
    let info = writer.finish().await.unwrap();
    assert_eq!(bucket.get("51/thumb/a b+ü.jpg").await.unwrap(), b"hello world");
    assert_eq!(info.crc32, Some(crc32fast::hash(b"hello world")));
    let stat = bucket.clients.objects().stat("51/thumb/a b+ü.jpg").await.unwrap();
    assert_eq!(stat.etag, info.etag);
    assert_eq!(stat.fingerprint.as_deref(), Some("made of: ü"));
    assert_eq!(stat.content_type.as_deref(), Some("application/zip"));
    assert!(stat.crc32.is_none_or(|crc32| Some(crc32) == info.crc32));
    let head = bucket.clients.s3.head_object().bucket(&bucket.name).key("51/thumb/a b+ü.jpg").send().await.unwrap();
    let metadata = head.metadata().unwrap();
    assert_eq!((metadata["stage"].as_str(), metadata["stage-version"].as_str()), ("zip", "1.2.3"));
}

#[tokio::test]
async fn an_object_of_no_bytes_can_be_written_and_read() {
    let bucket = TestBucket::start("empty").await;
    let info = writer(&bucket, "empty").await.finish().await.unwrap();
    check(&info, b"");
    let objects = bucket.clients.objects();
    assert!(objects.open("empty", None).await.unwrap().read(0, 10).await.unwrap().is_empty());
    assert_eq!(objects.digest("empty", None).await.unwrap().sha256, hex::encode(sha2::Sha256::digest(b"")));
}

#[tokio::test]
async fn bytes_and_stored_objects_of_every_size_are_composed_in_order() {
    let bucket = TestBucket::start("mixed").await;
    let mut sources = Vec::new();
    for (number, len) in [0, 1, 70_000, 5 * MIB - 1, 5 * MIB, 6 * MIB, 11 * MIB, 23 * MIB, 3].into_iter().enumerate() {
        let key = format!("51/raw/photo/ü {number}+&.jpg");
        let body = bytes(number as u64 + 1, len);
        let etag = bucket.put(&key, body.clone()).await;
        sources.push((key, etag, body));
    }
    let mut writer = writer(&bucket, "51/zip/complete.zip").await;
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
    assert!(bucket.get("51/zip/complete.zip").await.unwrap() == expected, "every byte, in order");
    assert_eq!(bucket.clients.objects().stat("51/zip/complete.zip").await.unwrap().etag, info.etag);
    assert_eq!(bucket.unfinished().await, 0);
}

#[tokio::test]
async fn an_object_of_many_parts_made_of_bytes_has_the_crc32_of_the_whole() {
    let bucket = TestBucket::start("crc").await;
    let body = bytes(7, 41 * MIB + 5);
    let mut writer = writer(&bucket, "large").await;
    for chunk in body.chunks(3 * MIB + 17) {
        writer.append(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    let info = writer.finish().await.unwrap();
    assert_eq!(info.crc32, Some(crc32fast::hash(&body)));
    let digests = bucket.clients.objects().digest("large", Some(&info.etag)).await.unwrap();
    assert_eq!(digests.sha256, hex::encode(sha2::Sha256::digest(&body)));
    assert_eq!((digests.crc32, digests.bytes), (crc32fast::hash(&body), body.len() as u64));
}

#[tokio::test]
async fn an_aborted_or_dropped_writer_leaves_neither_an_object_nor_an_upload() {
    let bucket = TestBucket::start("abort").await;
    let body = Bytes::from(bytes(1, 20 * MIB));
    let mut aborted = writer(&bucket, "aborted").await;
    aborted.append(body.clone()).await.unwrap();
    assert_eq!(bucket.unfinished().await, 1);
    aborted.abort().await;
    assert_eq!(bucket.unfinished().await, 0);

    let mut dropped = writer(&bucket, "dropped").await;
    dropped.append(body).await.unwrap();
    drop(dropped);
    while bucket.unfinished().await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bucket.get("aborted").await, None);
    assert_eq!(bucket.get("dropped").await, None);
}

#[tokio::test]
async fn a_source_that_was_replaced_fails_the_whole_object_whether_it_is_copied_or_streamed() {
    let bucket = TestBucket::start("replaced").await;
    for len in [100_000, 30 * MIB] {
        let etag = bucket.put("source", bytes(1, len)).await;
        bucket.put("source", bytes(2, len)).await;
        let mut writer = writer(&bucket, "51/zip/complete.zip").await;
        let failure = match writer.append_object("source", Some(&etag), 0, len as u64).await {
            Ok(()) => writer.finish().await.unwrap_err(),
            Err(failure) => failure,
        };
        assert_eq!(failure.case, Case::Mismatch, "{failure}");
        assert!(failure.message.contains("source"), "{failure}");
    }
    assert_eq!(bucket.get("51/zip/complete.zip").await, None);
    while bucket.unfinished().await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_writer_that_has_failed_returns_the_same_failure_for_every_further_call() {
    let bucket = TestBucket::start("failed").await;
    let mut writer = writer(&bucket, "x").await;
    let first = writer.append_object("nowhere", None, 0, 10).await.unwrap_err();
    assert_eq!(first.case, Case::Missing);
    assert_eq!(writer.append(Bytes::from_static(b"a")).await.unwrap_err(), first);
    assert_eq!(writer.finish().await.unwrap_err(), first);
}

#[tokio::test]
async fn a_range_beyond_the_source_is_a_mismatch_and_neither_padded_nor_shortened() {
    let bucket = TestBucket::start("beyond").await;
    let etag = bucket.put("source", bytes(1, 1000)).await;
    let mut writer = writer(&bucket, "x").await;
    let failure = match writer.append_object("source", Some(&etag), 500, 501).await {
        Ok(()) => writer.finish().await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!(failure.case, Case::Mismatch, "{failure}");
    assert_eq!(bucket.get("x").await, None);
}

#[tokio::test]
async fn an_absent_object_is_missing_and_another_version_is_a_mismatch() {
    let bucket = TestBucket::start("missing").await;
    let objects = bucket.clients.objects();
    assert_eq!(objects.stat("nowhere").await.unwrap_err().case, Case::Missing);
    assert_eq!(objects.digest("nowhere", None).await.unwrap_err().case, Case::Missing);
    assert_eq!(objects.open("nowhere", None).await.err().unwrap().case, Case::Missing);
    let etag = bucket.put("a", vec![1]).await;
    bucket.put("a", vec![2]).await;
    assert_eq!(objects.digest("a", Some(&etag)).await.unwrap_err().case, Case::Mismatch);
    assert_eq!(objects.open("a", Some(&etag)).await.err().unwrap().case, Case::Mismatch);
}

#[tokio::test]
async fn setting_a_tag_keeps_the_other_tags_and_setting_it_again_changes_nothing() {
    let bucket = TestBucket::start("tags").await;
    bucket.put("a", vec![1]).await;
    let objects = bucket.clients.objects();
    objects.tag("a", "owner", "web").await.unwrap();
    for value in ["old", "raw", "raw"] {
        objects.tag("a", "stage", value).await.unwrap();
    }
    let output = bucket.clients.s3.get_object_tagging().bucket(&bucket.name).key("a").send().await.unwrap();
    let mut tags: Vec<_> = output.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    tags.sort_unstable();
    assert_eq!(tags, [("owner", "web"), ("stage", "raw")]);
    assert_eq!(objects.tag("nowhere", "a", "b").await.unwrap_err().case, Case::Missing);
}

#[tokio::test]
async fn a_stage_lists_in_pages_and_deletes_only_what_it_has_made_in_the_version_that_it_names() {
    let bucket = TestBucket::start("own").await;
    let objects = bucket.clients.objects();
    let mut made = Vec::new();
    for name in ["b", "a", "c ü"] {
        let mut writer = writer(&bucket, &format!("51/thumb/{name}")).await;
        writer.append(Bytes::from_static(b"made")).await.unwrap();
        made.push(writer.finish().await.unwrap());
    }
    let uploaded = bucket.put("51/thumbs", vec![1]).await;

    let first = objects.list("51/thumb", None, 2).await.unwrap();
    let keys = |page: &ObjectPage| page.objects.iter().map(|object| object.key.clone()).collect::<Vec<_>>();
    assert_eq!(
        (keys(&first), first.next.as_deref()),
        (vec!["51/thumb/a".into(), "51/thumb/b".into()], Some("51/thumb/b"))
    );
    assert_eq!((first.objects[1].bytes, &first.objects[1].etag), (4, &made[0].etag));
    let second = objects.list("51/thumb", first.next.as_deref(), 2).await.unwrap();
    assert_eq!((keys(&second), second.next), (vec!["51/thumb/c ü".into(), "51/thumbs".into()], None));

    for (key, etag, stage, case) in [
        ("51/thumbs", &*uploaded, "zip", Case::Denied),
        ("51/thumb/b", &*made[0].etag, "thumbnails", Case::Denied),
        ("51/thumb/b", &*uploaded, "zip", Case::Mismatch),
        ("51/thumb/none", &*uploaded, "zip", Case::Missing),
    ] {
        assert_eq!(objects.delete(key, etag, stage).await.unwrap_err().case, case, "{key}");
    }
    objects.delete("51/thumb/b", &made[0].etag, "zip").await.unwrap();
    assert_eq!(bucket.get("51/thumb/b").await, None);
    assert_eq!(objects.list("", None, 100).await.unwrap().objects.len(), 3);
}

#[tokio::test]
async fn an_object_of_any_size_is_composed_within_the_host_memory_of_one_call() {
    let bucket = TestBucket::start("budget").await;
    let sizes = [70_000, 4 * MIB, 5 * MIB - 1, 6 * MIB, 23 * MIB, 3, 9 * MIB];
    let mut sources = Vec::new();
    for (number, len) in sizes.into_iter().enumerate() {
        let (key, body) = (format!("51/raw/photo/{number}.jpg"), bytes(number as u64 + 1, len));
        sources.push((bucket.put(&key, body.clone()).await, key, body));
    }
    for world in [World::Thumbnails, World::Custom, World::Zip] {
        let budget = HostBudget::of_call(world.host_memory_mib());
        let set_aside = budget.held();
        let objects = bucket.clients.objects().charged_to(&budget).unwrap();
        let mut writer = writer_in(objects.as_ref(), "51/zip/complete.zip").await;
        let mut expected = Vec::new();
        for (etag, key, body) in &sources {
            writer.append(Bytes::from_static(b"header")).await.unwrap();
            expected.extend_from_slice(b"header");
            writer.append_object(key, Some(etag), 0, body.len() as u64).await.unwrap();
            expected.extend_from_slice(body);
        }
        // The largest appends that the runtime passes on.
        for chunk in bytes(999, 30 * MIB).chunks(4 * MIB) {
            writer.append(Bytes::copy_from_slice(chunk)).await.unwrap();
            expected.extend_from_slice(chunk);
        }
        assert!(budget.held() > set_aside, "what is not sent yet is charged");
        check(&writer.finish().await.unwrap(), &expected);
        assert_eq!(budget.held(), set_aside, "{world}");
        assert!(bucket.get("51/zip/complete.zip").await.unwrap() == expected, "every byte, in order");
    }
    assert_eq!(bucket.unfinished().await, 0);
}

#[tokio::test]
async fn readers_without_room_to_read_ahead_return_the_same_bytes() {
    let bucket = TestBucket::start("readers").await;
    let body = bytes(5, 3 * MIB);
    let etag = bucket.put("51/raw/photo/a.jpg", body.clone()).await;
    let budget = HostBudget::of_call(World::Validate.host_memory_mib());
    let set_aside = budget.held();
    let objects = bucket.clients.objects().charged_to(&budget).unwrap();
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(objects.open("51/raw/photo/a.jpg", Some(&etag)).await.unwrap());
    }
    let step = 200_000;
    for offset in (0..body.len()).step_by(step) {
        for reader in &mut readers {
            let read = reader.read(offset as u64, step as u32).await.unwrap();
            assert!(read == body[offset..body.len().min(offset + step)]);
        }
    }
    assert!(budget.held() > set_aside, "at least one of them reads ahead");
    // Hashing has room beside them.
    assert_eq!(objects.digest("51/raw/photo/a.jpg", None).await.unwrap().bytes, body.len() as u64);
    drop(readers);
    assert_eq!(budget.held(), set_aside);
}

#[tokio::test]
async fn a_writer_that_finds_no_room_is_refused_by_name_and_leaves_nothing() {
    let bucket = TestBucket::start("refused").await;
    let budget = HostBudget::of_call(World::Thumbnails.host_memory_mib());
    let set_aside = budget.held();
    let objects = bucket.clients.objects().charged_to(&budget).unwrap();
    let mut first = writer_in(objects.as_ref(), "first").await;
    for _ in 0..2 {
        first.append(Bytes::from(vec![1; 4 * MIB])).await.unwrap();
    }
    let mut second = writer_in(objects.as_ref(), "second").await;
    let refused = second.append(Bytes::from(vec![2; 4 * MIB])).await.unwrap_err();
    assert_eq!(refused.case, Case::TooLarge);
    assert!(refused.message.contains("at most 24 MiB for one call"), "{refused}");
    second.abort().await;
    check(&first.finish().await.unwrap(), &vec![1; 8 * MIB]);
    assert_eq!((bucket.get("second").await, bucket.unfinished().await, budget.held()), (None, 0, set_aside));
}
