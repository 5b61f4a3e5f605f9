//! One trace from the queue message to the callback: the segments that the host sends, the execution's history and the requests to
//! others form one tree.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use stagehost_asl::Detail;
use stagehost_local::FunctionError;
use stagehost_states::NewMachine;
use stagehost_tests::file;
use stagehost_tests::package::{ACCOUNT, package};
use stagehost_tests::runtime_api::{Deadline, Function};

use crate::surroundings::{Host, started_with};

/// The trace of a sender that X-Ray traces, as SQS keeps it beside the message.
const SENT: &str = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
const ROOT: &str = "1-4bf92f35-77b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Lambda behind Step Functions: each invocation has a segment of its own in the execution's trace.
struct Traced {
    function: Arc<Function>,
    count: AtomicU64,
}

#[async_trait::async_trait]
impl stagehost_local::Function for Traced {
    async fn invoke(&self, payload: bytes::Bytes) -> Result<bytes::Bytes, FunctionError> {
        let segment = lambda_segment(self.count.fetch_add(1, Ordering::Relaxed));
        let trace = format!("Root={ROOT};Parent={segment};Sampled=1");
        self.function.invoke_traced(payload, Deadline::USUAL, Some(&trace)).await
    }
}

fn lambda_segment(number: u64) -> String {
    format!("{:016x}", 0xa000_0000_0000_0000 + number)
}

/// A MediaConvert whose jobs fail at once, so that nothing is waited for. Returns its address and the requests.
async fn transcoder() -> (String, Arc<Mutex<Vec<Value>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    let take = move |Json(request): Json<Value>| {
        seen.lock().unwrap().push(request);
        let job =
            json!({"id": "1767312000000-traced", "status": "ERROR", "errorCode": 1040, "errorMessage": "no video"});
        async move { (StatusCode::CREATED, Json(json!({"job": job}))) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/2017-08-29/jobs", post(take))).await });
    (format!("http://{address}"), requests)
}

/// Reads documents until the one of `last` has arrived.
fn documents(daemon: &UdpSocket, last: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length =
            daemon.recv(&mut buffer).unwrap_or_else(|error| panic!("no segment of {last}: {error}\n{found:#?}"));
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        assert!(header.contains("\"version\": 1"), "{header}");
        let document: Value = serde_json::from_str(document).unwrap();
        let is_last = document["name"] == last;
        found.push(document);
        if is_last {
            return found;
        }
    }
}

/// Adds a segment and those in it. Returns nothing twice: ids are unique.
fn add(tree: &mut BTreeMap<String, (String, String)>, segment: &Value, parent: &str) {
    let text = |name: &str| segment[name].as_str().unwrap_or_else(|| panic!("{name}: {segment:#}")).to_owned();
    let before = tree.insert(text("id"), (parent.to_owned(), text("name")));
    assert_eq!(before, None, "two segments have one id");
    for inner in segment["subsegments"].as_array().into_iter().flatten() {
        add(tree, inner, &text("id"));
    }
}

async fn ran(daemon: &UdpSocket, transcoder: String) -> (Host, Value) {
    let address = daemon.local_addr().unwrap().to_string();
    let host = started_with(package().unwrap(), |_| {
        vec![
            ("AWS_XRAY_DAEMON_ADDRESS", address.clone()),
            ("AWS_ENDPOINT_URL_MEDIACONVERT", transcoder.clone()),
            ("MEDIACONVERT_ROLE", format!("arn:aws:iam::{ACCOUNT}:role/mediaconvert")),
        ]
    })
    .await;
    host.aws.set_function(Arc::new(Traced { function: host.function.clone(), count: AtomicU64::new(0) }));
    let machine = NewMachine {
        name: "listing-media-processing-sm-test".into(),
        definition: std::fs::read_to_string(file("statemachine/media-processing.asl.json")).unwrap(),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/test"),
        ..Default::default()
    };
    host.aws.states().create_state_machine(machine).unwrap();
    let photo = host.upload(51, "photo/horizontal", "front.jpg");
    let video = host.upload(51, "video/horizontal", "walk-through.mp4");
    let job = json!({"jobId": 4, "batchId": 5, "listingId": 51, "assets": [photo, video]});
    let attributes = json!({"AWSTraceHeader": SENT, "ApproximateReceiveCount": "1"});
    let record = json!({"eventSource": "aws:sqs", "messageId": "a", "body": job.to_string(), "attributes": attributes});
    assert_eq!(host.invoke(&json!({"Records": [record]})).await.unwrap(), json!({"batchItemFailures": []}));
    let told = tokio::time::timeout(Duration::from_secs(120), host.aws.receiver().wait_for(|_| true)).await.unwrap();
    assert_eq!(told.traceparent.as_deref(), Some(TRACEPARENT), "the callback's header");
    let body = serde_json::from_str(&told.raw).unwrap();
    (host, body)
}

#[tokio::test]
async fn a_batch_is_one_tree_from_the_message_to_the_callback() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (transcoder, submitted) = transcoder().await;
    let (host, body) = ran(&daemon, transcoder).await;

    // The execution is in the sender's trace, below the span in which the message was sent.
    let executions = host.aws.states().executions(None);
    let [execution] = &executions[..] else { panic!("{} executions", executions.len()) };
    assert_eq!(execution.info().trace_header.as_deref(), Some(SENT));
    assert_eq!(body["executionArn"], execution.info().arn.as_str());
    assert_eq!(body["traceparent"], TRACEPARENT);

    // Every segment is in that trace, and its parent is another one, or a segment that Lambda writes by itself.
    let documents = tokio::task::spawn_blocking(move || documents(&daemon, "FinalizeAndCallback")).await.unwrap();
    let mut tree = BTreeMap::new();
    for document in &documents {
        assert_eq!(document["trace_id"], ROOT, "{document:#}");
        assert_eq!(document["type"], "subsegment", "{document:#}");
        add(&mut tree, document, document["parent_id"].as_str().unwrap());
    }
    let lambda: BTreeSet<String> = (0..32).map(lambda_segment).collect();
    for (parent, name) in tree.values() {
        assert!(tree.contains_key(parent) || lambda.contains(parent), "{name} hangs below {parent}, which nobody sent");
    }

    // The states of the history that call the host are those of the tree, each below an invocation of its own.
    let history = execution.history();
    let calls = ["ValidateRawAssets", "GenerateThumbnails", "ProcessVideos", "CreateZipBundle", "FinalizeAndCallback"];
    let is_entered = |state: &&str| {
        history.iter().any(|event| matches!(&event.detail, Detail::StateEntered { name, .. } if name == state))
    };
    let entered: BTreeSet<&str> = calls.into_iter().filter(is_entered).collect();
    assert_eq!(entered, BTreeSet::from(calls));
    let states: Vec<&(String, String)> = tree.values().filter(|(parent, _)| lambda.contains(parent)).collect();
    assert_eq!(states.iter().map(|(_, name)| name.as_str()).collect::<BTreeSet<_>>(), entered);
    assert_eq!(states.iter().map(|(parent, _)| parent).collect::<BTreeSet<_>>().len(), states.len());
    // A stage of assets is called for every file, one of batches once.
    let below = |state: &str| {
        let id = tree.iter().find(|(_, (_, name))| name == state).map(|(id, _)| id).unwrap();
        tree.values().filter(|(parent, _)| parent == id).count()
    };
    assert_eq!((below("ValidateRawAssets"), below("GenerateThumbnails"), below("ProcessVideos")), (2, 2, 1));

    // The job carries the trace, and so do its events.
    let submitted = submitted.lock().unwrap();
    assert_eq!(submitted.len(), 1);
    assert_eq!(submitted[0]["userMetadata"]["traceparent"], TRACEPARENT);
}
