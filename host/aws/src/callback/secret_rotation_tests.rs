#![allow(clippy::unwrap_used)]
//! The secret over its life: fetched, cached, rotated, unreachable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use stagehost_batch::Case;

use super::*;
use crate::callback::refreshed::MAX_AGE;
use crate::callback::secret_store::{CALLBACK, SecretArn};
use crate::services::endpoints::Endpoints;

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:callback-AbCdEf";
const PARAMETER: &str = "arn:aws:ssm:us-east-2:123456789012:parameter/toq/callback";

/// A secrets service with a prepared answer that records its requests.
#[derive(Default)]
struct FakeSecrets {
    answer: StdMutex<(u16, Value)>,
    requests: StdMutex<Vec<(HeaderMap, Value)>>,
}

impl FakeSecrets {
    fn answers(&self, status: u16, answer: Value) {
        *self.answer.lock().unwrap() = (status, answer);
    }
    fn holds(&self, secret: &str) {
        self.answers(200, json!({"SecretString": secret}));
    }
    fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

async fn secrets() -> (Arc<FakeSecrets>, String) {
    let secrets = Arc::new(FakeSecrets::default());
    let answer = |State(secrets): State<Arc<FakeSecrets>>, headers: HeaderMap, body: String| async move {
        secrets.requests.lock().unwrap().push((headers, serde_json::from_str(&body).unwrap()));
        let (status, answer) = secrets.answer.lock().unwrap().clone();
        (StatusCode::from_u16(status).unwrap(), answer.to_string())
    };
    let app = Router::new().fallback(answer).with_state(secrets.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (secrets, url)
}

fn source(arn: &str, url: &str, clock: fn() -> SystemTime) -> AwsSecret {
    let credentials = Credentials::new("AKIDEXAMPLE", "key", Some("token".into()), None, "test");
    let config = SdkConfig::builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .build();
    AwsSecret::with_clock(
        SecretStore::new(&config, CALLBACK, SecretArn::parse(arn).unwrap(), &Endpoints::default()),
        clock,
    )
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn asserted_signature(headers: &HeaderMap, scope: &str) {
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains(scope), "{authorization}");
    for signed in ["content-type", "host", "x-amz-date", "x-amz-target", "x-amz-security-token"] {
        assert!(authorization.contains(signed), "{signed}: {authorization}");
    }
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
}

#[tokio::test]
async fn a_secret_in_secrets_manager_is_requested_by_its_arn() {
    let (secrets, url) = secrets().await;
    secrets.holds("hush");
    assert!(source(SECRET, &url, SystemTime::now).current().await.unwrap().is(&secret("hush")));
    let (headers, body) = secrets.requests.lock().unwrap().remove(0);
    assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
    assert_eq!(body, json!({"SecretId": SECRET}));
    asserted_signature(&headers, "/eu-west-1/secretsmanager/aws4_request");
}

#[tokio::test]
async fn a_parameter_is_requested_decrypted_in_the_region_of_its_arn() {
    let (secrets, url) = secrets().await;
    secrets.answers(200, json!({"Parameter": {"Type": "SecureString", "Value": "{\"callbackSecret\": \"hush\"}"}}));
    assert!(source(PARAMETER, &url, SystemTime::now).current().await.unwrap().is(&secret("hush")));
    let (headers, body) = secrets.requests.lock().unwrap().remove(0);
    assert_eq!(headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert_eq!(body, json!({"Name": PARAMETER, "WithDecryption": true}));
    asserted_signature(&headers, "/us-east-2/ssm/aws4_request");
}

#[tokio::test]
async fn a_secret_is_used_for_five_minutes_of_wall_clock_time() {
    static NOW: AtomicU64 = AtomicU64::new(1_000_000);
    let (secrets, url) = secrets().await;
    secrets.holds("old");
    let source = source(SECRET, &url, || UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed)));
    assert!(source.current().await.unwrap().is(&secret("old")));
    secrets.holds("new");
    NOW.fetch_add(MAX_AGE.as_secs() - 1, Ordering::Relaxed);
    assert!(source.current().await.unwrap().is(&secret("old")));
    assert_eq!(secrets.request_count(), 1);
    NOW.fetch_add(1, Ordering::Relaxed);
    assert!(source.current().await.unwrap().is(&secret("new")));
    NOW.fetch_sub(3600, Ordering::Relaxed);
    source.current().await.unwrap();
    assert_eq!(secrets.request_count(), 3, "a clock that was set back does not prolong its use");
}

#[tokio::test]
async fn a_refused_secret_is_fetched_again_at_once() {
    let (secrets, url) = secrets().await;
    secrets.holds("old");
    let source = source(SECRET, &url, SystemTime::now);
    let old = source.current().await.unwrap();
    assert!(source.renewed(&old).await.is_none(), "it was not rotated, so there is no other secret");
    secrets.holds("new");
    assert!(source.renewed(&old).await.unwrap().is(&secret("new")));
    assert_eq!(secrets.request_count(), 3);
    assert!(source.renewed(&old).await.unwrap().is(&secret("new")), "another call had the old one");
    assert!(source.current().await.unwrap().is(&secret("new")));
    assert_eq!(secrets.request_count(), 3);
}

#[tokio::test]
async fn calls_at_the_same_time_fetch_once() {
    let (secrets, url) = secrets().await;
    secrets.holds("hush");
    let source = source(SECRET, &url, SystemTime::now);
    let all = futures::future::join_all((0..8).map(|_| source.current())).await;
    assert!(all.into_iter().all(|got| got.unwrap().is(&secret("hush"))));
    assert_eq!(secrets.request_count(), 1);
}

#[tokio::test]
async fn the_old_secret_stays_in_use_while_its_service_fails_and_no_value_is_logged() {
    static NOW: AtomicU64 = AtomicU64::new(1_000_000);
    let (log, _guard) = captured();
    let (secrets, url) = secrets().await;
    secrets.holds("whsec_b2xkLXZhbHVl");
    let source = source(SECRET, &url, || UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed)));
    let old = source.current().await.unwrap();
    NOW.fetch_add(MAX_AGE.as_secs(), Ordering::Relaxed);
    for (status, answer) in [
        (400, json!({"__type": "AccessDeniedException", "Message": "not you"})),
        (503, json!({})),
        (200, json!({"SecretString": "{\"password\": \"misplaced-value\"}"})),
    ] {
        secrets.answers(status, answer);
        assert!(source.current().await.unwrap().is(&old));
        assert!(source.renewed(&old).await.is_none());
    }
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.contains(SECRET) && log.contains("AccessDeniedException"), "{log}");
    assert!(!log.contains("b2xkLXZhbHVl") && !log.contains("misplaced-value"), "{log}");
}

#[tokio::test]
async fn without_an_older_secret_a_failure_is_returned_and_never_an_empty_secret() {
    let (secrets, url) = secrets().await;
    for (status, answer, case) in [
        (400, json!({"__type": "AccessDeniedException", "message": "not you"}), Case::Denied),
        (200, json!({"SecretString": ""}), Case::Denied),
        (200, json!({"SecretString": "{\"secret\": \"\"}"}), Case::Denied),
        (200, json!({"SecretString": "{\"other\": \"x\"}"}), Case::Denied),
        (200, json!("nonsense"), Case::Internal),
        (500, json!({}), Case::Transient),
    ] {
        secrets.answers(status, answer);
        let failure = source(SECRET, &url, SystemTime::now).current().await.unwrap_err();
        assert_eq!(failure.case, case, "{}", failure.message);
        assert!(failure.message.contains(SECRET), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_transient_failure_is_retried_and_a_refusal_is_not() {
    let (secrets, url) = secrets().await;
    secrets.answers(400, json!({"__type": "ThrottlingException"}));
    source(SECRET, &url, SystemTime::now).current().await.unwrap_err();
    assert_eq!(secrets.request_count(), 3);
    secrets.answers(400, json!({"__type": "AccessDeniedException"}));
    source(SECRET, &url, SystemTime::now).current().await.unwrap_err();
    assert_eq!(secrets.request_count(), 4);
}

#[tokio::test]
async fn a_service_that_is_down_is_a_transient_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failure = source(SECRET, &url, SystemTime::now).current().await.unwrap_err();
    assert_eq!(failure.case, Case::Transient);
}

type Log = Arc<StdMutex<Vec<u8>>>;

/// Captures everything that this thread logs from now on.
fn captured() -> (Log, tracing::subscriber::DefaultGuard) {
    struct LogWriter(Log);
    impl std::io::Write for LogWriter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || LogWriter(writer.clone()))
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}
