//! `transcoder`, `webhook` and `http`: calls to other services.

use std::time::Duration;

use stagehost_batch::{Case, Failure};

use crate::bindings::toq::media::{http, transcoder, types, webhook};
use crate::call::CallState;
use crate::capability::{HttpRequest, Submission};
use crate::imports::objects::guarded;

/// The longest body that goes to the backend.
const WEBHOOK_BODY: usize = 4 << 20;
/// The longest response that is given to a guest.
const HTTP_BODY: usize = 8 << 20;
/// A call's own deadline ends it earlier.
const HTTP_TIMEOUT: Duration = Duration::from_secs(60);

impl transcoder::Host for CallState {
    async fn submit(
        &mut self,
        job: transcoder::Job,
    ) -> wasmtime::Result<Result<transcoder::Submission, types::Failure>> {
        Ok(guarded(&self.core.clone(), async {
            self.grants.may_read(&job.source_key)?;
            for output in &job.outputs {
                self.grants.may_write(&output.key)?;
            }
            let submission = self.capabilities.transcoder.submit(&self.scope, job.into()).await?;
            Ok(match submission {
                Submission::Running(id) => transcoder::Submission::Running(id),
                Submission::UpToDate(renditions) => {
                    transcoder::Submission::UpToDate(renditions.into_iter().map(Into::into).collect())
                }
            })
        })
        .await)
    }
}

impl webhook::Host for CallState {
    async fn deliver(&mut self, body: String) -> wasmtime::Result<Result<webhook::Reply, types::Failure>> {
        Ok(guarded(&self.core.clone(), async {
            if body.len() > WEBHOOK_BODY {
                return Err(Failure::new(
                    Case::TooLarge,
                    format!("a callback of {} bytes; at most {WEBHOOK_BODY} are sent", body.len()),
                ));
            }
            let reply = self.capabilities.webhook.deliver(&self.scope, body.into()).await?;
            Ok(webhook::Reply { status: reply.status, retry_after_ms: reply.retry_after_ms })
        })
        .await)
    }
}

impl http::Host for CallState {
    async fn send(
        &mut self,
        request: http::Request,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<http::Response, types::Failure>> {
        Ok(guarded(&self.core.clone(), async {
            self.grants.may_call(authority(&request.url)?)?;
            let response = self
                .capabilities
                .http
                .send(HttpRequest {
                    method: request.method,
                    url: request.url,
                    headers: request.headers,
                    body: request.body.into(),
                    timeout: HTTP_TIMEOUT.min(Duration::from_millis(timeout_ms.into())),
                    max_response: HTTP_BODY,
                })
                .await?;
            Ok(http::Response { status: response.status, headers: response.headers, body: response.body.into() })
        })
        .await)
    }
}

/// `https://api.example.org:8443/x` → `api.example.org:8443`. Anything that two URL parsers could read differently is
/// refused: what is checked here must be what is called.
fn authority(url: &str) -> Result<&str, Failure> {
    let refuse = |why: &str| Failure::new(Case::InvalidInput, format!("the URL {url:?} {why}"));
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
