#![allow(clippy::unwrap_used, missing_docs)]
//! Executions beside each other write one object: the first one wins, the same object is a success, and nothing that a call
//! has not seen is replaced.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Response, StatusCode};
use axum::routing::any;
use bytes::Bytes;
use stagehost_aws::{AwsOptions, Clients, Endpoints};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{NewObject, ObjectInfo, Objects as _, Provenance, Replaces};
use support::test_bucket::TestBucket;

const KEY: &str = "51/thumb/photo/vertical/a_320x240.jpg";
const MIB: usize = 1 << 20;

fn object(fingerprint: Option<&str>, replaces: Replaces) -> NewObject {
    NewObject {
        key: KEY.into(),
        content_type: "image/jpeg".into(),
        fingerprint: fingerprint.map(Into::into),
        provenance: Arc::new(Provenance { stage: "s".into(), version: "1.0.0".into(), digest: "sha256:00".into() }),
        replaces,
    }
}

async fn write(clients: &Clients, object: NewObject, bytes: &[u8]) -> Result<ObjectInfo, Failure> {
    let mut writer = clients.objects().create(object).await?;
    for chunk in bytes.chunks(3 * MIB) {
        writer.append(Bytes::copy_from_slice(chunk)).await?;
    }
    writer.finish().await
}

#[tokio::test]
async fn executions_that_write_the_same_object_at_once_all_succeed_with_the_first_ones_object() {
    let bucket = TestBucket::start("same").await;
    // One request, and a multipart upload.
    for bytes in [vec![7; 1000], vec![8; 20 * MIB]] {
        let fingerprint = format!("of {} bytes", bytes.len());
        for round in 0..5 {
            let replaces = match bucket.clients.objects().stat(KEY).await {
                Ok(info) => Replaces::Version(info.etag),
                Err(failure) => {
                    assert_eq!(failure.case, Case::Missing, "{failure}");
                    Replaces::Nothing
                }
            };
            let object = object(Some(&format!("{fingerprint} {round}")), replaces);
            let [a, b, c, d] = [0; 4].map(|_| write(&bucket.clients, object.clone(), &bytes));
            let (a, b, c, d) = tokio::join!(a, b, c, d);
            for info in [a, b, c, d] {
                let info = info.unwrap();
                assert_eq!(info, ObjectInfo { content_type: Some("image/jpeg".into()), ..stat(&bucket).await });
            }
            assert!(bucket.get(KEY).await.unwrap() == bytes);
            assert_eq!(bucket.unfinished().await, 0);
        }
    }
}

async fn stat(bucket: &TestBucket) -> ObjectInfo {
    bucket.clients.objects().stat(KEY).await.unwrap()
}

#[tokio::test]
async fn an_object_that_a_call_has_not_seen_is_not_replaced() {
    let bucket = TestBucket::start("unseen").await;
    let clients = &bucket.clients;
    for bytes in [vec![1; 100], vec![1; 9 * MIB]] {
        let first = write(clients, object(Some("first"), Replaces::Anything), &bytes).await.unwrap();
        for replaces in [Replaces::Nothing, Replaces::Version("0123".into())] {
            let failure = write(clients, object(Some("second"), replaces), &bytes).await.unwrap_err();
            assert_eq!(failure.case, Case::Mismatch, "{failure}");
            assert!(failure.message.contains(KEY) && failure.message.contains("first"), "{failure}");
            assert_eq!(stat(&bucket).await.etag, first.etag);
        }
        assert_eq!(bucket.unfinished().await, 0);
        // The same fingerprint with other bytes is another object, too.
        let other = vec![2; bytes.len()];
        let failure = write(clients, object(Some("first"), Replaces::Nothing), &other).await.unwrap_err();
        assert_eq!(failure.case, Case::Mismatch, "{failure}");
        let replaced = write(clients, object(Some("third"), Replaces::Version(first.etag)), &other).await.unwrap();
        assert_eq!(stat(&bucket).await.etag, replaced.etag);
    }
}

#[tokio::test]
async fn a_call_that_has_not_looked_replaces_what_is_there_and_a_deleted_version_is_written_again() {
    let bucket = TestBucket::start("anything").await;
    for (number, fingerprint) in [None, Some("a"), None, Some("b"), Some("b")].into_iter().enumerate() {
        let bytes = vec![number as u8; 10];
        write(&bucket.clients, object(fingerprint, Replaces::Anything), &bytes).await.unwrap();
        assert_eq!(bucket.get(KEY).await.unwrap(), bytes);
    }
    let seen = stat(&bucket).await;
    bucket.clients.s3.delete_object().bucket(&bucket.name).key(KEY).send().await.unwrap();
    write(&bucket.clients, object(Some("c"), Replaces::Version(seen.etag)), b"again").await.unwrap();
    assert_eq!(bucket.get(KEY).await.unwrap(), b"again");
}

#[tokio::test]
async fn without_a_fingerprint_bytes_and_content_type_decide() {
    let bucket = TestBucket::start("kind").await;
    write(&bucket.clients, object(None, Replaces::Anything), b"text").await.unwrap();
    let plain = NewObject { content_type: "text/plain".into(), ..object(None, Replaces::Anything) };
    write(&bucket.clients, plain.clone(), b"text").await.unwrap();
    assert_eq!(stat(&bucket).await.content_type.as_deref(), Some("text/plain"));
    let unnamed = NewObject { fingerprint: Some(String::new()), replaces: Replaces::Nothing, ..plain.clone() };
    write(&bucket.clients, unnamed, b"text").await.unwrap();
    let unseen = NewObject { content_type: "text/html".into(), replaces: Replaces::Nothing, ..plain };
    assert_eq!(write(&bucket.clients, unseen, b"text").await.unwrap_err().case, Case::Mismatch);
}

/// Refuses the first `busy` writes as S3 does while another conditional write is in progress.
async fn refusing(busy: u32) -> (Clients, Arc<AtomicU32>) {
    let writes = Arc::new(AtomicU32::new(0));
    let answer = move |State(writes): State<Arc<AtomicU32>>, method: Method| async move {
        let answer = Response::builder();
        if method == Method::HEAD {
            return answer.status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap();
        }
        if writes.fetch_add(1, Ordering::Relaxed) < busy {
            let error = "<Error><Code>ConditionalRequestConflict</Code><Message>in progress</Message></Error>";
            return answer.status(StatusCode::CONFLICT).body(Body::from(error)).unwrap();
        }
        answer.header("etag", "\"1\"").body(Body::empty()).unwrap()
    };
    let app = Router::new().fallback(any(answer)).with_state(writes.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let s3 = Some(format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let options =
        AwsOptions { bucket: "b".into(), endpoints: Endpoints { s3, ..Endpoints::default() }, ..AwsOptions::default() };
    (Clients::new(&support::sdk_config(), options), writes)
}

#[tokio::test]
async fn a_write_that_meets_another_one_in_progress_is_tried_again_and_not_for_ever() {
    let (clients, writes) = refusing(3).await;
    let info = write(&clients, object(Some("f"), Replaces::Nothing), b"x").await.unwrap();
    assert_eq!((info.etag.as_str(), writes.load(Ordering::Relaxed)), ("1", 4));

    let (clients, _) = refusing(u32::MAX).await;
    let failure = write(&clients, object(Some("f"), Replaces::Nothing), b"x").await.unwrap_err();
    assert_eq!(failure.case, Case::Transient, "{failure}");
}
