//! A page has a bounded size, whatever it is about.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::memory::{Memory, at, console, finished, input, page, send, text, visited};
use crate::source::executions::{ExecutionStatus, PastEvent};
use crate::source::journal::{DeadLetter, LoggedCall, SeenCallback};

const NAME: &str = "listing-51_batch-5_job-4_retry-0";

/// A Map state whose items are all open: a history of 25,000 events, the most that an execution can have.
fn deep() -> Vec<PastEvent> {
    let event = |id: i64, previous: i64, kind: &str, state: Option<&str>| PastEvent {
        id,
        previous,
        at: Some(at(id / 100)),
        kind: kind.into(),
        state: state.map(str::to_owned),
        ..PastEvent::default()
    };
    let mut events = vec![event(1, 0, "ExecutionStarted", None), event(2, 0, "MapStateEntered", Some("Each"))];
    events.push(event(3, 2, "MapStateStarted", None));
    for item in 0..12_498 {
        events.push(event(4 + 2 * item, 3, "MapIterationStarted", Some("Each")));
        events.push(event(5 + 2 * item, 4 + 2 * item, "TaskStateEntered", Some("One")));
    }
    events
}

#[tokio::test]
async fn a_history_of_25_000_events_is_shown_in_pages() {
    let memory = Arc::new(Memory::default());
    memory.add(NAME, ExecutionStatus::Aborted, input(), None, deep());
    let (router, _) = console(&memory, true);
    let first = page(&router, &format!("/console/batch/{NAME}")).await;
    assert_eq!(first.matches("<span class=\"state\">").count(), 200);
    assert!(first.contains("Timeline (12499)") && first.contains("?states=12400#timeline"), "the last page has a link");
    assert!(first.len() < 400_000, "{} bytes", first.len());
    let last = page(&router, &format!("/console/batch/{NAME}?states=12400")).await;
    assert_eq!(last.matches("<span class=\"state\">").count(), 99);
    assert_eq!(
        page(&router, &format!("/console/batch/{NAME}?states={}", usize::MAX)).await.matches("class=\"state\"").count(),
        0
    );
    let question = page(&router, &format!("/console/batch/{NAME}/go-on")).await;
    assert!(question.contains("The first 200 of 12498 states are shown") && question.len() < 200_000);
}

#[tokio::test]
async fn long_texts_and_many_of_them_are_cut_with_a_word_about_it() {
    let long = "x".repeat(2 << 20);
    let memory = Arc::new(Memory::default());
    let mut batch = finished(NAME);
    batch["assets"][0]["title"] = json!(long);
    batch["assets"][2]["problem"]["message"] = json!(long);
    let problem = json!({"state": "ValidateRawAssets", "code": "Stage.Corrupt", "message": long});
    batch["problems"] = Value::from(vec![problem; 4]);
    let mut events = visited("ValidateRawAssets", &input(), &batch);
    let tries = (8..508).map(|id| PastEvent {
        id,
        previous: 6,
        at: Some(at(9)),
        kind: if id % 2 == 0 { "TaskScheduled" } else { "TaskFailed" }.into(),
        error: (id % 2 == 1).then(|| long[..9_000].to_owned()),
        cause: (id % 2 == 1).then(|| long[..9_000].to_owned()),
        ..PastEvent::default()
    });
    let end = events.len() - 1;
    drop(events.splice(end..end, tries.collect::<Vec<_>>()));
    memory.add(NAME, ExecutionStatus::Failed, input(), None, events);
    memory.executions.lock().unwrap()[0].0.cause = Some(long.clone());
    let call = |number: usize| LoggedCall {
        state: "ValidateRawAssets".into(),
        attempt: 0,
        key: None,
        stage: format!("stage-{number}"),
        version: "0.1.0".into(),
        digest: "sha256:7".into(),
        millis: f64::INFINITY,
        memory: u64::MAX,
        failure: None,
        text: long[..100_000].to_owned(),
    };
    *memory.calls.lock().unwrap() = (0..1_000).map(call).collect();
    let header = ("h".to_owned(), "v".to_owned());
    let callback = SeenCallback { at: String::new(), headers: vec![header; 1_000], body: long.clone() };
    *memory.callbacks.lock().unwrap() = vec![callback; 40];
    let (router, _) = console(&memory, true);
    let shown = page(&router, &format!("/console/batch/{NAME}")).await;
    assert!(shown.len() < 8 << 20, "{} bytes", shown.len());
    assert!(shown.contains("The first 200 of 1000 stages are shown") && shown.contains("Only the beginning is shown"));
    let state = page(&router, &format!("/console/batch/{NAME}/state/2")).await;
    assert!(state.len() < 12 << 20, "{} bytes", state.len());
    assert!(state.contains("The first 100 of 252 tries are shown"), "{}", &state[..4_000]);
    assert!(state.contains("The first 500 of 1000 calls are shown"));
}

#[tokio::test]
async fn many_long_letters_share_the_room_of_a_page() {
    let memory = Arc::new(Memory::default());
    let body = "y".repeat(1 << 20);
    *memory.letters.lock().unwrap() =
        (0..500).map(|id| DeadLetter { id: id.to_string(), at: None, body: body.clone() }).collect();
    let (router, _) = console(&memory, false);
    for look in [20, 100, 500] {
        let shown = page(&router, &format!("/console/dead-letters?look={look}")).await;
        assert!(shown.len() < 6 << 20, "{look}: {} bytes", shown.len());
        assert_eq!(shown.matches("Only the beginning is shown").count(), look);
    }
}

#[tokio::test]
async fn an_input_that_is_deep_or_long_does_not_grow_in_the_form() {
    let memory = Arc::new(Memory::default());
    let deep = format!("{}{}{}", "[".repeat(100), vec!["0"; 50_000].join(","), "]".repeat(100));
    let deep: Value = serde_json::from_str(&deep).unwrap();
    memory.add("deep", ExecutionStatus::Failed, json!({"listingId": 51, "note": deep, "assets": []}), None, Vec::new());
    memory.add("long", ExecutionStatus::Failed, json!({"note": "z".repeat(300_000)}), None, Vec::new());
    let (router, _) = console(&memory, true);
    assert!(page(&router, "/console/batch/deep/again").await.len() < 200_000, "it stays in one line");
    let request = Request::get("/console/batch/long/again").header("host", "localhost").body(Body::empty()).unwrap();
    let refused = send(&router, request).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(text(refused).await.contains("Step Functions takes 262144"));
}

#[tokio::test]
async fn a_search_of_a_thousand_words_is_a_search_of_a_few() {
    let memory = Arc::new(Memory::default());
    memory.add(NAME, ExecutionStatus::Succeeded, input(), None, Vec::new());
    let (router, _) = console(&memory, false);
    let words = vec!["hall.jpg"; 16].join("+");
    assert!(page(&router, &format!("/console?q={words}{}", "+nowhere".repeat(900))).await.contains(NAME));
}
