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

fn telemetry() -> (Telemetry, Lines) {
    let lines = Lines::default();
    let sink = lines.clone();
    let telemetry =
        Telemetry::new("staging", move |line: &str| sink.lock().unwrap().push(serde_json::from_str(line).unwrap()));
    (telemetry, lines)
}

fn traced() -> (Telemetry, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let xray = XRay::to(&socket.local_addr().unwrap().to_string()).unwrap();
    (telemetry().0.with_xray(Some(xray)), socket)
}

fn received(socket: &UdpSocket) -> Option<Value> {
    let mut datagram = vec![0; 1 << 16];
    let (length, _) = socket.recv_from(&mut datagram).ok()?;
    let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
    Some(serde_json::from_str(text.split_once('\n').unwrap().1).unwrap())
}

fn ended(telemetry: &Telemetry, scope: &CallScope, failure: Option<&Failure>) {
    let (state, report) = (scope.state.as_str(), &report(0, 100));
    telemetry.on(AssetEvent::Ended { state, scope, key: Some("51/raw/a.jpg"), failure, report });
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
    telemetry.begin(None);
    ended(&telemetry, &scope(), None);
    ended(&telemetry, &scope(), Some(&Failure::new(Case::Corrupt, "cut off")));
    assert!(lines.lock().unwrap().is_empty());
    telemetry.flush();
    assert_eq!(lines.lock().unwrap().len(), 2);
    assert_eq!(lines.lock().unwrap()[0]["Calls"], 2);
    telemetry.flush();
    assert_eq!(lines.lock().unwrap().len(), 2);
}

#[test]
fn each_state_has_a_line_of_its_own() {
    let (telemetry, lines) = telemetry();
    for state in ["CreateZipBundle", "GenerateThumbnails", "CreateZipBundle"] {
        ended(&telemetry, &of_state(state), None);
    }
    telemetry.flush();
    let lines = lines.lock().unwrap();
    let calls: Vec<_> = lines.iter().map(|line| (line["state"].as_str().unwrap(), &line["Calls"])).collect();
    assert_eq!(calls, [("CreateZipBundle", &Value::from(2)), ("GenerateThumbnails", &Value::from(1))]);
}

#[test]
fn only_the_first_state_of_a_process_is_a_cold_start() {
    let (telemetry, lines) = telemetry();
    for _ in 0..3 {
        telemetry.begin(None);
        ended(&telemetry, &scope(), None);
        telemetry.flush();
    }
    let cold: Vec<_> = lines.lock().unwrap().iter().map(|line| line["ColdStart"].as_u64().unwrap()).collect();
    assert_eq!(cold, [1, 0, 0]);
}

#[test]
fn after_an_invocation_without_a_state_the_process_is_warm() {
    let (telemetry, lines) = telemetry();
    telemetry.begin(None);
    telemetry.flush();
    ended(&telemetry, &scope(), None);
    telemetry.flush();
    assert_eq!(lines.lock().unwrap()[0]["ColdStart"], 0);
}

#[test]
fn the_calls_of_an_invocation_that_was_cut_short_are_written_by_the_next_one() {
    let (telemetry, lines) = telemetry();
    telemetry.begin(None);
    ended(&telemetry, &scope(), None);
    telemetry.begin(None);
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[test]
fn the_memory_of_a_host_that_never_flushes_is_bounded() {
    let (telemetry, _) = telemetry();
    for n in 0..200 {
        for _ in 0..20 {
            ended(&telemetry, &of_state(&format!("State{n}")), None);
        }
    }
    for _ in 0..5000 {
        ended(&telemetry, &of_state("State0"), None);
    }
    let invocation = telemetry.current();
    assert_eq!(invocation.states.len(), MAX_STATES);
    assert_eq!(invocation.states[0].count, 5020);
    assert!(invocation.states[0].kept.len() <= 1000);
}

#[test]
fn the_batchs_trace_precedes_lambdas() {
    let (telemetry, socket) = traced();
    telemetry.begin(Some(LAMBDA));
    ended(&telemetry, &scope(), None);
    telemetry.flush();
    let segment = received(&socket).unwrap();
    assert_eq!(segment["trace_id"], "1-0af76519-16cd43dd8448eb211c80319c");
    assert_eq!(segment["metadata"]["stagehost"]["lambdaTrace"], LAMBDA);
}

#[test]
fn without_a_valid_traceparent_lambdas_trace_is_used() {
    for traceparent in [None, Some("nonsense")] {
        let (telemetry, socket) = traced();
        telemetry.begin(Some(LAMBDA));
        ended(&telemetry, &with_traceparent(traceparent), None);
        telemetry.flush();
        assert_eq!(received(&socket).unwrap()["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    }
}

#[test]
fn a_trace_that_is_not_sampled_is_not_sent() {
    let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let lambda = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    for (traceparent, lambda) in [(Some(unsampled), LAMBDA), (None, lambda), (None, "")] {
        let (telemetry, socket) = traced();
        telemetry.begin(Some(lambda));
        ended(&telemetry, &with_traceparent(traceparent), None);
        telemetry.flush();
        assert_eq!(received(&socket), None, "{traceparent:?} {lambda}");
    }
}

#[test]
fn no_line_contains_the_task_token() {
    let (telemetry, lines) = telemetry();
    ended(&telemetry, &scope(), None);
    telemetry.flush();
    let token = scope().task_token.unwrap();
    assert!(lines.lock().unwrap().iter().all(|line| !line.to_string().contains(&token)));
}
