//! A bucket of small objects in memory: just what the tickets need, and a way to look at it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Method, Response, StatusCode};
use axum::routing::any;

/// The objects of a test.
#[derive(Clone, Default)]
pub struct Bucket(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    writes: u32,
    /// By key, each with the number of its write as its entity tag.
    objects: BTreeMap<String, (u32, Bytes)>,
}

impl Bucket {
    /// Serves it on loopback; gives the endpoint.
    pub async fn start(&self) -> String {
        let app = Router::new().route("/{bucket}/{*key}", any(serve)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    /// Writes an object from outside.
    pub fn put(&self, key: &str, bytes: &'static [u8]) {
        self.write(key.to_owned(), Bytes::from_static(bytes));
    }

    /// The keys that begin with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.0.lock().unwrap().objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    fn write(&self, key: String, bytes: Bytes) -> u32 {
        let mut kept = self.0.lock().unwrap();
        kept.writes += 1;
        let etag = kept.writes;
        kept.objects.insert(key, (etag, bytes));
        etag
    }
}

async fn serve(
    State(bucket): State<Bucket>,
    method: Method,
    Path((_, key)): Path<(String, String)>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answer = Response::builder();
    if method == Method::PUT {
        let etag = bucket.write(key, body);
        return answer.header("etag", format!("\"{etag}\"")).body(Body::empty()).unwrap();
    }
    if method == Method::DELETE {
        bucket.0.lock().unwrap().objects.remove(&key);
        return answer.status(StatusCode::NO_CONTENT).body(Body::empty()).unwrap();
    }
    let Some((etag, bytes)) = bucket.0.lock().unwrap().objects.get(&key).cloned() else {
        let error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
        return answer.status(StatusCode::NOT_FOUND).body(Body::from(error)).unwrap();
    };
    let etag = format!("\"{etag}\"");
    if headers.get("if-match").is_some_and(|wanted| wanted.to_str().unwrap() != etag) {
        return answer.status(StatusCode::PRECONDITION_FAILED).body(Body::empty()).unwrap();
    }
    let answer = answer.header("etag", etag).header("content-length", bytes.len());
    answer.body(if method == Method::HEAD { Body::empty() } else { Body::from(bytes) }).unwrap()
}
