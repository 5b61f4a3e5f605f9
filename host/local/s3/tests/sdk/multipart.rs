//! Multipart uploads.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectAttributes,
    StorageClass,
};

use crate::support::{BUCKET, MIB, Server, code, crc32_base64, get, pattern, put};

async fn begin(server: &Server, key: &str, kind: Option<ChecksumType>) -> String {
    let create = server.client.create_multipart_upload().bucket(BUCKET).key(key).content_type("application/zip");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32).set_checksum_type(kind);
    create.send().await.unwrap().upload_id.unwrap()
}

async fn part(server: &Server, key: &str, id: &str, number: i32, bytes: &[u8]) -> CompletedPart {
    let part = server.client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
    let done = part.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
    CompletedPart::builder().part_number(number).set_e_tag(done.e_tag).set_checksum_crc32(done.checksum_crc32).build()
}

fn list(parts: impl IntoIterator<Item = CompletedPart>) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.into_iter().collect())).build()
}

#[tokio::test]
async fn uploaded_and_copied_parts_become_one_object_with_the_crc32_of_the_whole() {
    let server = Server::start().await;
    let c = &server.client;
    let source = pattern(12 * MIB);
    put(&server, "source", source.clone()).await;
    let etag = c.head_object().bucket(BUCKET).key("source").send().await.unwrap().e_tag.unwrap();
    let id = begin(&server, "zip", Some(ChecksumType::FullObject)).await;

    let head = pattern(5 * MIB);
    let last = part(&server, "zip", &id, 9, b"the end").await;
    let first = part(&server, "zip", &id, 1, &head).await;
    let copy = |number, range: &str| {
        c.upload_part_copy()
            .bucket(BUCKET)
            .key("zip")
            .upload_id(&id)
            .part_number(number)
            .copy_source("media/source")
            .copy_source_range(range)
            .copy_source_if_match(&etag)
            .send()
    };
    let mut parts = vec![first];
    for (number, range) in [(2, format!("bytes=0-{}", 12 * MIB - 1)), (5, format!("bytes=1000-{}", 6 * MIB))] {
        let copied = copy(number, &range).await.unwrap().copy_part_result.unwrap();
        assert!(copied.checksum_crc32.is_some());
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(copied.e_tag).build());
    }
    parts.push(last);
    let whole = [&head[..], &source, &source[1000..=6 * MIB], b"the end"].concat();

    let listed = c.list_parts().bucket(BUCKET).key("zip").upload_id(&id).max_parts(3).send().await.unwrap();
    assert_eq!(listed.parts().iter().map(|part| part.part_number.unwrap()).collect::<Vec<_>>(), [1, 2, 5]);
    assert_eq!(listed.is_truncated, Some(true));
    assert!(!server.root.join("media/zip").exists(), "nothing is visible before the upload is completed");

    let complete = || {
        c.complete_multipart_upload().bucket(BUCKET).key("zip").upload_id(&id).checksum_type(ChecksumType::FullObject)
    };
    let wrong = complete().multipart_upload(list(parts.clone())).checksum_crc32(crc32_base64(b"x")).send().await;
    assert_eq!(code(&wrong.unwrap_err()), "BadDigest");
    let done = complete().multipart_upload(list(parts.clone())).checksum_crc32(crc32_base64(&whole)).if_none_match("*");
    let done = done.mpu_object_size(whole.len() as i64).send().await.unwrap();
    assert_eq!(done.checksum_crc32.unwrap(), crc32_base64(&whole));
    assert!(done.e_tag.as_deref().unwrap().ends_with("-4\""));
    assert!(std::fs::read(server.root.join("media/zip")).unwrap() == whole);

    let head = c.head_object().bucket(BUCKET).key("zip").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_crc32.unwrap(), crc32_base64(&whole));
    assert_eq!(head.content_type.as_deref(), Some("application/zip"));
    assert_eq!(head.e_tag, done.e_tag);
    let part = c.get_object().bucket(BUCKET).key("zip").part_number(9).send().await.unwrap();
    assert_eq!(part.parts_count, Some(4));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"the end");
    let attributes = c
        .get_object_attributes()
        .bucket(BUCKET)
        .key("zip")
        .object_attributes(ObjectAttributes::Checksum)
        .object_attributes(ObjectAttributes::ObjectParts)
        .object_attributes(ObjectAttributes::ObjectSize)
        .send()
        .await
        .unwrap();
    assert_eq!(attributes.object_size, Some(whole.len() as i64));
    assert_eq!(attributes.checksum.unwrap().checksum_crc32.unwrap(), crc32_base64(&whole));
    assert_eq!(attributes.object_parts.unwrap().total_parts_count, Some(4));
    assert_eq!(code(&complete().multipart_upload(list(parts)).send().await.unwrap_err()), "NoSuchUpload");
    assert!(server.unfinished().is_empty());
}

#[tokio::test]
async fn inconsistent_parts_are_refused_and_the_upload_is_kept() {
    let server = Server::start().await;
    let c = &server.client;
    put(&server, "k", "there").await;
    let id = begin(&server, "k", Some(ChecksumType::FullObject)).await;
    let small = part(&server, "k", &id, 1, b"too small").await;
    let last = part(&server, "k", &id, 2, b"last").await;
    let complete = |parts: Vec<CompletedPart>| {
        c.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(&id).multipart_upload(list(parts))
    };
    let refused = [
        (complete(vec![small.clone(), last.clone()]), "EntityTooSmall"),
        (complete(vec![last.clone(), small.clone()]), "InvalidPartOrder"),
        (complete(vec![CompletedPart::builder().part_number(3).e_tag("\"0\"").build()]), "InvalidPart"),
        (complete(vec![CompletedPart::builder().part_number(2).e_tag("\"0\"").build()]), "InvalidPart"),
        (complete(vec![last.clone()]).if_none_match("*"), "PreconditionFailed"),
        (complete(vec![last.clone()]).mpu_object_size(5), "InvalidRequest"),
    ];
    for (request, expected) in refused {
        assert_eq!(code(&request.send().await.unwrap_err()), expected);
    }
    assert_eq!(get(&server, "k").await, b"there");
    let etag = c.head_object().bucket(BUCKET).key("k").send().await.unwrap().e_tag.unwrap();
    complete(vec![last]).if_match(etag).send().await.unwrap();
    assert_eq!(get(&server, "k").await, b"last");
    let missing = c.upload_part_copy().bucket(BUCKET).key("k").upload_id(&id).part_number(1).copy_source("media/k");
    assert_eq!(code(&missing.send().await.unwrap_err()), "NoSuchUpload");
}

#[tokio::test]
async fn a_composite_checksum_is_that_of_the_parts_checksums_which_the_request_must_name() {
    use base64::Engine;
    let server = Server::start().await;
    let id = begin(&server, "k", Some(ChecksumType::Composite)).await;
    let first = part(&server, "k", &id, 1, &pattern(5 * MIB)).await;
    let last = part(&server, "k", &id, 2, b"last").await;
    let complete = |parts: Vec<CompletedPart>| {
        server.client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(&id).multipart_upload(list(parts))
    };
    let unnamed = CompletedPart::builder().part_number(1).set_e_tag(first.e_tag.clone()).build();
    assert_eq!(code(&complete(vec![unnamed, last.clone()]).send().await.unwrap_err()), "InvalidRequest");
    let done = complete(vec![first, last]).send().await.unwrap();
    let crc32s = [crc32fast::hash(&pattern(5 * MIB)).to_be_bytes(), crc32fast::hash(b"last").to_be_bytes()].concat();
    let expected = base64::engine::general_purpose::STANDARD.encode(crc32fast::hash(&crc32s).to_be_bytes());
    assert_eq!(done.checksum_crc32.unwrap(), format!("{expected}-2"));
    assert_eq!(done.checksum_type.unwrap(), ChecksumType::Composite);
}

#[tokio::test]
async fn uploads_are_listed_until_they_are_aborted() {
    let server = Server::start().await;
    let c = &server.client;
    let first = begin(&server, "a", None).await;
    begin(&server, "b", None).await;
    begin(&server, "b", None).await;
    let listed = c.list_multipart_uploads().bucket(BUCKET).max_uploads(2).send().await.unwrap();
    assert_eq!(listed.uploads().len(), 2);
    let rest = c
        .list_multipart_uploads()
        .bucket(BUCKET)
        .key_marker(listed.next_key_marker().unwrap())
        .upload_id_marker(listed.next_upload_id_marker().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(rest.uploads().len(), 1);
    c.abort_multipart_upload().bucket(BUCKET).key("a").upload_id(&first).send().await.unwrap();
    let again = c.abort_multipart_upload().bucket(BUCKET).key("a").upload_id(&first).send().await.unwrap_err();
    assert_eq!(code(&again), "NoSuchUpload");
    server.service.abort_all_uploads().unwrap();
    assert!(c.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().is_empty());
    assert!(server.unfinished().is_empty());
}

#[tokio::test]
async fn a_part_has_the_checksum_algorithm_of_its_upload() {
    let server = Server::start().await;
    let create = server.client.create_multipart_upload().bucket(BUCKET).key("k");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Sha256).storage_class(StorageClass::GlacierIr);
    let id = create.send().await.unwrap().upload_id.unwrap();
    let put = |algorithm: ChecksumAlgorithm| {
        let part = server.client.upload_part().bucket(BUCKET).key("k").upload_id(&id).part_number(1);
        part.checksum_algorithm(algorithm).body(ByteStream::from_static(b"part")).send()
    };
    let error = put(ChecksumAlgorithm::Crc32).await.unwrap_err();
    assert_eq!(code(&error), "InvalidRequest");
    let listed = server.client.list_parts().bucket(BUCKET).key("k").upload_id(&id).send().await.unwrap();
    assert!(listed.parts().is_empty(), "a refused part is not kept");
    assert_eq!(listed.storage_class, Some(StorageClass::GlacierIr));
    assert!(put(ChecksumAlgorithm::Sha256).await.unwrap().checksum_sha256.is_some());
}
