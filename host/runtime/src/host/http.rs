//! `http`: requests to other services with whole bodies. Those in pieces are in `http_exchange`.

use std::time::Duration;

use stagehost_batch::{Case, Failure};

use crate::bindings::toq::media::{http, types};
use crate::capability::HttpRequest;
use crate::grants::HttpSecret;
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;
use crate::text::{check_length, quoted};

/// The longest response body that is returned to a guest, in bytes.
const MAX_RESPONSE: usize = 8 << 20;
/// The longest URL, in bytes.
const MAX_URL: usize = 8 << 10;
/// The longest method, in bytes.
const MAX_METHOD: usize = 32;
/// The most bytes of all header names and values together, and the most headers.
const MAX_HEADERS: (usize, usize) = (64 << 10, 128);
/// The longest time for one request. The call's deadline may end it earlier.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

impl CallState {
    /// Checks that a request with this head may be sent. Returns the secrets that the pin adds to it.
    pub(super) fn may_request(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
    ) -> Result<Vec<HttpSecret>, Failure> {
        check_head(method, url, headers)?;
        let authority = authority(url)?;
        self.grants.may_call(authority)?;
        self.grants.secrets_for(authority, headers)
    }
}

impl http::Host for CallState {
    async fn send(
        &mut self,
        request: http::Request,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<http::Response, types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            let secrets = self.may_request(&request.method, &request.url, &request.headers)?;
            let _response = self.budget.charge(MAX_RESPONSE, "the response of an HTTP service")?;
            let bytes = Effect::HttpBytes(request.body.len() as u64);
            self.effects.check(bytes)?;
            self.effects.count(Effect::HttpRequest)?;
            self.effects.count(bytes)?;
            let response = self
                .capabilities
                .http
                .send(HttpRequest {
                    method: request.method,
                    url: request.url,
                    headers: request.headers,
                    secrets,
                    body: request.body.into(),
                    timeout: allowed(timeout_ms),
                    max_response: MAX_RESPONSE,
                })
                .await?;
            self.effects.count(Effect::HttpBytes(response.body.len() as u64))?;
            Ok(http::Response { status: response.status, headers: response.headers, body: response.body.into() })
        })
        .await)
    }
}

/// Returns how long the host waits for a service where a stage asks for `timeout_ms`.
pub(super) fn allowed(timeout_ms: u32) -> Duration {
    MAX_TIMEOUT.min(Duration::from_millis(timeout_ms.into()))
}

/// Checks the lengths of a request's head.
fn check_head(method: &str, url: &str, headers: &[(String, String)]) -> Result<(), Failure> {
    check_length("method", method, MAX_METHOD)?;
    check_length("URL", url, MAX_URL)?;
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let (most_bytes, most) = MAX_HEADERS;
    if bytes > most_bytes || headers.len() > most {
        let message = format!(
            "{} headers of {bytes} bytes; a request has at most {most} of {most_bytes} bytes together",
            headers.len()
        );
        return Err(Failure::new(Case::InvalidInput, message));
    }
    Ok(())
}

/// Returns the host and port of a URL: `https://api.example.org:8443/x` → `api.example.org:8443`.
///
/// Refuses every form that another URL parser might read differently, so that the host checked here is the host called.
fn authority(url: &str) -> Result<&str, Failure> {
    let refuse = |why: &str| Failure::new(Case::InvalidInput, format!("the URL {} {why}", quoted(url)));
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or_else(|| refuse("must begin with https://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    if authority.is_empty() || !authority.bytes().all(plain) {
        return Err(refuse("must name a host in plain ASCII, without user or password"));
    }
    Ok(authority)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_authority_is_what_a_client_would_call() {
        assert_eq!(authority("https://api.example.org/x?y").unwrap(), "api.example.org");
        assert_eq!(authority("http://127.0.0.1:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(authority("https://[::1]:1/").unwrap(), "[::1]:1");
    }

    #[test]
    fn a_request_s_texts_are_bounded() {
        let check = |url: usize, headers: usize| {
            check_head("GET", &"u".repeat(url), &vec![("name".into(), "v".repeat(1020)); headers])
        };
        assert!(check(8192, 64).is_ok());
        assert!(check(8193, 0).unwrap_err().message.starts_with("a URL has at most 8192 bytes"));
        assert!(check(1, 65).unwrap_err().message.contains("66560 bytes"));
    }

    #[test]
    fn ambiguous_urls_are_refused() {
        for url in [
            "ftp://a/",
            "https:///x",
            "https://good@evil/",
            "https://good\\@evil/",
            "https://gööd/",
            "https:// a/",
            "//a/",
        ] {
            assert!(authority(url).is_err(), "{url}");
        }
    }
}
