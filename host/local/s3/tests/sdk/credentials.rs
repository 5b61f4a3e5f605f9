//! Which requests are accepted, and what is checked without signatures.

use aws_sdk_s3::primitives::ByteStream;
use stagehost_s3::{Credentials, Options};

use crate::support::{BUCKET, MIB, Server, code, pattern, put};

#[tokio::test]
async fn a_fixed_pair_is_verified() {
    let credentials = Credentials::Fixed { access_key: "right".to_owned(), secret_key: "secret".to_owned() };
    let options = Options { credentials, ..Options::default() };
    let server = Server::with(options).await;
    let right = server.client_as("right", "secret");
    right.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"x")).send().await.unwrap();
    let file = server.folder.path().join("body");
    std::fs::write(&file, pattern(MIB)).unwrap();
    let body = ByteStream::from_path(&file).await.unwrap();
    right.put_object().bucket(BUCKET).key("streamed").body(body).send().await.unwrap();
    assert!(std::fs::read(server.root.join("media/streamed")).unwrap() == pattern(MIB));
    let wrong = server.client_as("right", "guess").get_object().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(code(&wrong), "SignatureDoesNotMatch");
    assert!(server.client_as("wrong", "secret").get_object().bucket(BUCKET).key("k").send().await.is_err());
    let answer = server.raw("GET /media/k HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn without_fixed_credentials_any_presigned_url_works() {
    let server = Server::start().await;
    put(&server, "k v", "presigned").await;
    let config = aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let url = server.client.get_object().bucket(BUCKET).key("k v").presigned(config).await.unwrap();
    let path = url.uri().splitn(4, '/').nth(3).unwrap().to_owned();
    let answer = server.raw(&format!("GET /{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("presigned"), "{answer}");
}

#[tokio::test]
async fn a_body_with_another_sha256_than_declared_is_refused_even_without_signature_checks() {
    let server = Server::start().await;
    let sha256 = "0".repeat(64);
    let answer = server.raw(&format!("PUT /media/k HTTP/1.1\r\nhost: localhost\r\nx-amz-content-sha256: {sha256}\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx")).await;
    assert!(answer.contains("XAmzContentSHA256Mismatch"), "{answer}");
    assert!(!server.root.join("media/k").exists());
}

#[tokio::test]
async fn an_interrupted_upload_leaves_nothing() {
    let server = Server::start().await;
    let chunked = "PUT /media/k HTTP/1.1\r\nhost: localhost\r\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 5\r\ncontent-length: 9\r\nconnection: close\r\n\r\n5\r\nhello\n";
    let answer = server.raw(chunked).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    server
        .break_off(
            "PUT /media/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500\r\nconnection: close\r\n\r\nfew bytes",
        )
        .await;
    server.settled().await;
    assert!(!server.root.join("media/k").exists());
    assert!(server.unfinished().is_empty());
}
