//! What a request of the host is: its service, its operation and what it is about.

use hyper::{HeaderMap, Method, Uri};
use serde_json::Value;

/// A service that the host calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    S3,
    States,
    MediaConvert,
    Sqs,
    Secrets,
    Backend,
    Unknown,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) service: Called,
    /// The operation's name in the API; for the backend, the method and the path.
    pub(super) operation: String,
    /// The object's key; for Step Functions, the execution's name.
    pub(super) key: Option<String>,
    /// The key that is copied from.
    pub(super) source: Option<String>,
    /// Whether it has a precondition for a write.
    pub(super) conditional: bool,
    /// What tells it from other requests, apart from ids that differ from run to run.
    pub(super) identity: String,
}

impl Seen {
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let service = service(uri, headers);
        let mut seen = match service {
            Called::S3 => s3(method, uri, headers),
            Called::Backend | Called::Unknown => named(service, format!("{method} {}", uri.path())),
            Called::MediaConvert => named(service, media_convert(method, uri)),
            _ => {
                let operation = header(headers, "x-amz-target").rsplit('.').next().unwrap_or_default().to_owned();
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                Self { key: body["name"].as_str().map(str::to_owned), ..named(service, operation) }
            }
        };
        let detail = if service == Called::S3 { position(uri, headers) } else { String::new() };
        seen.identity = format!("{} {}{detail}", seen.operation, seen.key.as_deref().unwrap_or_default());
        seen
    }

    /// Returns whether it writes an object's bytes.
    pub(super) fn writes(&self) -> bool {
        matches!(
            self.operation.as_str(),
            "PutObject"
                | "CopyObject"
                | "CreateMultipartUpload"
                | "UploadPart"
                | "UploadPartCopy"
                | "CompleteMultipartUpload"
        )
    }
}

fn named(service: Called, operation: String) -> Seen {
    Seen { service, operation, key: None, source: None, conditional: false, identity: String::new() }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The signature names the service; the callback is not signed by AWS's rules.
fn service(uri: &Uri, headers: &HeaderMap) -> Called {
    let credential = header(headers, "authorization").split("Credential=").nth(1).unwrap_or_default();
    let scope = credential.split([',', ' ']).next().unwrap_or_default();
    match scope.rsplit('/').nth(1) {
        Some("s3") => Called::S3,
        Some("states") => Called::States,
        Some("mediaconvert") => Called::MediaConvert,
        Some("sqs") => Called::Sqs,
        Some("secretsmanager") => Called::Secrets,
        _ if uri.path().starts_with("/internal/media-processing/") => Called::Backend,
        _ => Called::Unknown,
    }
}

fn media_convert(method: &Method, uri: &Uri) -> String {
    let rest = uri.path().trim_start_matches("/2017-08-29/").trim_end_matches('/');
    match (method, rest.split_once('/')) {
        (&Method::POST, None) if rest == "jobs" => "CreateJob".to_owned(),
        (&Method::GET, Some(("jobs", _))) => "GetJob".to_owned(),
        (&Method::DELETE, Some(("jobs", _))) => "CancelJob".to_owned(),
        (&Method::GET, None) if rest == "jobs" => "ListJobs".to_owned(),
        _ => format!("{method} {rest}"),
    }
}

fn s3(method: &Method, uri: &Uri, headers: &HeaderMap) -> Seen {
    let has = |name: &str| query(uri).any(|(known, _)| known == name);
    let path = uri.path().trim_start_matches('/');
    let key = path.split_once('/').map(|(_, key)| decoded(key)).filter(|key| !key.is_empty());
    let source = header(headers, "x-amz-copy-source");
    let copied = !source.is_empty();
    let operation = match (method, key.is_some()) {
        (&Method::GET, true) if has("tagging") => "GetObjectTagging",
        (&Method::GET, true) if has("uploadId") => "ListParts",
        (&Method::GET, true) => "GetObject",
        (&Method::GET, false) if has("uploads") => "ListMultipartUploads",
        (&Method::GET, false) => "ListObjects",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::HEAD, false) => "HeadBucket",
        (&Method::PUT, _) if has("tagging") => "PutObjectTagging",
        (&Method::PUT, _) if has("partNumber") && copied => "UploadPartCopy",
        (&Method::PUT, _) if has("partNumber") => "UploadPart",
        (&Method::PUT, _) if copied => "CopyObject",
        (&Method::PUT, _) => "PutObject",
        (&Method::POST, _) if has("uploads") => "CreateMultipartUpload",
        (&Method::POST, _) if has("uploadId") => "CompleteMultipartUpload",
        (&Method::DELETE, _) if has("uploadId") => "AbortMultipartUpload",
        (&Method::DELETE, _) if has("tagging") => "DeleteObjectTagging",
        (&Method::DELETE, _) => "DeleteObject",
        _ => "an unknown operation",
    };
    let conditional = (headers.contains_key("if-none-match") || headers.contains_key("if-match"))
        && matches!(operation, "PutObject" | "CompleteMultipartUpload" | "CopyObject");
    let source = copied.then(|| decoded(source.trim_start_matches('/').split_once('/').map_or(source, |(_, key)| key)));
    Seen { key, source, conditional, ..named(Called::S3, operation.to_owned()) }
}

/// Returns the part and the range of a request.
fn position(uri: &Uri, headers: &HeaderMap) -> String {
    let part = query(uri).find(|(name, _)| *name == "partNumber").map(|(_, number)| format!(" part {number}"));
    let range = headers.get("range").and_then(|range| range.to_str().ok()).map(|range| format!(" {range}"));
    part.unwrap_or_default() + &range.unwrap_or_default()
}

fn query(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Decodes `%2F` and the like; anything else stays as it is.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn seen(method: Method, uri: &str, more: &[(&'static str, &str)]) -> Seen {
        let mut headers = HeaderMap::new();
        let signed = "AWS4-HMAC-SHA256 Credential=local/20260102/us-east-1/s3/aws4_request, SignedHeaders=host";
        headers.insert("authorization", signed.parse().unwrap());
        for (name, value) in more {
            headers.insert(*name, value.parse().unwrap());
        }
        Seen::new(&method, &uri.parse().unwrap(), &headers, b"")
    }

    #[test]
    fn operations_of_s3_are_told_apart() {
        for (method, uri, operation) in [
            (Method::GET, "/medias/51/raw/a.jpg?x-id=GetObject", "GetObject"),
            (Method::HEAD, "/medias/51/raw/a.jpg", "HeadObject"),
            (Method::PUT, "/medias/51/raw/a.jpg?tagging", "PutObjectTagging"),
            (Method::POST, "/medias/51/zip/a.zip?uploads", "CreateMultipartUpload"),
            (Method::PUT, "/medias/51/zip/a.zip?x-id=UploadPart&partNumber=2&uploadId=u", "UploadPart"),
            (Method::POST, "/medias/51/zip/a.zip?uploadId=u", "CompleteMultipartUpload"),
            (Method::DELETE, "/medias/51/zip/a.zip?uploadId=u", "AbortMultipartUpload"),
            (Method::DELETE, "/medias/pipeline/tickets/1.json", "DeleteObject"),
            (Method::GET, "/medias?uploads", "ListMultipartUploads"),
        ] {
            assert_eq!(seen(method, uri, &[]).operation, operation, "{uri}");
        }
    }

    #[test]
    fn a_key_is_decoded_and_an_upload_s_id_is_not_part_of_the_identity() {
        let one = seen(Method::PUT, "/medias/51/zip/a%20b.zip?partNumber=2&uploadId=u", &[]);
        let other = seen(Method::PUT, "/medias/51/zip/a%20b.zip?partNumber=2&uploadId=v", &[]);
        assert_eq!((one.key.as_deref(), &one.identity), (Some("51/zip/a b.zip"), &other.identity));
        let third = seen(Method::PUT, "/medias/51/zip/a%20b.zip?partNumber=3&uploadId=u", &[]);
        assert_ne!(one.identity, third.identity);
    }

    #[test]
    fn a_copy_names_its_source_and_only_writes_are_conditional() {
        let uri = "/medias/51/zip/a.zip?partNumber=2&uploadId=u";
        let copy = seen(Method::PUT, uri, &[("x-amz-copy-source", "/medias/51/raw/a.mp4")]);
        assert_eq!((copy.operation.as_str(), copy.source.as_deref()), ("UploadPartCopy", Some("51/raw/a.mp4")));
        assert!(seen(Method::PUT, "/medias/a", &[("if-none-match", "*")]).conditional);
        assert!(!seen(Method::GET, "/medias/a", &[("if-match", "\"e\"")]).conditional);
    }
}
