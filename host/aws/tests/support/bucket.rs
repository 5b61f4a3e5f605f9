//! An S3 bucket of small objects in memory, with the requests that tickets and documents need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::routing::any;

/// The objects of a test. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryBucket(Arc<Mutex<StoredObjects>>);

#[derive(Default)]
struct StoredObjects {
    writes: u32,
    /// By key. The entity tag is the number of the write.
    by_key: BTreeMap<String, (u32, Bytes)>,
}

impl MemoryBucket {
    /// Serves the bucket on loopback and returns the endpoint.
    pub async fn start(&self) -> String {
        let app = Router::new()
            .route("/{bucket}", any(list))
            .route("/{bucket}/", any(list))
            .route("/{bucket}/{*key}", any(serve))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    /// Writes an object without a request.
    pub fn put(&self, key: &str, bytes: &'static [u8]) {
        self.write(key.to_owned(), Bytes::from_static(bytes));
    }

    /// Writes an object without a request. Returns its entity tag.
    #[allow(dead_code)]
    pub fn put_owned(&self, key: &str, bytes: Vec<u8>) -> String {
        self.write(key.to_owned(), bytes.into()).to_string()
    }

    /// Deletes an object without a request.
    #[allow(dead_code)]
    pub fn remove(&self, key: &str) {
        self.0.lock().unwrap().by_key.remove(key).unwrap();
    }

    /// Returns the keys that begin with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.0.lock().unwrap().by_key.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// Returns an object's text.
    pub fn text(&self, key: &str) -> Option<String> {
        let objects = self.0.lock().unwrap();
        objects.by_key.get(key).map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Writes an object's text without a request.
    pub fn put_text(&self, key: &str, text: String) {
        self.write(key.to_owned(), text.into());
    }

    fn write(&self, key: String, bytes: Bytes) -> u32 {
        self.write_if(key, bytes, &HeaderMap::new()).unwrap()
    }

    /// Writes an object if the request's condition holds.
    fn write_if(&self, key: String, bytes: Bytes, headers: &HeaderMap) -> Option<u32> {
        let mut objects = self.0.lock().unwrap();
        let there = objects.by_key.get(&key).map(|(etag, _)| format!("\"{etag}\""));
        let refused = headers.contains_key("if-none-match") && there.is_some()
            || headers.get("if-match").is_some_and(|wanted| there.as_deref() != wanted.to_str().ok());
        if refused {
            return None;
        }
        objects.writes += 1;
        let etag = objects.writes;
        objects.by_key.insert(key, (etag, bytes));
        Some(etag)
    }
}

/// ListObjectsV2, on one page.
async fn list(State(bucket): State<MemoryBucket>, Query(query): Query<BTreeMap<String, String>>) -> Response<Body> {
    let prefix = query.get("prefix").cloned().unwrap_or_default();
    let objects = bucket.0.lock().unwrap();
    let found = objects.by_key.iter().filter(|(key, _)| key.starts_with(&prefix));
    let keys: String = found
        .map(|(key, (etag, _))| format!("<Contents><Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag></Contents>"))
        .collect();
    Response::new(Body::from(format!("<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>")))
}

async fn serve(
    State(bucket): State<MemoryBucket>,
    method: Method,
    Path((_, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answer = Response::builder();
    if method == Method::PUT {
        let Some(etag) = bucket.write_if(key, body, &headers) else {
            return answer.status(StatusCode::PRECONDITION_FAILED).body(Body::empty()).unwrap();
        };
        return answer.header("etag", format!("\"{etag}\"")).body(Body::empty()).unwrap();
    }
    if method == Method::DELETE {
        let mut objects = bucket.0.lock().unwrap();
        let there = objects.by_key.get(&key).map(|(etag, _)| format!("\"{etag}\""));
        if headers.get("if-match").is_some_and(|wanted| there.as_deref() != wanted.to_str().ok()) {
            return answer.status(StatusCode::PRECONDITION_FAILED).body(Body::empty()).unwrap();
        }
        objects.by_key.remove(&key);
        return answer.status(StatusCode::NO_CONTENT).body(Body::empty()).unwrap();
    }
    let Some((etag, bytes)) = bucket.0.lock().unwrap().by_key.get(&key).cloned() else {
        let error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
        return answer.status(StatusCode::NOT_FOUND).body(Body::from(error)).unwrap();
    };
    let etag = format!("\"{etag}\"");
    if headers.get("if-match").is_some_and(|wanted| wanted.to_str().unwrap() != etag) {
        return answer.status(StatusCode::PRECONDITION_FAILED).body(Body::empty()).unwrap();
    }
    let wanted = headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let (answer, bytes) = match wanted {
        Some((from, to)) => {
            let (from, last): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
            let range = format!("bytes {from}-{last}/{}", bytes.len());
            (answer.status(StatusCode::PARTIAL_CONTENT).header("content-range", range), bytes.slice(from..=last))
        }
        None => (answer, bytes),
    };
    let answer = answer.header("etag", etag).header("content-length", bytes.len());
    answer.body(if method == Method::HEAD { Body::empty() } else { Body::from(bytes) }).unwrap()
}
