//! Buckets, objects, tags, copies and listings.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, Delete, MetadataDirective, ObjectIdentifier, ServerSideEncryption,
    Tag, Tagging,
};

use crate::support::{BUCKET, MIB, Server, code, crc32_base64, get, md5_hex, pattern, put, status};

#[tokio::test]
async fn an_object_is_stored_with_its_headers_and_its_file_has_the_bytes() {
    let server = Server::start().await;
    let put = server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("51/raw/photo one.jpg")
        .body(ByteStream::from_static(b"bytes"))
        .content_type("image/jpeg")
        .cache_control("max-age=60")
        .metadata("fingerprint", "v1")
        .metadata("note", "naïve ✓")
        .tagging("stage=raw&a=b")
        .server_side_encryption(ServerSideEncryption::AwsKms)
        .ssekms_key_id("alias/key")
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag.unwrap(), format!("\"{}\"", md5_hex(b"bytes")));
    assert_eq!(put.server_side_encryption.unwrap(), ServerSideEncryption::AwsKms);
    assert_eq!(put.ssekms_key_id.unwrap(), "alias/key");
    assert_eq!(std::fs::read(server.root.join("media/51/raw/photo one.jpg")).unwrap(), b"bytes");

    let head =
        server.client.head_object().bucket(BUCKET).key("51/raw/photo one.jpg").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!(head.content_length, Some(5));
    assert_eq!(head.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(head.cache_control.as_deref(), Some("max-age=60"));
    let metadata = head.metadata.unwrap();
    assert_eq!(metadata["fingerprint"], "v1");
    assert_eq!(metadata["note"], "=?UTF-8?B?bmHDr3ZlIOKckw==?=", "as S3 returns values that are not ASCII");
    assert_eq!(head.checksum_crc32.unwrap(), crc32_base64(b"bytes"));
    assert_eq!(head.checksum_type.unwrap(), ChecksumType::FullObject);
    assert_eq!(head.server_side_encryption.unwrap(), ServerSideEncryption::AwsKms);
    assert_eq!(get(&server, "51/raw/photo one.jpg").await, b"bytes");
}

#[tokio::test]
async fn streamed_bodies_arrive_whole_with_their_trailing_checksums_verified() {
    let server = Server::start().await;
    let bytes = pattern(3 * MIB + 17);
    let file = server.folder.path().join("body");
    std::fs::write(&file, &bytes).unwrap();
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let body = ByteStream::from_path(&file).await.unwrap();
        let put = server.client.put_object().bucket(BUCKET).key("k").body(body).checksum_algorithm(algorithm.clone());
        let put = put.send().await.unwrap();
        assert_eq!(put.e_tag.unwrap(), format!("\"{}\"", md5_hex(&bytes)), "{algorithm:?}");
        let got = server.client.get_object().bucket(BUCKET).key("k").checksum_mode(ChecksumMode::Enabled);
        // The SDK compares the body with the checksum in the response.
        assert!(got.send().await.unwrap().body.collect().await.unwrap().to_vec() == bytes, "{algorithm:?}");
    }
    assert!(server.unfinished().is_empty());
}

#[tokio::test]
async fn a_body_that_differs_from_its_declaration_is_refused_and_leaves_nothing() {
    let server = Server::start().await;
    let put = || server.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"bytes"));
    let error = put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await.unwrap_err();
    assert_eq!(code(&error), "BadDigest");
    let error = put().content_md5("nonsense").send().await.unwrap_err();
    assert_eq!(code(&error), "InvalidDigest");
    let error = put().checksum_crc32(crc32_base64(b"other")).send().await.unwrap_err();
    assert_eq!(code(&error), "BadDigest");
    let error = put().checksum_sha256("AAAA").send().await.unwrap_err();
    assert_eq!(code(&error), "InvalidRequest");
    assert!(server.client.head_object().bucket(BUCKET).key("k").send().await.is_err());
    assert!(server.unfinished().is_empty());
}

#[tokio::test]
async fn writes_are_conditional() {
    let server = Server::start().await;
    let put =
        |text: &'static [u8]| server.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(text));
    let first = put(b"1").if_none_match("*").send().await.unwrap().e_tag.unwrap();
    assert_eq!(code(&put(b"2").if_none_match("*").send().await.unwrap_err()), "PreconditionFailed");
    put(b"3").if_match(&first).send().await.unwrap();
    let error = put(b"4").if_match(&first).send().await.unwrap_err();
    assert_eq!((code(&error), status(&error)), ("PreconditionFailed".to_owned(), 412));
    assert_eq!(get(&server, "k").await, b"3");
    let missing = server.client.put_object().bucket(BUCKET).key("none").if_match("\"0\"").send().await.unwrap_err();
    assert_eq!(code(&missing), "NoSuchKey");
}

#[tokio::test]
async fn one_of_many_concurrent_writers_creates_the_object() {
    let server = Server::start().await;
    let writers = (0..12).map(|number: u8| {
        let put = server.client.put_object().bucket(BUCKET).key("k").if_none_match("*");
        put.body(ByteStream::from(vec![number; 300_000])).send()
    });
    let results = futures::future::join_all(writers).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let bytes = get(&server, "k").await;
    assert!(bytes.len() == 300_000 && bytes.iter().all(|byte| *byte == bytes[0]));
}

#[tokio::test]
async fn ranges_are_read_and_unsatisfiable_ones_refused() {
    let server = Server::start().await;
    let bytes = pattern(MIB);
    put(&server, "k", bytes.clone()).await;
    let range = |range: &str| server.client.get_object().bucket(BUCKET).key("k").range(range).send();
    for (asked, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=700000-", 700_000, MIB), ("bytes=-5", MIB - 5, MIB), ("bytes=9-99999999", 9, MIB)]
    {
        let got = range(asked).await.unwrap();
        assert_eq!(got.content_range.as_deref(), Some(format!("bytes {from}-{}/{MIB}", to - 1).as_str()));
        assert_eq!(got.content_length, Some((to - from) as i64));
        assert!(got.body.collect().await.unwrap().to_vec() == bytes[from..to], "{asked}");
    }
    let error = range("bytes=1048576-").await.unwrap_err();
    assert_eq!((code(&error), status(&error)), ("InvalidRange".to_owned(), 416));
    let whole = range("bytes=0-").await.unwrap();
    assert_eq!(whole.content_length, Some(MIB as i64));
    // S3 ignores what is not one range of bytes.
    for ignored in ["bytes=5-3", "bytes=0-1,4-5", "bytes=x", "items=0-1"] {
        let got = range(ignored).await.unwrap();
        assert_eq!((got.content_range, got.content_length), (None, Some(MIB as i64)), "{ignored}");
    }
    put(&server, "empty", *b"").await;
    for asked in ["bytes=-1", "bytes=0-", "bytes=0-0"] {
        let error = server.client.get_object().bucket(BUCKET).key("empty").range(asked).send().await.unwrap_err();
        assert_eq!((code(&error), status(&error)), ("InvalidRange".to_owned(), 416), "{asked}");
    }
    let head = "HEAD /media/k HTTP/1.1\r\nhost: localhost\r\nrange: bytes=2-3\r\nconnection: close\r\n\r\n";
    let head = server.raw(head).await;
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert!(head.contains("content-range: bytes 2-3/1048576\r\n") && head.contains("content-length: 2\r\n"), "{head}");
}

#[tokio::test]
async fn reads_are_conditional() {
    let server = Server::start().await;
    let etag = put(&server, "k", *b"1").await;
    let get = || server.client.get_object().bucket(BUCKET).key("k");
    assert!(get().if_match(&etag).send().await.is_ok());
    assert_eq!(status(&get().if_match("\"other\"").send().await.unwrap_err()), 412);
    assert_eq!(status(&get().if_none_match(&etag).send().await.unwrap_err()), 304);
    assert!(get().if_modified_since(DateTime::from_secs(1)).send().await.is_ok());
    assert_eq!(status(&get().if_modified_since(DateTime::from_secs(4_000_000_000)).send().await.unwrap_err()), 304);
    assert_eq!(status(&get().if_unmodified_since(DateTime::from_secs(1)).send().await.unwrap_err()), 412);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let server = Server::start().await;
    let c = &server.client;
    assert_eq!(code(&c.get_object().bucket(BUCKET).key("none").send().await.unwrap_err()), "NoSuchKey");
    assert_eq!(code(&c.get_object().bucket("no-bucket").key("k").send().await.unwrap_err()), "NoSuchBucket");
    assert_eq!(code(&c.list_objects_v2().bucket("no-bucket").send().await.unwrap_err()), "NoSuchBucket");
    assert_eq!(status(&c.head_object().bucket(BUCKET).key("none").send().await.unwrap_err()), 404);
    assert_eq!(status(&c.head_bucket().bucket("no-bucket").send().await.unwrap_err()), 404);
    let part = c.upload_part().bucket(BUCKET).key("k").part_number(1).upload_id("none").send().await.unwrap_err();
    assert_eq!(code(&part), "NoSuchUpload");
    assert_eq!(code(&c.get_bucket_acl().bucket(BUCKET).send().await.unwrap_err()), "NotImplemented");
}

#[tokio::test]
async fn buckets_come_and_go() {
    let server = Server::start().await;
    let c = &server.client;
    c.create_bucket().bucket("second").send().await.unwrap();
    assert_eq!(code(&c.create_bucket().bucket("second").send().await.unwrap_err()), "BucketAlreadyOwnedByYou");
    let names = c.list_buckets().send().await.unwrap().buckets.unwrap();
    assert_eq!(names.iter().map(|bucket| bucket.name.clone().unwrap()).collect::<Vec<_>>(), [BUCKET, "second"]);
    let location = c.get_bucket_location().bucket("second").send().await.unwrap().location_constraint;
    assert!(location.is_none_or(|location| location.as_str().is_empty()));
    c.head_bucket().bucket("second").send().await.unwrap();
    c.put_object().bucket("second").key("a/b").send().await.unwrap();
    assert_eq!(code(&c.delete_bucket().bucket("second").send().await.unwrap_err()), "BucketNotEmpty");
    c.delete_object().bucket("second").key("a/b").send().await.unwrap();
    c.delete_bucket().bucket("second").send().await.unwrap();
    assert!(!server.root.join("second").exists());
}

#[tokio::test]
async fn unusual_keys_are_stored_and_listed_unchanged() {
    let server = Server::start().await;
    let long = "long/".to_owned() + &"ä".repeat(400);
    let keys = ["a b+c&d=e?f#g", "%41%2F", "dot/.hidden", "trailing/", "x//y", "🎉", "a", "a/b", "100%", &long];
    for key in keys {
        put(&server, key, key.as_bytes()).await;
    }
    for key in keys {
        assert_eq!(get(&server, key).await, key.as_bytes(), "{key}");
    }
    let listed = server.client.list_objects_v2().bucket(BUCKET).encoding_type(aws_sdk_s3::types::EncodingType::Url);
    let listed = listed.send().await.unwrap().contents.unwrap();
    assert_eq!(listed.len(), keys.len());
    let plain = server.client.list_objects_v2().bucket(BUCKET).send().await.unwrap().contents.unwrap();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(plain.iter().map(|object| object.key.as_deref().unwrap()).collect::<Vec<_>>(), sorted);
    assert!(std::fs::read_dir(server.folder.path()).unwrap().count() == 1, "nothing is written beside the root");
}

#[tokio::test]
async fn a_request_for_a_path_outside_the_bucket_stays_inside() {
    let server = Server::start().await;
    std::fs::write(server.folder.path().join("secret"), "secret").unwrap();
    for path in [
        "/media/../../secret",
        "/media/%2e%2e/%2e%2e/secret",
        "/media/..%2f..%2fsecret",
        "/media/../.stagehost/s3/lock",
        "/.stagehost/s3/lock",
    ] {
        let answer = server.raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{path}: {answer}");
    }
    server.raw("PUT /media/%2e%2e/%2e%2e/new HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx").await;
    assert!(!server.folder.path().join("new").exists());
    assert!(server.root.join("media/%2E%2E/%2E%2E/new").exists());
}

#[tokio::test]
async fn listings_have_pages_prefixes_and_both_versions() {
    let server = Server::start().await;
    for number in 0..7 {
        put(&server, &format!("51/raw/{number}"), "x").await;
    }
    put(&server, "51/zip/a", "x").await;
    put(&server, "52/raw/a", "x").await;
    let mut pages = server.client.list_objects_v2().bucket(BUCKET).prefix("51/").into_paginator().page_size(3).send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.contents().len() <= 3);
        keys.extend(page.contents.unwrap_or_default().into_iter().map(|object| object.key.unwrap()));
    }
    assert_eq!(keys.len(), 8);
    assert!(keys.is_sorted());
    let grouped = server.client.list_objects_v2().bucket(BUCKET).prefix("51/").delimiter("/").send().await.unwrap();
    let prefixes: Vec<_> = grouped.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap()).collect();
    assert_eq!(prefixes, ["51/raw/", "51/zip/"]);
    assert_eq!(grouped.key_count, Some(2));
    let first = server.client.list_objects().bucket(BUCKET).delimiter("/").max_keys(1).send().await.unwrap();
    assert_eq!(first.next_marker.as_deref(), Some("51/"));
    let second = server.client.list_objects().bucket(BUCKET).delimiter("/").marker("51/").send().await.unwrap();
    assert_eq!(second.common_prefixes()[0].prefix(), Some("52/"));
    let etag =
        &server.client.list_objects().bucket(BUCKET).send().await.unwrap().contents.unwrap()[0].e_tag.clone().unwrap();
    assert_eq!(*etag, format!("\"{}\"", md5_hex(b"x")));
}

#[tokio::test]
async fn a_file_added_to_the_folder_by_hand_is_an_object() {
    let server = Server::start().await;
    std::fs::create_dir_all(server.root.join("media/by/hand")).unwrap();
    std::fs::write(server.root.join("media/by/hand/photo.HEIC"), "dropped").unwrap();
    let head =
        server.client.head_object().bucket(BUCKET).key("by/hand/photo.HEIC").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!(head.content_type.as_deref(), Some("image/heic"));
    assert_eq!(head.e_tag.unwrap(), format!("\"{}\"", md5_hex(b"dropped")));
    assert_eq!(head.checksum_crc32.unwrap(), crc32_base64(b"dropped"));
    assert_eq!(get(&server, "by/hand/photo.HEIC").await, b"dropped");
}

#[tokio::test]
async fn tags_are_separate_from_the_object() {
    let server = Server::start().await;
    let c = &server.client;
    c.put_object().bucket(BUCKET).key("k").tagging("stage=raw").send().await.unwrap();
    let etag = c.head_object().bucket(BUCKET).key("k").send().await.unwrap().e_tag;
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().unwrap();
    let tagging = Tagging::builder().tag_set(tag("stage", "ready")).tag_set(tag("tier", "cold")).build().unwrap();
    c.put_object_tagging().bucket(BUCKET).key("k").tagging(tagging).send().await.unwrap();
    let tags = c.get_object_tagging().bucket(BUCKET).key("k").send().await.unwrap().tag_set;
    assert_eq!(tags, [tag("stage", "ready"), tag("tier", "cold")]);
    assert_eq!(c.get_object().bucket(BUCKET).key("k").send().await.unwrap().tag_count, Some(2));
    assert_eq!(c.head_object().bucket(BUCKET).key("k").send().await.unwrap().e_tag, etag);
    c.delete_object_tagging().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(c.get_object_tagging().bucket(BUCKET).key("k").send().await.unwrap().tag_set.is_empty());
}

#[tokio::test]
async fn a_copy_on_condition_replaces_nothing_else_and_no_bucket_has_versions() {
    let server = Server::start().await;
    let c = &server.client;
    for (key, body) in [("from", "new"), ("taken", "old")] {
        c.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(body.as_bytes())).send().await.unwrap();
    }
    let copy = |key: &str, name: &'static str, value: String| {
        let request = c.copy_object().bucket(BUCKET).copy_source("media/from").key(key).customize();
        request.mutate_request(move |request| {
            request.headers_mut().insert(name, value.clone());
        })
    };
    let refused = copy("taken", "if-none-match", "*".into()).send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 412);
    assert_eq!(get(&server, "taken").await, b"old");
    copy("free", "if-none-match", "*".into()).send().await.unwrap();
    copy("taken", "if-match", format!("\"{}\"", md5_hex(b"old"))).send().await.unwrap();
    assert_eq!(get(&server, "taken").await, b"new");
    assert_eq!(c.get_bucket_versioning().bucket(BUCKET).send().await.unwrap().status(), None);
}

#[tokio::test]
async fn copies_keep_or_replace_metadata_as_requested() {
    let server = Server::start().await;
    let c = &server.client;
    c.put_object()
        .bucket(BUCKET)
        .key("from é")
        .content_type("image/png")
        .metadata("a", "1")
        .tagging("t=1")
        .body(ByteStream::from_static(b"bytes"))
        .send()
        .await
        .unwrap();
    let copy = || c.copy_object().bucket(BUCKET).copy_source("media/from%20%C3%A9");
    let copied = copy().key("kept").send().await.unwrap().copy_object_result.unwrap();
    assert_eq!(copied.e_tag.unwrap(), format!("\"{}\"", md5_hex(b"bytes")));
    let kept = c.get_object().bucket(BUCKET).key("kept").send().await.unwrap();
    assert_eq!((kept.content_type.as_deref(), kept.tag_count), (Some("image/png"), Some(1)));
    copy()
        .key("replaced")
        .metadata_directive(MetadataDirective::Replace)
        .content_type("text/plain")
        .metadata("b", "2")
        .send()
        .await
        .unwrap();
    let replaced = c.head_object().bucket(BUCKET).key("replaced").send().await.unwrap();
    assert_eq!(replaced.content_type.as_deref(), Some("text/plain"));
    assert!(!replaced.metadata.unwrap().contains_key("a"));
    assert_eq!(code(&copy().key("from é").send().await.unwrap_err()), "InvalidRequest");
    let error = copy().key("x").copy_source_if_match("\"other\"").send().await.unwrap_err();
    assert_eq!(code(&error), "PreconditionFailed");
    let rehashed = copy().key("sha").checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    assert!(rehashed.copy_object_result.unwrap().checksum_sha256.is_some());
}

#[tokio::test]
async fn deleting_is_idempotent_one_or_many_at_a_time() {
    let server = Server::start().await;
    let c = &server.client;
    for key in ["a", "b/c", "d"] {
        put(&server, key, key).await;
    }
    c.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    c.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(object("b/c")).objects(object("none")).build().unwrap();
    let deleted = c.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    assert!(deleted.errors().is_empty());
    assert_eq!(c.list_objects_v2().bucket(BUCKET).send().await.unwrap().key_count, Some(1));
    assert!(!server.root.join("media/b").exists());
}
