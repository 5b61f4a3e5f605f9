#![allow(clippy::unwrap_used)]
//! The jobs of the queue, in events as Lambda delivers them.

use super::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

use stagehost_aws::Redelivery;

use crate::visibility::NoQueue;

#[derive(Default)]
struct Machine(Mutex<BTreeMap<String, Value>>);

#[async_trait]
impl Executions for Machine {
    async fn start(&self, name: &str, input: &Value, _: Option<&TraceParent>) -> Result<StartOutcome, String> {
        match self.0.lock().unwrap().insert(name.to_owned(), input.clone()) {
            None => Ok(StartOutcome::Started),
            Some(_) => Ok(StartOutcome::AlreadyStarted),
        }
    }
}

fn record(id: &str, body: &str) -> QueueRecord {
    serde_json::from_value(json!({
        "messageId": id, "body": body,
        "messageAttributes": {
            "Traceparent": {"stringValue": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "dataType": "String"},
            "BatchId": {"stringValue": "5", "dataType": "String"}
        }
    }))
    .unwrap()
}

/// So many executions may run that none waits.
fn many() -> JobAdmission {
    JobAdmission::new(1000, 1)
}

/// Documents in no bucket, for messages that need none.
fn nowhere() -> Documents {
    let config = aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
    stagehost_aws::Clients::new(&config, stagehost_aws::AwsOptions::default()).documents()
}

const JOB: &str = r#"{"jobId":4,"listingId":51,"assets":["51/raw/photo/vertical/2025-11-27/photo-001.jpg"],"retry":0}"#;

#[tokio::test]
async fn a_duplicate_delivery_starts_one_execution_and_a_malformed_message_is_reported() {
    let machine = Machine::default();
    let records = vec![record("a", JOB), record("b", JOB), record("c", "{oops"), record("d", "{}")];
    let answer = consume(&machine, &NoQueue, &nowhere(), &many(), records).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "d"}]}));
    let started = machine.0.into_inner().unwrap();
    assert_eq!(started.len(), 1);
    let input = started.values().next().unwrap();
    assert_eq!(input["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(input["batchId"], 5);
}

#[tokio::test]
async fn the_trace_of_a_sender_that_xray_traces_goes_on_unless_the_message_names_another() {
    const SENT: &str = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
    let sent = |id: &str, own: Option<&str>, sent: &str| {
        let mut job: Value = serde_json::from_str(JOB).unwrap();
        job["jobId"] = id.into();
        if let Some(own) = own {
            job["traceparent"] = own.into();
        }
        let attributes = json!({"AWSTraceHeader": sent, "ApproximateReceiveCount": "1"});
        serde_json::from_value(json!({"messageId": id, "body": job.to_string(), "attributes": attributes})).unwrap()
    };
    let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let machine = Machine::default();
    let records = vec![sent("a", None, SENT), sent("b", Some(own), SENT), sent("c", None, "Root=nonsense")];
    let answer = consume(&machine, &NoQueue, &nowhere(), &many(), records).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let started = machine.0.into_inner().unwrap();
    let trace = |job: &str| &started.values().find(|input| input["jobId"] == job).unwrap()["traceparent"];
    assert_eq!(trace("a"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!((trace("b"), trace("c")), (&json!(own), &Value::Null));
}

/// A state machine that is throttled.
struct Busy;

#[async_trait]
impl Executions for Busy {
    async fn start(&self, _: &str, _: &Value, _: Option<&TraceParent>) -> Result<StartOutcome, String> {
        Err("ThrottlingException".to_owned())
    }
}

/// A queue that notes the requests and may refuse them.
#[derive(Default)]
struct Queue {
    refuses: bool,
    asked: Mutex<Vec<(String, Vec<Redelivery>)>>,
    postponed: Mutex<Vec<(String, u32)>>,
}

#[async_trait]
impl Visibility for Queue {
    async fn redeliver(&self, queue: &str, messages: &[Redelivery]) -> Result<(), String> {
        self.asked.lock().unwrap().push((queue.to_owned(), messages.to_vec()));
        if self.refuses { Err("AccessDenied".to_owned()) } else { Ok(()) }
    }

    async fn postpone(&self, record: &QueueRecord, seconds: u32) -> Result<(), String> {
        if self.refuses {
            return Err("AccessDenied".to_owned());
        }
        self.postponed.lock().unwrap().push((record.message_id.clone(), seconds));
        Ok(())
    }
}

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:jobs";

/// Returns a record as Lambda passes it to a function.
fn received(id: &str, body: &str, receives: u32) -> QueueRecord {
    serde_json::from_value(json!({
        "messageId": id, "receiptHandle": format!("handle of {id}"), "body": body,
        "attributes": {"ApproximateReceiveCount": receives.to_string(), "SentTimestamp": "1767312000000"},
        "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": QUEUE, "awsRegion": "eu-west-1"
    }))
    .unwrap()
}

fn redelivery(id: &str, after_seconds: u32) -> Redelivery {
    Redelivery { message_id: id.into(), receipt_handle: format!("handle of {id}"), after_seconds }
}

#[tokio::test]
async fn only_failed_messages_come_back_and_unreadable_ones_sooner_than_others() {
    let queue = Queue::default();
    let missing = r#"{"listingId": 51, "spilled": {"sha256": "../other", "bytes": 7}}"#;
    let records = vec![received("a", "{oops", 4), received("b", JOB, 1), received("c", missing, 1)];
    consume(&Machine::default(), &queue, &nowhere(), &many(), records).await;
    let asked = queue.asked.into_inner().unwrap();
    assert_eq!(asked, [(QUEUE.to_owned(), vec![redelivery("a", 1), redelivery("c", 1)])]);

    let queue = Queue::default();
    let records = vec![received("a", "{}", 1), received("b", JOB, 1), received("c", JOB, 3)];
    consume(&Busy, &queue, &nowhere(), &many(), records).await;
    let asked = queue.asked.into_inner().unwrap();
    assert_eq!(asked[0].1, [redelivery("a", 1), redelivery("b", 30), redelivery("c", 120)]);
}

#[tokio::test]
async fn a_queue_that_refuses_does_not_change_the_answer_and_gets_ten_messages_per_request() {
    let queue = Queue { refuses: true, ..Queue::default() };
    let records: Vec<_> = (0..23).map(|n| received(&n.to_string(), "{oops", 1)).collect();
    let answer = consume(&Machine::default(), &queue, &nowhere(), &many(), records).await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 23);
    let asked = queue.asked.into_inner().unwrap();
    assert_eq!(asked.iter().map(|(_, messages)| messages.len()).collect::<Vec<_>>(), [10, 10, 3]);
}

#[tokio::test]
async fn a_record_without_a_receipt_or_a_queue_is_only_reported() {
    let queue = Queue::default();
    let answer = consume(&Machine::default(), &queue, &nowhere(), &many(), vec![record("a", "{oops")]).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
    assert!(queue.asked.into_inner().unwrap().is_empty());
}

/// Names that are taken, each with the state of its execution, and the executions that were started.
#[derive(Default)]
struct Names {
    over: BTreeMap<&'static str, ExecutionStatus>,
    /// The message that they were started for.
    started_for: Option<&'static str>,
    started: Mutex<Vec<(String, Option<String>)>>,
}

#[async_trait]
impl Executions for Names {
    async fn start(&self, name: &str, _: &Value, trace: Option<&TraceParent>) -> Result<StartOutcome, String> {
        if let Some(status) = self.over.get(name) {
            let started_for = self.started_for.map(str::to_owned);
            return Ok(StartOutcome::Ended { status: status.clone(), started_for });
        }
        self.started.lock().unwrap().push((name.to_owned(), trace.map(TraceParent::xray_header)));
        Ok(StartOutcome::Started)
    }
}

const NAME: &str = "listing-51_job-4_retry-0";

#[tokio::test]
async fn an_undelivered_result_that_is_moved_back_from_the_dead_letters_runs_with_the_next_retry() {
    let machine = Names { over: [(NAME, ExecutionStatus::Failed)].into(), ..Names::default() };
    let mut result: Value = serde_json::from_str(JOB).unwrap();
    result["undelivered"] = json!({"Error": "Stage.Transient", "Cause": "the backend is down"});
    let answer = consume(&machine, &NoQueue, &nowhere(), &many(), vec![received("a", &result.to_string(), 1)]).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(machine.started.into_inner().unwrap(), [("listing-51_job-4_retry-1".to_owned(), None)]);
}

#[tokio::test]
async fn a_job_that_is_sent_again_after_its_execution_has_failed_is_kept_as_a_dead_letter() {
    let ends = [ExecutionStatus::Failed, ExecutionStatus::TimedOut, ExecutionStatus::Aborted];
    for (status, started_for) in ends.into_iter().zip([Some("another"), None, Some("")]) {
        let machine = Names { over: [(NAME, status)].into(), started_for, ..Names::default() };
        let queue = Queue::default();
        let answer = consume(&machine, &queue, &nowhere(), &many(), vec![received("a", JOB, 1)]).await;
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
        assert_eq!(queue.asked.into_inner().unwrap()[0].1, [redelivery("a", 1)], "it is soon back");
    }
}

#[tokio::test]
async fn a_message_that_is_delivered_again_after_its_execution_has_failed_is_a_duplicate() {
    let machine =
        || Names { over: [(NAME, ExecutionStatus::Failed)].into(), started_for: Some("a"), ..Names::default() };
    let again = received("a", JOB, 2);
    // The host has sent it again in the meantime, because its listing had its share of the running executions.
    let mut copy = received("b", JOB, 1);
    copy.message_attributes =
        json!({"FirstMessage": {"stringValue": "a", "dataType": "String"}}).as_object().unwrap().clone();
    for record in [again, copy] {
        let answer = consume(&machine(), &NoQueue, &nowhere(), &many(), vec![record]).await;
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    let machine = Machine::default();
    consume(&machine, &NoQueue, &nowhere(), &many(), vec![received("a", JOB, 1)]).await;
    assert_eq!(machine.0.into_inner().unwrap()[NAME]["queueMessage"], "a", "the input names the message");
}

#[tokio::test]
async fn the_execution_continues_the_trace_of_the_batch() {
    let machine = Names::default();
    consume(&machine, &NoQueue, &nowhere(), &many(), vec![record("a", JOB)]).await;
    let header = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1".to_owned();
    assert_eq!(machine.started.into_inner().unwrap()[0].1, Some(header));
}

#[tokio::test]
async fn an_event_among_the_dead_letters_is_refused_with_what_it_is() {
    let stopped =
        json!({"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": {}});
    let refused = async |body: &str| {
        let record = received("a", body, 1);
        take(&Machine::default(), &NoQueue, &nowhere(), (&many(), &[]), &record).await.unwrap_err()
    };
    let error = refused(&stopped.to_string()).await;
    assert!(error.to_string().contains("Step Functions Execution Status Change"), "{error}");
    let sweep = json!({"source": "stagehost.sweep"}).to_string();
    let error = refused(&sweep).await;
    assert!(error.to_string().contains("can be deleted"), "{error}");
}

#[test]
fn an_execution_belongs_to_the_machine_and_not_to_its_alias() {
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:media";
    let execution = "arn:aws:states:eu-west-1:123456789012:execution:media:job-4";
    for alias in ["", ":live", ":7"] {
        assert_eq!(execution_arn(&format!("{machine}{alias}"), "job-4").as_deref(), Some(execution));
    }
}

/// A machine on which these executions run.
struct Running(Vec<String>, Machine);

#[async_trait]
impl Executions for Running {
    async fn start(&self, name: &str, input: &Value, trace: Option<&TraceParent>) -> Result<StartOutcome, String> {
        self.1.start(name, input, trace).await
    }

    async fn running(&self) -> Result<Vec<String>, String> {
        Ok(self.0.clone())
    }
}

fn busy_with(listing: u32) -> Running {
    Running((0..10).map(|n| format!("listing-{listing}_job-{n}x_retry-0")).collect(), Machine::default())
}

#[tokio::test]
async fn a_job_of_a_listing_that_has_its_share_is_sent_again_and_no_receive_of_it_counts() {
    let (machine, queue) = (busy_with(51), Queue::default());
    let admission = JobAdmission::new(10, 1);
    let answer = consume(&machine, &queue, &nowhere(), &admission, vec![received("a", JOB, 1)]).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(queue.postponed.into_inner().unwrap(), [("a".to_owned(), JobAdmission::wait("a"))]);
    assert!(machine.1.0.into_inner().unwrap().is_empty());
}

#[tokio::test]
async fn a_job_of_another_listing_begins_beside_the_burst() {
    let (machine, queue) = (busy_with(50), Queue::default());
    let admission = JobAdmission::new(10, 1);
    consume(&machine, &queue, &nowhere(), &admission, vec![received("a", JOB, 1)]).await;
    assert_eq!(machine.1.0.into_inner().unwrap().len(), 1);
    assert!(queue.postponed.into_inner().unwrap().is_empty());
}

#[tokio::test]
async fn a_job_that_cannot_be_sent_again_begins_at_once() {
    let (machine, queue) = (busy_with(51), Queue { refuses: true, ..Queue::default() });
    let admission = JobAdmission::new(10, 1);
    let answer = consume(&machine, &queue, &nowhere(), &admission, vec![received("a", JOB, 1)]).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(machine.1.0.into_inner().unwrap().len(), 1);
}

/// Step Functions' answers by operation, and the requests: operation, trace header and body.
async fn step_functions(
    answers: Value,
) -> (StateMachineExecutions, std::sync::Arc<Mutex<Vec<(String, String, Value)>>>) {
    let asked = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let app = axum::Router::new().fallback(move |headers: axum::http::HeaderMap, body: String| async move {
        let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let operation = text("x-amz-target").rsplit('.').next().unwrap().to_owned();
        let body: Value = serde_json::from_str(&body).unwrap();
        seen.lock().unwrap().push((operation.clone(), text("x-amzn-trace-id"), body));
        let answer = answers[&operation].clone();
        let status = if answer.get("__type").is_some() { 400 } else { 200 };
        (axum::http::StatusCode::from_u16(status).unwrap(), answer.to_string())
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let keys = aws_credential_types::Credentials::from_keys("test", "test", None);
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(keys))
        .endpoint_url(url)
        .build();
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:media:live";
    (StateMachineExecutions::new(aws_sdk_sfn::Client::new(&config), machine), asked)
}

#[tokio::test]
async fn an_execution_is_started_with_the_header_of_the_batchs_trace() {
    let started = json!({"StartExecution": {"executionArn": "arn:e", "startDate": 1.0}});
    let (executions, asked) = step_functions(started).await;
    let trace = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    assert_eq!(executions.start("job-4", &json!({}), Some(&trace)).await, Ok(StartOutcome::Started));
    let (operation, header, body) = asked.lock().unwrap()[0].clone();
    assert_eq!((operation.as_str(), &body["name"]), ("StartExecution", &json!("job-4")));
    assert_eq!(header, "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1");
}

#[tokio::test]
async fn of_a_name_that_is_taken_the_execution_decides() {
    let before = [("RUNNING", true), ("SUCCEEDED", true), ("PENDING_REDRIVE", true)];
    for (status, is_duplicate) in
        before.into_iter().chain([("FAILED", false), ("ABORTED", false), ("TIMED_OUT", false)])
    {
        let (executions, asked) = step_functions(json!({
            "StartExecution": {"__type": "ExecutionAlreadyExists", "message": "it exists"},
            "DescribeExecution": {
                "executionArn": "arn:e", "stateMachineArn": "arn:m", "status": status, "startDate": 1.0,
                "input": "{\"queueMessage\": \"a\"}"
            }
        }))
        .await;
        let started = executions.start("job-4", &json!({}), None).await.unwrap();
        assert_eq!(started == StartOutcome::AlreadyStarted, is_duplicate, "{status}");
        if let StartOutcome::Ended { started_for, .. } = started {
            assert_eq!(started_for.as_deref(), Some("a"));
        }
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:media:job-4";
        assert_eq!(asked.lock().unwrap()[1].2["executionArn"], arn);
    }
}

#[tokio::test]
async fn running_executions_are_those_of_the_state_machine_and_not_of_its_alias() {
    let one = json!({"executionArn": "arn:e", "stateMachineArn": "arn:m", "name": "job-4", "status": "RUNNING", "startDate": 1.0});
    let (executions, asked) = step_functions(json!({"ListExecutions": {"executions": [one]}})).await;
    assert_eq!(executions.running().await.unwrap(), ["job-4"]);
    let body = asked.lock().unwrap()[0].2.clone();
    assert_eq!(body["stateMachineArn"], "arn:aws:states:eu-west-1:123456789012:stateMachine:media");
    assert_eq!(body["statusFilter"], "RUNNING");
}
