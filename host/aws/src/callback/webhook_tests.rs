#![allow(clippy::unwrap_used)]
//! What the backend receives as a callback.

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use proptest::prelude::*;
use serde_json::json;
use stagehost_batch::Batch;
use stagehost_runtime::capability::Provenance;

use super::*;

type Deliveries = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Returns a backend that answers with `status`.
async fn backend(status: u16) -> (String, Deliveries) {
    let deliveries = Deliveries::default();
    let app = Router::new().route(
        "/internal/media-processing/callback",
        post(move |State(deliveries): State<Deliveries>, headers: HeaderMap, body: Bytes| async move {
            deliveries.lock().unwrap().push((headers, body));
            let mut response: Response = http::StatusCode::from_u16(status).unwrap().into_response();
            response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
            response.headers_mut().insert("location", HeaderValue::from_static("/elsewhere"));
            response
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/internal/media-processing/callback", listener.local_addr().unwrap());
    let app = app.with_state(deliveries.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, deliveries)
}

fn scope() -> CallScope {
    let batch = json!({
        "listingId": 51, "jobId": 4, "assets": [{"key": "51/raw/photo/vertical/2025-11-27/a.jpg"}],
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    });
    CallScope {
        state: "FinalizeAndCallback".into(),
        execution: "arn:aws:states:eu-west-1:1:execution:m:e".into(),
        attempt: 0,
        task_token: None,
        batch: Arc::new(Batch { revision: Some(7), ..stagehost_batch::parse(&batch).unwrap() }),
        provenance: Arc::new(Provenance { stage: "callback".into(), version: "1".into(), digest: "d".into() }),
    }
}

fn webhook(url: &str) -> SignedWebhook {
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    signed_by(url, Arc::new(secret))
}

fn signed_by(url: &str, secret: Arc<dyn SecretSource>) -> SignedWebhook {
    let secret = Some(secret);
    SignedWebhook::new(WebhookOptions { url: Some(url.to_owned()), secret, ..WebhookOptions::default() }).unwrap()
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_delivery_carries_both_signatures_over_exactly_the_bytes_that_were_sent() {
    let (url, deliveries) = backend(200).await;
    let body = Bytes::from_static(br#"{"jobId":4}"#);
    let reply = webhook(&url).deliver(&scope(), body.clone()).await.unwrap();
    assert_eq!(reply.status, 200);
    let (headers, received) = deliveries.lock().unwrap().remove(0);
    assert_eq!(received, body);
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    assert_eq!(header(&headers, "x-toq-signature"), secret.toq_signature(&body));
    let (id, timestamp) = (header(&headers, "webhook-id"), header(&headers, "webhook-timestamp"));
    assert_eq!(header(&headers, "webhook-signature"), secret.webhook_signature(&id, &timestamp, &body));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(timestamp.parse().unwrap()) < 300);
    assert_eq!(header(&headers, "content-type"), "application/json");
    assert!(header(&headers, "user-agent").starts_with("stagehost/"));
    assert_eq!(header(&headers, "traceparent"), scope().batch.traceparent.clone().unwrap());
    assert_eq!(
        header(&headers, "x-amzn-trace-id"),
        "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1",
        "the same trace for what knows X-Ray only"
    );
    assert_eq!(header(&headers, "x-toq-pins-revision"), "7", "which versions of all stages processed the batch");
}

#[tokio::test]
async fn all_attempts_have_the_same_id_and_another_execution_has_another_id() {
    let (url, deliveries) = backend(503).await;
    let webhook = webhook(&url);
    let again = CallScope { attempt: 1, ..scope() };
    let other = CallScope { execution: "arn:other".into(), ..scope() };
    for scope in [scope(), again, other] {
        webhook.deliver(&scope, Bytes::from_static(b"{}")).await.unwrap();
    }
    let ids: Vec<String> =
        deliveries.lock().unwrap().iter().map(|(headers, _)| header(headers, "webhook-id")).collect();
    assert!(ids[0].starts_with("msg_"));
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed_and_retry_after_is_passed_on() {
    let (url, deliveries) = backend(307).await;
    let reply = webhook(&url).deliver(&scope(), Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(reply, WebhookReply { status: 307, retry_after_ms: Some(7000) });
    assert_eq!(deliveries.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_secret_or_a_url_nothing_is_sent() {
    let (url, deliveries) = backend(200).await;
    let secret: Option<Arc<dyn SecretSource>> = Some(Arc::new(Secret::new("s").unwrap()));
    for (url, secret) in [(Some(url.clone()), None), (None, secret.clone()), (Some(" ".into()), secret)] {
        let options = WebhookOptions { url, secret, ..WebhookOptions::default() };
        let failure = SignedWebhook::new(options).unwrap().deliver(&scope(), Bytes::new()).await.unwrap_err();
        assert_eq!(failure.case, Case::Denied);
    }
    assert!(deliveries.lock().unwrap().is_empty());
}

/// A source whose secret was rotated after it was fetched. Without an old secret, no secret can be read.
#[derive(Debug)]
struct RotatedSecret {
    old: Option<Secret>,
    new: Option<Secret>,
}

#[async_trait]
impl SecretSource for RotatedSecret {
    async fn current(&self) -> Result<Secret, Failure> {
        self.old.clone().ok_or_else(|| Failure::new(Case::Denied, "cannot read the callback secret arn:x"))
    }
    async fn renewed(&self, refused: &Secret) -> Option<Secret> {
        assert!(self.old.as_ref().unwrap().is(refused));
        self.new.clone()
    }
}

#[tokio::test]
async fn a_refused_callback_is_signed_again_once_if_the_secret_was_rotated() {
    let (old, new) = (Secret::new("old").ok(), Secret::new("new").ok());
    for (status, new, sent) in [(401, new.clone(), 2), (403, new.clone(), 2), (403, None, 1), (400, new, 1)] {
        let (url, deliveries) = backend(status).await;
        let source = RotatedSecret { old: old.clone(), new: new.clone() };
        let reply = signed_by(&url, Arc::new(source)).deliver(&scope(), Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(reply.status, status);
        let deliveries = deliveries.lock().unwrap();
        assert_eq!(deliveries.len(), sent, "{status}");
        let last = if sent == 2 { new } else { old.clone() };
        assert_eq!(header(&deliveries[sent - 1].0, "x-toq-signature"), last.unwrap().toq_signature(b"{}"));
        assert_eq!(header(&deliveries[0].0, "webhook-id"), header(&deliveries[sent - 1].0, "webhook-id"));
    }
}

#[tokio::test]
async fn without_a_readable_secret_nothing_is_sent_and_the_reason_is_passed_on() {
    let (url, deliveries) = backend(200).await;
    let source = RotatedSecret { old: None, new: None };
    let failure = signed_by(&url, Arc::new(source)).deliver(&scope(), Bytes::new()).await.unwrap_err();
    assert_eq!(failure.case, Case::Denied);
    assert!(failure.message.contains("arn:x"), "{}", failure.message);
    assert!(deliveries.lock().unwrap().is_empty());
}

#[tokio::test]
async fn plain_http_is_sent_only_to_this_machine() {
    for url in ["http://example.com/", "http://10.0.0.1/", "ftp://localhost/", "nonsense"] {
        let failure = webhook(url).deliver(&scope(), Bytes::new()).await.unwrap_err();
        assert_eq!(failure.case, Case::Denied, "{url}");
    }
}

#[tokio::test]
async fn a_backend_that_is_down_is_a_transient_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let failure = webhook(&url).deliver(&scope(), Bytes::new()).await.unwrap_err();
    assert_eq!(failure.case, Case::Transient);
}

#[test]
fn a_trace_header_that_is_named_like_a_signature_does_not_replace_it() {
    let options = WebhookOptions { trace_header: "X-Toq-Signature".into(), ..WebhookOptions::default() };
    let secret = Secret::new("s").unwrap();
    let headers = SignedWebhook::new(options).unwrap().headers(&scope(), &secret, 1, b"{}");
    assert_eq!(header(&headers, "x-toq-signature"), secret.toq_signature(b"{}"));
}

#[test]
fn an_invalid_trace_header_name_is_refused_when_the_host_starts() {
    let options = WebhookOptions { trace_header: "trace parent".into(), ..WebhookOptions::default() };
    assert!(matches!(SignedWebhook::new(options), Err(ConfigError::TraceHeader(_))));
}

#[test]
fn debug_output_of_the_webhook_does_not_show_the_secret() {
    assert!(!format!("{:?}", webhook("http://localhost/")).contains("MfKQ"));
}

#[test]
fn retry_after_is_seconds_or_a_date_and_never_more_than_an_hour() {
    let now = UNIX_EPOCH + Duration::from_secs(1_445_412_420);
    assert_eq!(retry_after_ms("120", now), Some(120_000));
    assert_eq!(retry_after_ms("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(60_000));
    assert_eq!(retry_after_ms("Wed, 21 Oct 2014 07:28:00 GMT", now), Some(0));
    assert_eq!(retry_after_ms("99999999999999999999999", now), Some(3_600_000));
    assert_eq!(retry_after_ms("soon", now), None);
}

proptest! {
    #[test]
    fn no_retry_after_makes_the_host_panic(text in ".{0,40}") {
        prop_assert!(retry_after_ms(&text, UNIX_EPOCH).is_none_or(|wait| wait <= 3_600_000));
    }
}
