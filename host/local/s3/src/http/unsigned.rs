//! Removing signatures from requests, for a service that accepts any credentials.
//!
//! `s3s` either verifies signatures or refuses signed requests. On loopback any credentials are accepted, because SDKs
//! need some. So the signature is removed before `s3s` gets the request, and the parts of it that describe the body
//! (SHA-256, chunked encoding) are handled here.

use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use hyper::{HeaderMap, Uri};
use s3s::host::{S3Host, VirtualHost};
use s3s::stream::DynByteStream;
use s3s::{Body, HttpRequest, S3Error, S3ErrorCode, S3Result};

use crate::error::refuse;
use crate::http::chunked::Dechunked;

/// The SHA-256 that a signed request declares for its body, in hexadecimal. An extension of the request.
#[derive(Clone, Debug)]
pub struct PayloadSha256(pub String);

/// The query parameters of a presigned URL, for both signature versions.
const PRESIGNED: [&str; 10] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "awsaccesskeyid",
    "signature",
    "expires",
];

/// Returns the request without its signature.
pub fn without_signature(mut request: HttpRequest) -> S3Result<HttpRequest> {
    request.headers_mut().remove(AUTHORIZATION);
    if let Some(uri) = without_presigning(request.uri())? {
        *request.uri_mut() = uri;
    }
    let payload = header(request.headers(), "x-amz-content-sha256").map(str::to_owned);
    match payload.as_deref() {
        Some(kind) if kind.starts_with("STREAMING-") => dechunk(request),
        Some(sha256) if sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            request.extensions_mut().insert(PayloadSha256(sha256.to_lowercase()));
            Ok(request)
        }
        _ => Ok(request),
    }
}

/// Replaces a chunked body by a decoded one.
fn dechunk(request: HttpRequest) -> S3Result<HttpRequest> {
    let declared =
        header(request.headers(), "x-amz-decoded-content-length").and_then(|length| length.parse::<u64>().ok());
    let Some(declared) = declared else {
        return refuse(S3ErrorCode::MissingContentLength, "A body in chunks needs x-amz-decoded-content-length");
    };
    let (mut parts, body) = request.into_parts();
    let (decoded, trailers) = Dechunked::new(body, declared);
    parts.extensions.insert(trailers);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(declared));
    let stream: DynByteStream = Box::pin(decoded);
    Ok(HttpRequest::from_parts(parts, Body::from(stream)))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the URI of a presigned request without the signature; `None` if the URI is not presigned.
fn without_presigning(uri: &Uri) -> S3Result<Option<Uri>> {
    let Some(query) = uri.query() else { return Ok(None) };
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let signed = query.split('&').any(|pair| matches!(name(pair).as_str(), "x-amz-signature" | "signature"));
    if !signed {
        return Ok(None);
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !PRESIGNED.contains(&name(pair).as_str())).collect();
    let path = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    let mut parts = uri.clone().into_parts();
    let invalid =
        |error: Box<dyn std::error::Error + Send + Sync>| S3Error::with_source(S3ErrorCode::InvalidURI, error);
    parts.path_and_query = Some(path.parse().map_err(|error: hyper::http::uri::InvalidUri| invalid(error.into()))?);
    Uri::from_parts(parts).map(Some).map_err(|error| invalid(error.into()))
}

/// Reads the bucket from hosts such as `bucket.localhost`, which SDKs use unless path-style addressing is set.
#[derive(Debug)]
pub struct LocalHosts;

impl S3Host for LocalHosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Ok(match name.strip_suffix(".localhost") {
            Some(bucket) => VirtualHost::new("localhost").with_bucket(bucket),
            None => VirtualHost::new(name),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_presigned_url_loses_only_its_signature() {
        let uri: Uri = "/b/k%20x?x-id=GetObject&X-Amz-Signature=ab&X-Amz-Date=1&partNumber=2".parse().unwrap();
        assert_eq!(without_presigning(&uri).unwrap().unwrap().to_string(), "/b/k%20x?x-id=GetObject&partNumber=2");
        let uri: Uri = "/b/k?response-expires=1&uploads".parse().unwrap();
        assert!(without_presigning(&uri).unwrap().is_none());
    }

    #[test]
    fn a_bucket_may_be_in_the_hosts_name() {
        let bucket = |host| LocalHosts.parse_host_header(host).unwrap().bucket().map(str::to_owned);
        assert_eq!(bucket("toq-media.localhost:4566").as_deref(), Some("toq-media"));
        assert_eq!(bucket("my.bucket.localhost").as_deref(), Some("my.bucket"));
        assert_eq!(bucket("localhost:4566"), None);
        assert_eq!(bucket("s3.example.com"), None);
    }

    #[test]
    fn a_body_in_chunks_must_declare_its_length() {
        let request = HttpRequest::new(Body::empty());
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER".parse().unwrap());
        let error = without_signature(HttpRequest::from_parts(parts, body)).unwrap_err();
        assert_eq!(error.code(), &S3ErrorCode::MissingContentLength);
    }
}
