//! Requests to other services, for stages of the `custom` worlds.
//!
//! The pin says which hosts a stage may call. These rules hold for every pin: https only (plain http only to this
//! machine), nothing on this machine where Lambda's runtime API is on it, no private address, no redirect (it would bypass both checks), no proxy from the environment, a body of
//! limited size.

use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use async_trait::async_trait;
use bytes::BytesMut;
use reqwest::{Client, Url};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{Http, HttpRequest, HttpResponse};
use stagehost_runtime::is_connection_header;

use crate::error::ConfigError;
use crate::outside::address::{GuardedResolver, NoPublicAddress, UrlHost, url_host};
use crate::outside::client::{self, causes, shown};

/// The longest time for one request; a stage cannot extend it.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// The runtime's [`Http`].
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    loopback: bool,
}

impl HttpClient {
    /// Returns a client that keeps the rules above.
    ///
    /// # Errors
    /// [`ConfigError::Tls`] if the machine has no usable root certificates.
    pub fn new() -> Result<Self, ConfigError> {
        Self::with_loopback(true)
    }

    /// Returns a client for Lambda. It does not call this machine either: a request that reaches the runtime API there
    /// can read events and answer them, whatever the pin grants.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn without_loopback() -> Result<Self, ConfigError> {
        Self::with_loopback(false)
    }

    fn with_loopback(loopback: bool) -> Result<Self, ConfigError> {
        let client = client::builder(Duration::from_secs(5))
            .dns_resolver(GuardedResolver { loopback })
            .build()
            .map_err(|error| ConfigError::Tls(error.to_string()))?;
        Ok(Self { client, loopback })
    }
}

#[async_trait]
impl Http for HttpClient {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let url = checked_url(&request.url, self.loopback)?;
        let what = format!("{} {}", request.method, shown(&url));
        let invalid = |why: &str| Failure::new(Case::InvalidInput, format!("{what}: {why}"));
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| invalid("the method is not a valid HTTP method"))?;
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(Failure::new(Case::Denied, format!("{what}: stages must not use this method")));
        }
        let headers = checked_headers(&request.headers).map_err(|why| invalid(&why))?;
        let exchange = async {
            let mut response = self
                .client
                .request(method, url)
                .headers(headers)
                .body(request.body)
                .send()
                .await
                .map_err(|error| failed(&what, &error))?;
            let too_large = || {
                Failure::new(
                    Case::TooLarge,
                    format!("{what}: the response is longer than the {} bytes allowed", request.max_response),
                )
            };
            if response.content_length().is_some_and(|length| length > request.max_response as u64) {
                return Err(too_large());
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| failed(&what, &error))? {
                if body.len() + chunk.len() > request.max_response {
                    return Err(too_large());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(HttpResponse {
                status: response.status().as_u16(),
                headers: readable(response.headers()),
                body: body.freeze(),
            })
        };
        match tokio::time::timeout(request.timeout.min(MAX_TIMEOUT), exchange).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(Failure::new(Case::Transient, format!("{what}: no complete response within the time allowed")))
            }
        }
    }
}

/// Returns the URL if a stage may call it.
///
/// Errors: `InvalidInput` if it is not a URL, `Denied` if it must not be called.
fn checked_url(text: &str, loopback: bool) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .map_err(|error| Failure::new(Case::InvalidInput, format!("{text:?} is not a valid URL: {error}")))?;
    let denied = |why: &str| Failure::new(Case::Denied, format!("{}: {why}", shown(&url)));
    let host = url_host(&url).ok_or_else(|| denied("the URL has no host"))?;
    match (url.scheme(), host) {
        ("https", UrlHost::Internal) | ("http", UrlHost::Internal) => {
            Err(denied("private, link-local and reserved addresses are not allowed"))
        }
        (_, UrlHost::Loopback) if !loopback => Err(denied(
            "on Lambda no stage may call its own machine, where the runtime API is, whatever its pin grants",
        )),
        ("https", _) | ("http", UrlHost::Loopback) => Ok(url),
        ("http", _) => Err(denied("plain http is allowed only to this machine; use https")),
        _ => Err(denied("only https is allowed")),
    }
}

/// Returns the headers of a request. Errors: if a header is invalid or set by the host.
fn checked_headers(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a valid header name"))?;
        if is_connection_header(header.as_str()) {
            return Err(format!("the host sets the header {header} itself; remove it"));
        }
        let invalid = |_| format!("the value of the header {header} is invalid");
        let mut value = HeaderValue::from_str(value).map_err(invalid)?;
        // It may be a secret of the pin or of the stage, so whoever prints the request leaves it out.
        value.set_sensitive(true);
        checked.append(header, value);
    }
    Ok(checked)
}

/// Returns the headers whose values are text.
fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// Returns the failure for an error of the client. The request was valid, so the failure is transient, unless the name
/// resolves to a private address.
fn failed(what: &str, error: &reqwest::Error) -> Failure {
    let denied = causes(error).any(|cause| cause.is::<NoPublicAddress>());
    let case = if denied { Case::Denied } else { Case::Transient };
    let texts: Vec<_> = causes(error).map(ToString::to_string).collect();
    let text = if texts.is_empty() { "the connection failed".to_owned() } else { texts.join(": ") };
    Failure::new(case, format!("{what}: {text}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::SocketAddr;

    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::{any, get};
    use bytes::Bytes;

    use super::*;

    async fn server() -> SocketAddr {
        let app = Router::new()
            .route("/echo", any(|headers: HeaderMap, body: Bytes| async move { (readable_names(&headers), body) }))
            .route("/away", get(|| async { Redirect::temporary("https://example.com/") }))
            .route("/long", get(|| async { vec![0u8; 100_000] }))
            .route("/never", get(std::future::pending::<()>));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    }

    fn readable_names(headers: &HeaderMap) -> [(HeaderName, String); 1] {
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        [(HeaderName::from_static("x-seen"), names.join(" "))]
    }

    fn request(url: String) -> HttpRequest {
        HttpRequest {
            method: "GET".into(),
            url,
            headers: Vec::new(),
            secrets: Vec::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(20),
            max_response: 50_000,
        }
    }

    #[tokio::test]
    async fn a_request_reaches_a_service_on_this_machine_with_its_headers_and_body() {
        let url = format!("http://localhost:{}/echo", server().await.port());
        let mut request = request(url);
        request.method = "POST".into();
        request.headers.push(("X-Stage".into(), "yes".into()));
        request.body = Bytes::from_static(b"hello");
        let response = HttpClient::new().unwrap().send(request).await.unwrap();
        assert_eq!((response.status, response.body), (200, Bytes::from_static(b"hello")));
        let seen = response.headers.iter().find(|(name, _)| name == "x-seen").unwrap();
        assert!(seen.1.contains("x-stage"));
    }

    #[tokio::test]
    async fn a_redirect_is_returned_and_not_followed() {
        let url = format!("http://{}/away", server().await);
        assert_eq!(HttpClient::new().unwrap().send(request(url)).await.unwrap().status, 307);
    }

    #[tokio::test]
    async fn a_response_over_the_limit_is_too_large() {
        let url = format!("http://{}/long", server().await);
        assert_eq!(HttpClient::new().unwrap().send(request(url)).await.unwrap_err().case, Case::TooLarge);
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_fails_after_the_timeout() {
        let mut request = request(format!("http://{}/never", server().await));
        request.timeout = Duration::from_millis(200);
        assert_eq!(HttpClient::new().unwrap().send(request).await.unwrap_err().case, Case::Transient);
    }

    #[tokio::test]
    async fn private_addresses_and_plain_http_are_denied_before_anything_is_sent() {
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "https://[fd00:ec2::254]/",
            "http://example.com/",
            "ftp://example.com/",
            "https://0x0a000001/",
            "file:///etc/passwd",
        ] {
            let failure = HttpClient::new().unwrap().send(request(url.into())).await.unwrap_err();
            assert_eq!(failure.case, Case::Denied, "{url}: {failure}");
        }
    }

    #[tokio::test]
    async fn on_lambda_this_machine_is_denied_in_every_spelling() {
        let port = server().await.port();
        let client = HttpClient::without_loopback().unwrap();
        for host in
            ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST."]
        {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}:{port}/echo");
                let failure = client.send(request(url.clone())).await.unwrap_err();
                assert_eq!(failure.case, Case::Denied, "{url}: {failure}");
                assert!(failure.message.contains("on Lambda"), "{url}: {failure}");
            }
        }
        for host in ["169.254.169.254", "169.254.100.1", "[fe80::1]", "[::ffff:169.254.169.254]", "0.0.0.0", "[::]"] {
            let failure = client.send(request(format!("https://{host}:{port}/echo"))).await.unwrap_err();
            assert_eq!(failure.case, Case::Denied, "{host}: {failure}");
        }
    }

    #[tokio::test]
    async fn a_stage_cannot_set_headers_of_the_connection_or_invalid_ones() {
        for (name, value) in [("Host", "evil"), ("Content-Length", "3"), ("bad name", "x"), ("x", "a\r\nb: c")] {
            let mut request = request("https://example.com/".into());
            request.headers.push((name.into(), value.into()));
            let failure = HttpClient::new().unwrap().send(request).await.unwrap_err();
            assert_eq!(failure.case, Case::InvalidInput, "{name}");
        }
    }
}
