//! Sends the callback to the backend. The host signs it, so that no stage has the secret.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, HeaderName, HeaderValue};
use async_trait::async_trait;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use bytes::Bytes;
use reqwest::{Client, Url};
use stagehost_batch::{Case, Failure, TraceParent, list_digest};
use stagehost_runtime::capability::{CallScope, Webhook, WebhookReply};

use crate::callback::secret::Secret;
use crate::callback::secret_rotation::SecretSource;
use crate::error::ConfigError;
use crate::outside::address::{UrlHost, url_host};
use crate::outside::client::{self, causes, shown};

/// The longest time for one attempt. `stages/callback/src/config.rs` relies on it, and `wit/capabilities.wit` promises
/// it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait that is taken from the backend's `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Where the callback goes and how it is signed.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// `CALLBACK_URL`. Without it, nothing is sent.
    pub url: Option<String>,
    /// The source of the secret; a [`Secret`] is one. Without it, nothing is sent.
    pub secret: Option<Arc<dyn SecretSource>>,
    /// `TRACE_HEADER_KEY`: the header that carries the batch's trace context.
    pub trace_header: String,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self { url: None, secret: None, trace_header: "traceparent".to_owned() }
    }
}

/// The runtime's [`Webhook`].
#[derive(Clone, Debug)]
pub struct SignedWebhook {
    client: Client,
    options: WebhookOptions,
    trace_header: HeaderName,
}

impl SignedWebhook {
    /// Returns a webhook with these options. A missing URL or secret is an error of each delivery and not of this
    /// function, so that a host without a backend can run all other states.
    ///
    /// # Errors
    /// [`ConfigError`] if the trace header's name is invalid or the machine has no usable root certificates.
    pub fn new(options: WebhookOptions) -> Result<Self, ConfigError> {
        let trace_header = HeaderName::from_bytes(options.trace_header.as_bytes())
            .map_err(|_| ConfigError::TraceHeader(options.trace_header.clone()))?;
        let client = client::builder(Duration::from_secs(5))
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| ConfigError::Tls(error.to_string()))?;
        Ok(Self { client, options, trace_header })
    }

    /// Returns the URL and the source of the secret. Errors: `Denied` if one of them is missing or not allowed.
    fn target(&self) -> Result<(Url, &dyn SecretSource), Failure> {
        let denied = |why: &str| Failure::new(Case::Denied, format!("the callback is not sent: {why}"));
        let text = self.options.url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        let text = text.ok_or_else(|| denied("no URL is configured; set CALLBACK_URL"))?;
        let url = Url::parse(text).map_err(|_| denied("CALLBACK_URL is not a valid URL"))?;
        match (url.scheme(), url_host(&url)) {
            ("https", Some(_)) | ("http", Some(UrlHost::Loopback)) => {}
            ("http", Some(_)) => return Err(denied("CALLBACK_URL must be https, except on loopback")),
            _ => return Err(denied("CALLBACK_URL must be https")),
        }
        let secret = self.options.secret.as_deref().ok_or_else(|| {
            denied(
                "no secret is configured, and callbacks are never sent unsigned; set CALLBACK_SECRET_ARN, or on one \
                 machine CALLBACK_SECRET",
            )
        })?;
        Ok((url, secret))
    }

    fn headers(&self, scope: &CallScope, secret: &Secret, timestamp: u64, body: &[u8]) -> HeaderMap {
        let id = message_id(scope);
        let timestamp = timestamp.to_string();
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        // For load balancers and SDKs that know X-Ray's header only.
        if let Some(trace) = scope.batch.traceparent.as_deref().and_then(TraceParent::parse) {
            set(HeaderName::from_static("x-amzn-trace-id"), &trace.xray_header());
        }
        // The trace header comes before the signatures: if the operator gave it the name of a signature, the signature replaces it.
        if let Some(traceparent) = &scope.batch.traceparent {
            set(self.trace_header.clone(), traceparent);
        }
        if let Some(revision) = scope.batch.revision {
            set(HeaderName::from_static("x-toq-pins-revision"), &revision.to_string());
        }
        set(http::header::CONTENT_TYPE, "application/json");
        set(HeaderName::from_static("x-toq-signature"), &secret.toq_signature(body));
        set(HeaderName::from_static("webhook-signature"), &secret.webhook_signature(&id, &timestamp, body));
        set(HeaderName::from_static("webhook-timestamp"), &timestamp);
        set(HeaderName::from_static("webhook-id"), &id);
        headers
    }

    async fn send(&self, url: &Url, scope: &CallScope, secret: &Secret, body: Bytes) -> Result<WebhookReply, Failure> {
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let headers = self.headers(scope, secret, timestamp, &body);
        let response = self.client.post(url.clone()).headers(headers).body(body).send().await.map_err(|error| {
            let why = if error.is_timeout() { "no response in time" } else { "no response" };
            let why: Vec<_> = [why.to_owned()].into_iter().chain(causes(&error).map(ToString::to_string)).collect();
            Failure::new(Case::Transient, format!("the callback to {}: {}", shown(url), why.join(": ")))
        })?;
        let retry_after = response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(WebhookReply {
            status: response.status().as_u16(),
            retry_after_ms: retry_after.and_then(|text| retry_after_ms(text, SystemTime::now())),
        })
    }
}

/// Returns the id of the message. It is the same for all attempts of a state, so that the backend recognises a
/// repetition.
fn message_id(scope: &CallScope) -> String {
    let mut id = list_digest(["message", scope.execution.as_str(), scope.state.as_str()]);
    id.truncate(40);
    format!("msg_{id}")
}

#[async_trait]
impl Webhook for SignedWebhook {
    async fn deliver(&self, scope: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        let (url, source) = self.target()?;
        let secret = source
            .current()
            .await
            .map_err(|failure| Failure::new(failure.case, format!("the callback is not sent: {}", failure.message)))?;
        let reply = self.send(&url, scope, &secret, body.clone()).await?;
        if !matches!(reply.status, 401 | 403) {
            return Ok(reply);
        }
        // The secret may have been rotated after it was fetched. If the new one is refused as well, that is final.
        match source.renewed(&secret).await {
            Some(renewed) => self.send(&url, scope, &renewed, body).await,
            None => Ok(reply),
        }
    }
}

/// Reads a `Retry-After`, which is a number of seconds or a date.
fn retry_after_ms(text: &str, now: SystemTime) -> Option<u64> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => MAX_RETRY_AFTER,
        Err(_) => {
            let date = DateTime::from_str(text, Format::HttpDate).ok()?;
            SystemTime::try_from(date).ok()?.duration_since(now).unwrap_or_default()
        }
    };
    u64::try_from(wait.min(MAX_RETRY_AFTER).as_millis()).ok()
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
