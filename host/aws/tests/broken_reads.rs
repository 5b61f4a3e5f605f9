#![allow(clippy::unwrap_used, missing_docs)]
//! Reads over a network that breaks, and of objects that are replaced while they are read.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::routing::any;
use stagehost_aws::S3Objects;
use stagehost_batch::Case;
use stagehost_runtime::capability::Objects as _;

/// One object behind a network that breaks off `breaks` answers after `chunk` bytes.
#[derive(Clone)]
struct UnstableObject {
    bytes: Bytes,
    chunk: usize,
    breaks: Arc<AtomicU32>,
    etag: Arc<Mutex<String>>,
    /// The `Range` of every GET so far.
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl UnstableObject {
    async fn start(len: usize, chunk: usize, breaks: u32) -> (Self, S3Objects) {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 31 % 251) as u8).collect();
        let object = Self {
            bytes: bytes.into(),
            chunk,
            breaks: Arc::new(AtomicU32::new(breaks)),
            etag: Arc::new(Mutex::new("first".into())),
            ranges: Arc::default(),
        };
        let app = Router::new().route("/{*key}", any(serve)).with_state(object.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("a", "b", None)))
            .endpoint_url(url)
            .build();
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        (object, S3Objects::new(aws_sdk_s3::Client::from_conf(config), "medias", None))
    }

    fn requests(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }
}

async fn serve(State(object): State<UnstableObject>, method: Method, headers: HeaderMap) -> Response<Body> {
    let etag = object.etag.lock().unwrap().clone();
    let wanted = headers.get("if-match").map(|value| value.to_str().unwrap().trim_matches('"').to_owned());
    if wanted.is_some_and(|wanted| wanted != etag) {
        return Response::builder().status(StatusCode::PRECONDITION_FAILED).body(Body::empty()).unwrap();
    }
    let length = object.bytes.len();
    let answer = Response::builder().header("etag", format!("\"{etag}\""));
    if method == Method::HEAD {
        return answer.header("content-length", length).body(Body::empty()).unwrap();
    }
    let range = headers.get("range").map(|value| value.to_str().unwrap().to_owned());
    object.ranges.lock().unwrap().push(range.clone());
    let (from, to) = match &range {
        Some(range) => {
            let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            (from.parse().unwrap(), (to.parse::<usize>().unwrap() + 1).min(length))
        }
        None => (0, length),
    };
    let part = object.bytes.slice(from..to);
    let broken = part.len() > object.chunk
        && object.breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let chunks = if broken {
        vec![Ok(part.slice(..object.chunk)), Err(std::io::Error::other("the network broke"))]
    } else {
        vec![Ok(part.clone())]
    };
    answer
        .status(if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
        .header("content-length", part.len())
        .body(Body::from_stream(futures::stream::iter(chunks)))
        .unwrap()
}

#[tokio::test]
async fn the_digest_of_an_object_is_right_although_the_network_breaks() {
    use sha2::Digest as _;
    let (object, objects) = UnstableObject::start(3_000_000, 700_000, 3).await;
    let digests = objects.digest("51/raw/a.jpg", Some("first")).await.unwrap();
    assert_eq!(digests.sha256, hex::encode(sha2::Sha256::digest(&object.bytes)));
    assert_eq!(digests.crc32, crc32fast::hash(&object.bytes));
    assert_eq!((digests.bytes, digests.etag.as_str()), (3_000_000, "first"));
    assert!(object.requests().len() >= 4, "it was resumed and not begun again: {:?}", object.requests());
}

#[tokio::test]
async fn a_network_that_always_breaks_is_a_transient_failure_and_not_an_endless_loop() {
    let (_, objects) = UnstableObject::start(3_000_000, 1, u32::MAX).await;
    let failure = objects.digest("51/raw/a.jpg", None).await.unwrap_err();
    assert_eq!(failure.case, Case::Transient);
    assert!(failure.message.contains("51/raw/a.jpg"), "{failure}");
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_a_mismatch_and_never_a_mixture() {
    let (object, objects) = UnstableObject::start(3_000_000, 3_000_000, 0).await;
    let mut reader = objects.open("51/raw/a.jpg", None).await.unwrap();
    assert_eq!(reader.read(0, 10).await.unwrap(), object.bytes.slice(..10));
    *object.etag.lock().unwrap() = "second".into();
    assert_eq!(reader.read(2_000_000, 10).await.unwrap_err().case, Case::Mismatch);
}

#[tokio::test]
async fn opening_another_version_than_the_validated_one_is_a_mismatch() {
    let (_, objects) = UnstableObject::start(10, 10, 0).await;
    assert_eq!(objects.open("k", Some("other")).await.err().unwrap().case, Case::Mismatch);
    assert_eq!(objects.digest("k", Some("other")).await.unwrap_err().case, Case::Mismatch);
}

#[tokio::test]
async fn a_walk_through_an_object_costs_one_request_for_the_first_read_and_one_stream() {
    let (object, objects) = UnstableObject::start(3_000_000, 400_000, 2).await;
    let mut reader = objects.open("k", None).await.unwrap();
    let mut all = Vec::new();
    loop {
        let bytes = reader.read(all.len() as u64, 65_536).await.unwrap();
        if bytes.is_empty() {
            break;
        }
        all.extend_from_slice(&bytes);
    }
    assert!(all == object.bytes, "every byte, in order");
    let requests = object.requests();
    assert_eq!(requests[0].as_deref(), Some("bytes=0-65535"));
    assert_eq!(requests[1].as_deref(), Some("bytes=65536-2999999"));
    assert_eq!(requests.len(), 4, "two more for the two breaks: {requests:?}");
}

#[tokio::test]
async fn jumps_request_exactly_their_ranges_and_stop_at_the_objects_end() {
    let (object, objects) = UnstableObject::start(3_000_000, 3_000_000, 0).await;
    let mut reader = objects.open("k", None).await.unwrap();
    assert_eq!(reader.read(2_999_990, 100).await.unwrap(), object.bytes.slice(2_999_990..));
    assert_eq!(reader.read(8, 8).await.unwrap(), object.bytes.slice(8..16));
    assert!(reader.read(3_000_000, 8).await.unwrap().is_empty());
    assert!(reader.read(u64::MAX, u32::MAX).await.unwrap().is_empty());
    let requests: Vec<String> = object.requests().into_iter().flatten().collect();
    assert_eq!(requests, ["bytes=2999990-2999999", "bytes=8-15"]);
}
