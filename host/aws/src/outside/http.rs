//! Requests to other services, for stages of the `custom` worlds.
//!
//! The pin says which hosts a stage may call. These rules hold for every pin: https only (plain http only to this
//! machine), nothing on this machine where Lambda's runtime API is on it, no private address, no redirect (it would bypass both checks), no proxy from the environment, a body of
//! limited size.

use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use reqwest::Client;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{Http, HttpExchange, HttpHead, HttpRequest, HttpResponse};

use crate::error::ConfigError;
use crate::outside::address::GuardedResolver;
use crate::outside::client;
use crate::outside::exchange::ServiceExchange;
use crate::outside::rules::{Checked, failed, readable};

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
        let Checked { what, method, url, headers } =
            Checked::new(&request.method, &request.url, &request.headers, self.loopback)?;
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

    async fn begin(&self, head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        let Checked { what, method, url, headers } =
            Checked::new(&head.method, &head.url, &head.headers, self.loopback)?;
        let request = self.client.request(method, url).headers(headers);
        let timeout = head.timeout.min(MAX_TIMEOUT);
        Ok(Box::new(ServiceExchange::new(request, what, head.body_bytes, timeout)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::SocketAddr;

    use ::http::{HeaderMap, HeaderName};
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
