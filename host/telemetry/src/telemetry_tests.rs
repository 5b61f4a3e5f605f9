#![allow(clippy::unwrap_used)]
//! Invocations, and what is written of them.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stagehost_batch::{Batch, Case, Failure};
use stagehost_runtime::capability::CallScope;

use super::*;
use crate::samples::{report, scope};

const LAMBDA: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

type Lines = Arc<Mutex<Vec<Value>>>;

fn telemetry() -> (Arc<Telemetry>, Lines) {
    let lines = Lines::default();
    let sink = lines.clone();
    let telemetry =
        Telemetry::new("staging", move |line: &str| sink.lock().unwrap().push(serde_json::from_str(line).unwrap()));
    (Arc::new(telemetry), lines)
}

fn traced() -> (Arc<Telemetry>, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let xray = XRay::to(&socket.local_addr().unwrap().to_string()).unwrap();
    (Arc::new(Telemetry::new("staging", |_: &str| {}).with_xray(Some(xray))), socket)
}

fn received(socket: &UdpSocket) -> Option<Value> {
    let mut datagram = vec![0; 1 << 16];
    let (length, _) = socket.recv_from(&mut datagram).ok()?;
    let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
    Some(serde_json::from_str(text.split_once('\n').unwrap().1).unwrap())
}

fn ended(invocation: &InvocationTelemetry, scope: &CallScope, failure: Option<&Failure>) {
    let (state, report) = (scope.state.as_str(), &report(0, 100));
    invocation.on(AssetEvent::Ended { state, scope, key: Some("51/raw/a.jpg"), failure, report, printed: "" });
}

fn of_state(state: &str) -> CallScope {
    CallScope { state: state.into(), ..scope() }
}

fn with_traceparent(traceparent: Option<&str>) -> CallScope {
    let scope = scope();
    let batch = Batch { traceparent: traceparent.map(str::to_owned), ..Batch::clone(&scope.batch) };
    CallScope { batch: Arc::new(batch), ..scope }
}

#[test]
fn metrics_are_written_once_and_not_before_the_invocation_ends() {
    let (telemetry, lines) = telemetry();
    let invocation = telemetry.invocation(None);
    ended(&invocation, &scope(), None);
    ended(&invocation, &scope(), Some(&Failure::new(Case::Corrupt, "cut off")));
    assert!(lines.lock().unwrap().is_empty());
    invocation.end();
    assert_eq!(lines.lock().unwrap().len(), 1);
    assert_eq!(lines.lock().unwrap()[0]["Calls"], 2);
    drop(invocation);
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[test]
fn each_state_has_a_line_of_its_own() {
    let (telemetry, lines) = telemetry();
    let invocation = telemetry.invocation(None);
    for state in ["CreateZipBundle", "GenerateThumbnails", "CreateZipBundle"] {
        ended(&invocation, &of_state(state), None);
    }
    invocation.end();
    let lines = lines.lock().unwrap();
    let calls: Vec<_> = lines.iter().map(|line| (line["state"].as_str().unwrap(), &line["Calls"])).collect();
    assert_eq!(calls, [("CreateZipBundle", &Value::from(2)), ("GenerateThumbnails", &Value::from(1))]);
}

#[test]
fn invocations_that_overlap_are_told_apart() {
    let (telemetry, lines) = telemetry();
    let invocations: Vec<_> = (0..32).map(|_| telemetry.invocation(None)).collect();
    for (n, invocation) in invocations.iter().enumerate() {
        let execution = format!("arn:{n}");
        for _ in 0..=n {
            ended(invocation, &CallScope { execution: execution.clone(), ..scope() }, None);
        }
    }
    invocations[7].end();
    assert_eq!(lines.lock().unwrap().len(), 1, "one ends while the others go on");
    drop(invocations);
    let lines = lines.lock().unwrap();
    let mut calls: Vec<_> = lines.iter().map(|line| (&line["execution"], line["Calls"].as_u64().unwrap())).collect();
    calls.sort_by_key(|(_, calls)| *calls);
    let expected: Vec<Value> = (0..32).map(|n| format!("arn:{n}").into()).collect();
    assert_eq!(calls, expected.iter().zip(1..).collect::<Vec<_>>());
    assert_eq!(lines.iter().filter(|line| line["ColdStart"] == 1).count(), 1);
}

#[test]
fn only_the_first_state_of_a_process_is_a_cold_start() {
    let (telemetry, lines) = telemetry();
    for _ in 0..3 {
        ended(&telemetry.invocation(None), &scope(), None);
    }
    let cold: Vec<_> = lines.lock().unwrap().iter().map(|line| line["ColdStart"].as_u64().unwrap()).collect();
    assert_eq!(cold, [1, 0, 0]);
}

#[test]
fn after_an_invocation_without_a_state_the_process_is_warm() {
    let (telemetry, lines) = telemetry();
    telemetry.invocation(None).end();
    ended(&telemetry.invocation(None), &scope(), None);
    assert_eq!(lines.lock().unwrap()[0]["ColdStart"], 0);
}

#[test]
fn the_calls_of_an_invocation_that_was_cut_short_are_written_all_the_same() {
    let (telemetry, lines) = telemetry();
    let invocation = telemetry.invocation(None);
    ended(&invocation, &scope(), None);
    drop(invocation);
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[test]
fn the_memory_of_an_invocation_that_never_ends_is_bounded() {
    let (telemetry, _) = telemetry();
    let invocation = telemetry.invocation(None);
    for n in 0..200 {
        for _ in 0..20 {
            ended(&invocation, &of_state(&format!("State{n}")), None);
        }
    }
    for _ in 0..5000 {
        ended(&invocation, &of_state("State0"), None);
    }
    let states = invocation.states();
    assert_eq!(states.len(), MAX_STATES);
    assert_eq!(states[0].count, 5020);
    assert!(states[0].kept.len() <= 1000);
}

#[test]
fn the_batchs_trace_precedes_lambdas() {
    let (telemetry, socket) = traced();
    ended(&telemetry.invocation(Some(LAMBDA)), &scope(), None);
    let segment = received(&socket).unwrap();
    assert_eq!(segment["trace_id"], "1-0af76519-16cd43dd8448eb211c80319c");
    assert_eq!(segment["parent_id"], "b7ad6b7169203331");
    assert_eq!(segment["metadata"]["stagehost"]["lambdaTrace"], LAMBDA);
}

#[test]
fn where_lambda_is_in_the_batchs_trace_a_state_is_a_part_of_the_function() {
    let (telemetry, socket) = traced();
    let same = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=53995c3f42cd8ad8;Sampled=1";
    ended(&telemetry.invocation(Some(same)), &scope(), None);
    let segment = received(&socket).unwrap();
    assert_eq!(segment["trace_id"], "1-0af76519-16cd43dd8448eb211c80319c");
    assert_eq!((&segment["parent_id"], &segment["type"]), (&"53995c3f42cd8ad8".into(), &"subsegment".into()));
}

#[test]
fn without_a_valid_traceparent_lambdas_trace_is_used() {
    for traceparent in [None, Some("nonsense")] {
        let (telemetry, socket) = traced();
        ended(&telemetry.invocation(Some(LAMBDA)), &with_traceparent(traceparent), None);
        assert_eq!(received(&socket).unwrap()["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    }
}

#[test]
fn a_trace_that_is_not_sampled_is_not_sent() {
    let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let lambda = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    for (traceparent, lambda) in [(Some(unsampled), LAMBDA), (None, lambda), (None, "")] {
        let (telemetry, socket) = traced();
        ended(&telemetry.invocation(Some(lambda)), &with_traceparent(traceparent), None);
        assert_eq!(received(&socket), None, "{traceparent:?} {lambda}");
    }
}

#[test]
fn no_line_contains_the_task_token() {
    let (telemetry, lines) = telemetry();
    ended(&telemetry.invocation(None), &scope(), None);
    let token = scope().task_token.unwrap();
    assert!(lines.lock().unwrap().iter().all(|line| !line.to_string().contains(&token)));
}

#[test]
fn a_transcoding_job_is_a_subsegment_of_its_batchs_trace_from_its_submission_to_its_end() {
    let (telemetry, daemon) = traced();
    let invocation = telemetry.invocation(Some(LAMBDA));
    let job = |traceparent: &'static str, failure: Option<&'static str>| AssetEvent::JobEnded {
        id: "1767312000000-abc",
        traceparent,
        state: "ProcessVideos",
        listing: "51",
        submitted: crate::samples::begin(),
        ended: crate::samples::begin() + Duration::from_secs(90),
        failure,
    };
    invocation.on(job(crate::samples::TRACEPARENT, Some("no video")));
    let document = received(&daemon).unwrap();
    assert_eq!(document["name"], "MediaConvert job");
    assert_eq!(document["type"], "subsegment");
    assert_eq!(document["trace_id"], "1-0af76519-16cd43dd8448eb211c80319c");
    assert_eq!(document["parent_id"], "b7ad6b7169203331");
    assert_eq!(document["end_time"].as_f64().unwrap() - document["start_time"].as_f64().unwrap(), 90.0);
    assert_eq!(document["annotations"]["job"], "1767312000000-abc");
    assert_eq!(document["error"], true);
    assert_eq!(document["cause"]["exceptions"][0]["message"], "no video");
    // Its event is delivered once more: X-Ray knows the document by its id.
    invocation.on(job(crate::samples::TRACEPARENT, Some("no video")));
    assert_eq!(received(&daemon).unwrap()["id"], document["id"]);
    // A trace that is not sampled is not sent.
    invocation.on(job("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", None));
    assert_eq!(received(&daemon), None);
}

#[test]
fn a_stage_s_line_is_written_at_once_and_its_numbers_when_the_invocation_ends() {
    use stagehost_runtime::{MeasuredValue, StageLogLevel};
    let (telemetry, lines) = telemetry();
    let invocation = telemetry.invocation(None);
    let scope = scope();
    for level in [StageLogLevel::Info, StageLogLevel::Debug] {
        let line = LogLine { level, message: "two faces", fields: &[] };
        invocation.on(AssetEvent::Logged { scope: &scope, key: Some("51/raw/a.jpg"), line });
    }
    assert_eq!(lines.lock().unwrap().len(), 1, "debug is below the level");
    assert_eq!(lines.lock().unwrap()[0]["message"], "two faces");
    for _ in 0..2 {
        let measures = [Measure { name: "faces".into(), value: MeasuredValue::Count(2) }];
        invocation.on(AssetEvent::Measured { scope: &scope, measures: &measures });
    }
    ended(&invocation, &scope, None);
    invocation.end();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["faces"], 4);
}
