//! The receiver as the pipeline and the backend's clients use it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stagehost_local::receiver::{BatchStarter, Receiver, ReceiverOptions, WebhookSecret, router};
use time::OffsetDateTime;
use tower::ServiceExt as _;

fn receiver() -> Receiver {
    Receiver::open(ReceiverOptions {
        database: None,
        secret: WebhookSecret::new("s3cret").unwrap(),
        trace_header: "traceparent".into(),
    })
    .unwrap()
}

async fn send(receiver: &Receiver, request: Request<Body>) -> (StatusCode, Value) {
    let response = router(receiver.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn get(receiver: &Receiver, path: &str) -> Value {
    let (status, body) = send(receiver, Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

async fn post_batch(receiver: &Receiver, listing: &str, body: &Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/listings/{listing}/media/batch");
    send(receiver, Request::post(path).body(Body::from(body.to_string())).unwrap()).await
}

fn signed(secret: &str, id: &str, body: &str) -> Request<Body> {
    let secret = WebhookSecret::new(secret).unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    Request::post("/internal/media-processing/callback")
        .header("content-type", "application/json")
        .header("x-toq-signature", secret.sign_body(body.as_bytes()))
        .header("webhook-id", id)
        .header("webhook-timestamp", now.to_string())
        .header("webhook-signature", secret.sign_message(id, now, body.as_bytes()))
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

const EXECUTION: &str = "arn:aws:states:us-east-1:000000000000:execution:m:e";

fn report() -> Value {
    json!({
        "executionArn": EXECUTION, "startedAt": "2026-01-02T03:04:05Z", "jobId": 4, "batchId": 5, "listingId": 51,
        "status": "PARTIAL_SUCCESS", "provider": "STEP_FUNCTIONS",
        "outputs": [
            {"rawKey": "51/raw/photo/vertical/2025-11-27/photo-001.jpg", "thumbnailKey": "t",
             "outputs": {"320x240": "t"}},
            {"rawKey": "51/raw/photo/vertical/2025-11-27/photo-002.jpg", "outputs": {}, "errorCode": "Stage.Corrupt", "errorMessage": "m"},
        ],
        "assetsZipped": 1, "zipBundles": ["51/zip/complete.zip"], "zipSizeBytes": 10, "unzippedSizeBytes": 12,
    })
}

fn batch() -> Value {
    json!({"jobId": 4, "batchId": 5, "listingId": 51, "retry": 0, "assets": [
        "51/raw/photo/vertical/2025-11-27/photo-001.jpg", "51/raw/photo/vertical/2025-11-27/photo-002.jpg",
    ]})
}

/// Counts starts, and fails while `down` is set.
#[derive(Default)]
struct Starter {
    started: AtomicU32,
    down: AtomicBool,
    /// Whether the executions are gone, as after a new start.
    gone: AtomicBool,
}

#[async_trait::async_trait]
impl BatchStarter for Starter {
    async fn start(&self, batch: Value) -> Result<String, String> {
        if self.down.load(Ordering::SeqCst) {
            return Err("Step Functions does not answer".into());
        }
        assert!(batch["jobId"].is_u64() || batch["jobId"].is_string(), "{batch}");
        self.started.fetch_add(1, Ordering::SeqCst);
        Ok(EXECUTION.into())
    }

    async fn exists(&self, execution_arn: &str) -> bool {
        assert_eq!(execution_arn, EXECUTION);
        !self.gone.load(Ordering::SeqCst)
    }
}

fn with_starter() -> (Receiver, Arc<Starter>) {
    let (receiver, starter) = (receiver(), Arc::new(Starter::default()));
    receiver.set_starter(starter.clone());
    (receiver, starter)
}

#[tokio::test]
async fn a_batch_and_its_results_are_stored_in_all_three_tables() {
    let (receiver, starter) = with_starter();
    let (status, answer) = post_batch(&receiver, "51", &batch()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    assert_eq!((&answer["jobId"], &answer["executionArn"]), (&json!(4), &json!(EXECUTION)));
    assert_eq!(starter.started.load(Ordering::SeqCst), 1);
    let jobs = get(&receiver, "/api/v1/listings/51/media/jobs").await;
    assert_eq!(jobs["jobs"][0]["status"], "STARTED");

    let (status, answer) = send(&receiver, signed("s3cret", "msg_1", &report().to_string())).await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("accepted")));
    let batches = get(&receiver, "/api/v1/listings/51/media/batches").await;
    assert_eq!(batches["batches"][0]["status"], "PARTIAL_SUCCESS");
    assert_eq!(batches["batches"][0]["body"], batch().to_string(), "stored as received");
    let jobs = get(&receiver, "/internal/media-processing/jobs").await;
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(jobs["jobs"][0]["job_id"], 4);
    assert_eq!(jobs["jobs"][0]["zip_bundles"], json!(["51/zip/complete.zip"]));
    let assets = get(&receiver, "/api/v1/listings/51/media/assets").await;
    let statuses: Vec<_> = assets["assets"].as_array().unwrap().iter().map(|asset| asset["status"].clone()).collect();
    assert_eq!(statuses, [json!("FAILED"), json!("PROCESSED")]);
    assert_eq!(assets["assets"][0]["error_code"], "Stage.Corrupt");
    assert_eq!(get(&receiver, "/api/v1/listings/52/media/jobs").await["jobs"], json!([]));
}

#[tokio::test]
async fn the_same_batch_again_is_the_same_job() {
    let (receiver, starter) = with_starter();
    let first = post_batch(&receiver, "51", &batch()).await;
    assert_eq!(post_batch(&receiver, "51", &batch()).await, first);
    assert_eq!(starter.started.load(Ordering::SeqCst), 1);
    let mut again = batch();
    again["retry"] = json!(1);
    assert_eq!(post_batch(&receiver, "51", &again).await.0, StatusCode::ACCEPTED);
    assert_eq!(starter.started.load(Ordering::SeqCst), 2, "a new retry number is another execution");
}

#[tokio::test]
async fn a_batch_that_could_not_be_started_is_stored_and_started_when_it_is_sent_again() {
    let (receiver, starter) = with_starter();
    starter.down.store(true, Ordering::SeqCst);
    let (status, answer) = post_batch(&receiver, "51", &batch()).await;
    assert_eq!((status, &answer["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("START_FAILED")));
    assert!(answer["error"].as_str().unwrap().contains("does not answer"));
    starter.down.store(false, Ordering::SeqCst);
    let (status, answer) = post_batch(&receiver, "51", &batch()).await;
    assert_eq!((status, &answer["status"]), (StatusCode::ACCEPTED, &json!("STARTED")));
    assert_eq!(get(&receiver, "/api/v1/listings/51/media/batches").await["batches"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_ran_when_the_services_stopped_is_aborted_and_may_be_posted_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let receiver = Receiver::open(ReceiverOptions {
            database: Some(folder.path().join("receiver.sqlite")),
            secret: WebhookSecret::new("s3cret").unwrap(),
            trace_header: "traceparent".into(),
        })
        .unwrap();
        let starter = Arc::new(Starter::default());
        receiver.set_starter(starter.clone());
        (receiver, starter)
    };
    let (receiver, _starter) = open();
    assert_eq!(post_batch(&receiver, "51", &batch()).await.1["status"], "STARTED");
    drop(receiver);

    let (receiver, starter) = open();
    let job = get(&receiver, "/api/v1/listings/51/media/jobs").await["jobs"][0].clone();
    assert_eq!(job["status"], "ABORTED");
    assert!(job["failure_reason"].as_str().unwrap().contains("post it again"), "{job}");
    let (status, answer) = post_batch(&receiver, "51", &batch()).await;
    assert_eq!((status, &answer["status"]), (StatusCode::ACCEPTED, &json!("STARTED")));
    assert_eq!(starter.started.load(Ordering::SeqCst), 1);
    let job = get(&receiver, "/api/v1/listings/51/media/jobs").await["jobs"][0].clone();
    assert_eq!(
        (&job["status"], &job["finished_at"], &job["failure_reason"]),
        (&json!("STARTED"), &json!(null), &json!(null))
    );
}

#[tokio::test]
async fn a_job_whose_execution_is_gone_without_a_result_is_started_again() {
    let (receiver, starter) = with_starter();
    post_batch(&receiver, "51", &batch()).await;
    starter.gone.store(true, Ordering::SeqCst);
    let (status, answer) = post_batch(&receiver, "51", &batch()).await;
    assert_eq!((status, &answer["status"]), (StatusCode::ACCEPTED, &json!("STARTED")));
    assert_eq!(starter.started.load(Ordering::SeqCst), 2);

    // With a result, there is nothing to start.
    send(&receiver, signed("s3cret", "msg_1", &report().to_string())).await;
    assert_eq!(post_batch(&receiver, "51", &batch()).await.1["status"], "PARTIAL_SUCCESS");
    assert_eq!(starter.started.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn every_shape_of_a_batch_is_accepted_and_gets_an_id_if_it_has_none() {
    let (receiver, _) = with_starter();
    let second = json!({"jobId": 21, "listingIdentityId": 28, "retry": 0, "assets": [
        {"key": "28/raw/photo/horizontal/horizontal-01-IMG.jpg", "type": "PHOTO_HORIZONTAL"},
    ]});
    assert_eq!(post_batch(&receiver, "28", &second).await.0, StatusCode::ACCEPTED);
    let bare = json!({"assets": ["77/raw/project/doc/2025-11-27/plan.pdf"]});
    let (status, answer) = post_batch(&receiver, "77", &bare).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    assert!(answer["jobId"].is_u64() && answer["batchId"].is_u64(), "{answer}");
}

#[tokio::test]
async fn a_batch_of_another_listing_and_a_body_without_a_batch_are_refused() {
    let (receiver, starter) = with_starter();
    assert_eq!(post_batch(&receiver, "52", &batch()).await.0, StatusCode::BAD_REQUEST);
    for body in [json!([]), json!("x"), json!({"assets": 5})] {
        assert_eq!(post_batch(&receiver, "51", &body).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(starter.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_callback_that_arrives_twice_counts_once() {
    let receiver = receiver();
    let mut arrivals = receiver.arrivals();
    let body = report().to_string();
    assert_eq!(send(&receiver, signed("s3cret", "msg_1", &body)).await.1["status"], "accepted");
    let (status, answer) = send(&receiver, signed("s3cret", "msg_1", &body)).await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("duplicate")));
    assert_eq!(*arrivals.borrow_and_update(), 1);
    let callbacks = receiver.callbacks();
    assert_eq!((callbacks.len(), callbacks[0].raw.as_str()), (1, body.as_str()));
    assert!(callbacks[0].traceparent.as_ref().unwrap().starts_with("00-0af7"));
    let kept = &get(&receiver, "/internal/media-processing/callbacks").await["callbacks"][0];
    assert_eq!(kept["webhook_id"], "msg_1");
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "x-toq-signature"] {
        assert!(kept["headers"][name].is_string(), "a backend's own check can be tried on it: {kept}");
    }
    for (listing, expected) in [("51", 1), ("52", 0)] {
        let found = get(&receiver, &format!("/internal/media-processing/callbacks?listing={listing}")).await;
        assert_eq!(found["callbacks"].as_array().unwrap().len(), expected, "of listing {listing}");
    }
    let misspelt = Request::get("/internal/media-processing/callbacks?listng=52").body(Body::empty()).unwrap();
    let (status, answer) = send(&receiver, misspelt).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "not the rows of all listings: {answer}");
    assert!(answer["error"].as_str().unwrap().contains("use listing=ID"), "{answer}");
    // The tables also contain an execution whose batch was not posted.
    assert_eq!(get(&receiver, "/internal/media-processing/jobs").await["jobs"][0]["status"], "PARTIAL_SUCCESS");
}

#[tokio::test]
async fn a_callback_with_another_secret_is_refused_and_not_stored() {
    let receiver = receiver();
    let body = report().to_string();
    assert_eq!(send(&receiver, signed("other", "msg_1", &body)).await.0, StatusCode::UNAUTHORIZED);
    let bare = Request::post("/internal/media-processing/callback").body(Body::from(body)).unwrap();
    assert_eq!(send(&receiver, bare).await.0, StatusCode::UNAUTHORIZED);
    assert!(receiver.callbacks().is_empty());
    assert_eq!(get(&receiver, "/internal/media-processing/callbacks").await["callbacks"], json!([]));
}

#[tokio::test]
async fn a_signed_callback_outside_the_contract_is_refused_with_the_fields_name() {
    let receiver = receiver();
    let mut body = report();
    body["jobIdentifier"] = json!(4);
    let (status, answer) = send(&receiver, signed("s3cret", "msg_1", &body.to_string())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["error"].as_str().unwrap().contains("jobIdentifier"), "{answer}");
    assert!(receiver.callbacks().is_empty());
    // A corrected callback may have the same id.
    assert_eq!(send(&receiver, signed("s3cret", "msg_1", &report().to_string())).await.1["status"], "accepted");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_to_its_end() {
    let receiver = receiver();
    let large = " ".repeat((4 << 20) + 1);
    assert_eq!(send(&receiver, signed("s3cret", "msg_1", &large)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_callback_can_be_awaited() {
    let receiver = receiver();
    let waiting = receiver.clone();
    let waiter =
        tokio::spawn(async move { waiting.wait_for(|callback| callback.body.execution_arn == EXECUTION).await });
    send(&receiver, signed("s3cret", "msg_1", &report().to_string())).await;
    assert_eq!(waiter.await.unwrap().webhook_id, "msg_1");
}

#[tokio::test]
async fn the_tables_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        Receiver::open(ReceiverOptions {
            database: Some(folder.path().join("receiver.sqlite")),
            secret: WebhookSecret::new("s3cret").unwrap(),
            trace_header: "traceparent".into(),
        })
        .unwrap()
    };
    let first = open();
    send(&first, signed("s3cret", "msg_1", &report().to_string())).await;
    first.add_dead_letter("https://queue", "{}", json!({})).await.unwrap();
    drop(first);
    let second = open();
    assert_eq!(second.jobs(Some("51")).await.unwrap().len(), 1);
    assert_eq!(second.dead_letters().await.unwrap()[0]["queue"], "https://queue");
    assert_eq!(send(&second, signed("s3cret", "msg_1", &report().to_string())).await.1["status"], "duplicate");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_as_json() {
    let (receiver, _starter) = with_starter();
    let request = Request::post("/api/v1/listings/51/media/batch").body(Body::from(vec![b' '; 5 << 20])).unwrap();
    let (status, answer) = send(&receiver, request).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer["error"].as_str().unwrap().contains("4194304 bytes"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_too_much_gets_the_refusal_and_not_a_broken_connection() {
    use std::io::{Read as _, Write as _};
    let (receiver, _starter) = with_starter();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router(receiver)).await });
    let answer = tokio::task::spawn_blocking(move || {
        // As Python's http.client does: everything is sent before the answer is read.
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        let length = 20 << 20;
        let head = format!(
            "POST /api/v1/listings/51/media/batch HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(&vec![b' '; length]).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("4194304 bytes"), "{answer}");
}
