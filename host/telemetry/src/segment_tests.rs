#![allow(clippy::unwrap_used)]
//! The documents as X-Ray reads them.

use std::time::Duration;

use stagehost_batch::Failure;

use super::*;
use crate::samples::{TRACEPARENT, begin, calls, report, scope};

const LAMBDA: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn parsed(calls: &StateCalls, trace: &TraceContext) -> Vec<Value> {
    let documents = documents(calls, trace, calls.span().unwrap(), Some(LAMBDA));
    assert!(documents.iter().all(|document| document.len() <= MAX_DOCUMENT));
    documents.iter().map(|document| serde_json::from_str(document).unwrap()).collect()
}

fn backends() -> TraceContext {
    TraceContext::from_traceparent(TRACEPARENT).unwrap()
}

#[test]
fn a_state_is_a_segment_of_the_batchs_trace_and_its_files_are_in_it() {
    let [segment] = parsed(&calls(3, &[]), &backends()).try_into().unwrap();
    assert_eq!(segment["name"], "GenerateThumbnails");
    assert_eq!(segment["trace_id"], "1-0af76519-16cd43dd8448eb211c80319c");
    assert_eq!(segment["parent_id"], "b7ad6b7169203331");
    assert_eq!(segment["start_time"], 1_764_000_000.25);
    assert_eq!(segment["end_time"], 1_764_000_000.354);
    assert_eq!(segment["type"], "subsegment");
    assert!(segment.get("error").is_none() && segment.get("fault").is_none());
    assert_eq!(
        segment["annotations"],
        json!({"listing": "51", "state": "GenerateThumbnails", "stage": "thumbnails", "version": "0.1.0"})
    );
    assert_eq!(segment["metadata"]["stagehost"]["lambdaTrace"], LAMBDA);
    let subsegments = segment["subsegments"].as_array().unwrap();
    assert_eq!(subsegments.len(), 3);
    for (n, subsegment) in subsegments.iter().enumerate() {
        assert_eq!(subsegment["name"], "thumbnails");
        let key = format!("51/raw/photo/vertical/2025-11-27/{n}.jpg");
        assert_eq!(subsegment["metadata"]["stagehost"]["asset"], key);
        let id = subsegment["id"].as_str().unwrap();
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id != segment["id"]);
    }
}

#[test]
fn a_bad_file_is_an_error_and_a_defect_is_a_fault() {
    let [segment] = parsed(&calls(1, &[Case::Corrupt, Case::Trapped]), &backends()).try_into().unwrap();
    assert_eq!((&segment["error"], &segment["fault"]), (&json!(true), &json!(true)));
    let find = |case: &str| {
        let subsegments = segment["subsegments"].as_array().unwrap();
        subsegments.iter().find(|s| s["annotations"]["case"] == case).unwrap().clone()
    };
    let (corrupt, trapped) = (find("Stage.Corrupt"), find("Stage.Trapped"));
    assert_eq!(corrupt["error"], true);
    assert!(corrupt.get("fault").is_none());
    assert_eq!(trapped["fault"], true);
    assert_eq!(corrupt["cause"]["exceptions"][0]["message"], "bad.jpg is cut off");
    assert_eq!(corrupt["cause"]["exceptions"][0]["type"], "Stage.Corrupt");
}

#[test]
fn in_lambdas_own_trace_the_state_is_a_subsegment_of_the_function() {
    let [document] = parsed(&calls(1, &[]), &TraceContext::from_lambda(LAMBDA).unwrap()).try_into().unwrap();
    assert_eq!(document["type"], "subsegment");
    assert_eq!(document["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(document["parent_id"], "53995c3f42cd8ad8");
}

#[test]
fn of_many_calls_the_failed_and_the_slowest_have_a_subsegment() {
    let mut calls = calls(300, &[]);
    let failure = Failure::new(Case::Missing, "gone");
    calls.add(Some("51/raw/gone.jpg"), Some(&failure), &report(0, 1));
    let kept = shown(&calls.kept);
    assert_eq!(kept.len(), 100);
    assert!(kept.iter().any(|call| call.failure.is_some()));
    let quickest = kept.iter().filter(|call| call.failure.is_none()).map(|call| call.report.duration).min().unwrap();
    assert_eq!(quickest, Duration::from_millis(301));
    assert!(kept.is_sorted_by_key(|call| call.report.started_at));
    let segment = &parsed(&calls, &backends())[0];
    assert_eq!(segment["metadata"]["stagehost"]["calls"], 301);
    assert_eq!(segment["metadata"]["stagehost"]["callsNotShown"], 201);
}

#[test]
fn a_segment_too_large_for_a_datagram_is_sent_as_several_documents() {
    let mut calls = StateCalls::new(StateContext::of(&scope()));
    let failure = Failure::new(Case::Corrupt, "x".repeat(4000));
    for n in 0..100 {
        calls.add(Some(&format!("51/raw/{n}/{}", "k".repeat(900))), Some(&failure), &report(n, 100));
    }
    let documents = parsed(&calls, &backends());
    assert_eq!(documents.len(), 101);
    let (segment, subsegments) = documents.split_first().unwrap();
    assert!(segment.get("subsegments").is_none());
    for subsegment in subsegments {
        assert_eq!(subsegment["type"], "subsegment");
        assert_eq!(subsegment["trace_id"], segment["trace_id"]);
        assert_eq!(subsegment["parent_id"], segment["id"]);
    }
}

#[test]
fn a_presigned_url_in_a_message_is_not_sent_to_xray() {
    let mut calls = StateCalls::new(StateContext::of(&scope()));
    let failure = Failure::new(Case::Transient, "GET https://b/k?X-Amz-Signature=fe5f80 timed out");
    calls.add(None, Some(&failure), &report(0, 1));
    let document = documents(&calls, &backends(), (begin(), begin()), None).remove(0);
    assert!(document.contains("timed out") && !document.contains("fe5f80"), "{document}");
}

#[test]
fn names_have_the_characters_and_the_length_that_xray_allows() {
    assert_eq!(allowed("Größe (2)*"), "Größe _2__");
    assert_eq!(allowed(" "), "unknown");
    assert_eq!(allowed(&"é".repeat(300)).chars().count(), 200);
}
