//! Other services, for stages of the `custom` worlds.
//!
//! The pin says which hosts; what is checked here holds for every pin: https (plain http only to this machine), no
//! address inside a network, no redirect (it would lead past both checks), no proxy from the environment, a bounded
//! body.

use std::error::Error as _;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use async_trait::async_trait;
use bytes::BytesMut;
use reqwest::{Client, ClientBuilder, Url, redirect};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{Http, HttpRequest, HttpResponse};

use crate::clients::ConfigError;
use crate::outside::address::{GuardedResolver, NoPublicAddress, Place, place};

/// The longest time for one request, whatever the stage asks for.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// Headers that belong to the connection and not to the message: the client sets them.
const NOT_FOR_STAGES: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What all of the host's own HTTP clients have in common: they go where they are sent and nowhere else, and say who
/// they are.
pub(crate) fn client(connect_timeout: Duration) -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(connect_timeout)
        .user_agent(concat!("stagehost/", env!("CARGO_PKG_VERSION")))
}

/// The runtime's [`Http`].
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
}

impl HttpClient {
    /// A client with the checks of this module.
    ///
    /// # Errors
    /// [`ConfigError::Tls`] when the machine has no usable root certificates.
    pub fn new() -> Result<Self, ConfigError> {
        let client = client(Duration::from_secs(5))
            .dns_resolver(GuardedResolver)
            .build()
            .map_err(|error| ConfigError::Tls(error.to_string()))?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Http for HttpClient {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let url = checked_url(&request.url)?;
        let what = format!("{} {}", request.method, shown(&url));
        let invalid = |why: &str| Failure::new(Case::InvalidInput, format!("{what}: {why}"));
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| invalid("no such method"))?;
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(Failure::new(Case::Denied, format!("{what}: this method is not allowed")));
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
                    format!("{what}: the response is longer than {} bytes", request.max_response),
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
            Err(_) => Err(Failure::new(Case::Transient, format!("{what}: no complete answer within the time allowed"))),
        }
    }
}

/// The URL, if it is one that may be called.
fn checked_url(text: &str) -> Result<Url, Failure> {
    let url =
        Url::parse(text).map_err(|error| Failure::new(Case::InvalidInput, format!("{text:?} is no URL: {error}")))?;
    let denied = |why: &str| Failure::new(Case::Denied, format!("{}: {why}", shown(&url)));
    let place = place(&url).ok_or_else(|| denied("a URL without a host cannot be called"))?;
    match (url.scheme(), place) {
        ("https", Place::Internal) | ("http", Place::Internal) => {
            Err(denied("an address inside a private network, link-local or reserved is not allowed"))
        }
        ("https", _) | ("http", Place::Loopback) => Ok(url),
        ("http", _) => Err(denied("plain http is allowed to this machine only; use https")),
        _ => Err(denied("only https is allowed")),
    }
}

/// For error texts: without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn checked_headers(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no header name"))?;
        if NOT_FOR_STAGES.contains(&header.as_str()) {
            return Err(format!("the header {header} is set by the host"));
        }
        let value =
            HeaderValue::from_str(value).map_err(|_| format!("the header {header} has a value that is none"))?;
        checked.append(header, value);
    }
    Ok(checked)
}

/// Headers as text; a value that is none is left out.
fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// An error of the client: everything that happened after the request was well-formed is a passing fault, save a name
/// that leads into a private network.
fn failed(what: &str, error: &reqwest::Error) -> Failure {
    let mut text = String::new();
    let mut source = error.source();
    let mut case = Case::Transient;
    while let Some(inner) = source {
        if inner.is::<NoPublicAddress>() {
            case = Case::Denied;
        }
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    if text.is_empty() {
        text = ": the connection failed".to_owned();
    }
    Failure::new(case, format!("{what}{text}"))
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
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let url = format!("http://{}/away", server().await);
        assert_eq!(HttpClient::new().unwrap().send(request(url)).await.unwrap().status, 307);
    }

    #[tokio::test]
    async fn a_response_over_the_limit_is_too_large() {
        let url = format!("http://{}/long", server().await);
        assert_eq!(HttpClient::new().unwrap().send(request(url)).await.unwrap_err().case, Case::TooLarge);
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_given_up_after_the_timeout() {
        let mut request = request(format!("http://{}/never", server().await));
        request.timeout = Duration::from_millis(200);
        assert_eq!(HttpClient::new().unwrap().send(request).await.unwrap_err().case, Case::Transient);
    }

    #[tokio::test]
    async fn private_and_metadata_addresses_and_plain_http_are_denied_before_anything_is_sent() {
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
    async fn headers_of_the_connection_are_not_a_stages_to_set() {
        for (name, value) in [("Host", "evil"), ("Content-Length", "3"), ("bad name", "x"), ("x", "a\r\nb: c")] {
            let mut request = request("https://example.com/".into());
            request.headers.push((name.into(), value.into()));
            let failure = HttpClient::new().unwrap().send(request).await.unwrap_err();
            assert_eq!(failure.case, Case::InvalidInput, "{name}");
        }
    }
}
