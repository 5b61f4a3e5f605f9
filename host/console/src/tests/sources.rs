//! A source that fails or never answers costs its own part of a page.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::memory::{Memory, Wrong, console, finished, input, page, post, send, text, visited};
use crate::patience::PATIENCE;
use crate::source::executions::ExecutionStatus;
use crate::source::journal::{LoggedCall, SeenCallback};

const NAME: &str = "listing-51_batch-5_job-4_retry-0";

fn pins(more: Value) -> Value {
    let pin = json!({"stage": "validate", "version": "0.1.0", "world": "validate", "digest": format!("sha256:{}", "7".repeat(64))});
    let mut pins = json!({"revision": 7, "environment": "staging", "states": {"ValidateRawAssets": pin}});
    pins.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    pins
}

/// A finished batch of which everything is known.
fn whole() -> Arc<Memory> {
    let memory = Arc::new(Memory::default());
    let events = visited("ValidateRawAssets", &input(), &finished(NAME));
    memory.add(NAME, ExecutionStatus::Succeeded, input(), Some(finished(NAME)), events);
    memory.callbacks.lock().unwrap().push(SeenCallback {
        at: "2026-09-21T14:13:25Z".into(),
        headers: Vec::new(),
        body: "the-callback".into(),
    });
    memory.calls.lock().unwrap().push(LoggedCall {
        state: "ValidateRawAssets".into(),
        attempt: 0,
        key: None,
        stage: "the-stage".into(),
        version: "0.1.0".into(),
        digest: format!("sha256:{}", "7".repeat(64)),
        millis: 1.0,
        memory: 1,
        failure: None,
        text: String::new(),
    });
    *memory.pins.lock().unwrap() = Some(serde_json::from_value(pins(json!({}))).unwrap());
    memory
}

/// What each source gives to the page of a batch, and the sentence in its place.
const PARTS: [(&str, &str, &str); 6] = [
    ("history", "/state/2\"", "The history cannot be read"),
    ("definition", "<svg class=\"plan\"", "The state machine cannot be shown"),
    ("open", "What is in complete.zip", "Its entries cannot be shown"),
    ("calls", "the-stage", "The calls of stages cannot be read"),
    ("callbacks", "the-callback", "What the backend got cannot be read"),
    ("revision", "release", "Who signed revision 7 of the pins is not known"),
];

/// Adds an archive with one file, so that every part of the page is there.
fn with_archive(memory: &Memory) {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("hall.jpg", zip::write::SimpleFileOptions::default()).unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    memory.objects.lock().unwrap().insert("51/zip/batch-5/complete.zip".into(), (None, bytes));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_or_hangs_costs_its_own_part_of_the_batch_and_nothing_else() {
    for wrong in [Wrong::Denied, Wrong::Hangs] {
        for (broken, _, sentence) in PARTS {
            let memory = whole();
            with_archive(&memory);
            memory.wrong.lock().unwrap().insert(broken, wrong);
            let (router, _) = console(&memory, false);
            let shown = page(&router, &format!("/console/batch/{NAME}")).await;
            assert!(shown.contains(sentence), "{broken} {wrong:?}: {shown}");
            assert!(shown.contains("hall_320x240.jpg"), "{broken} {wrong:?}: the files are there");
            for (other, part, _) in PARTS.into_iter().filter(|(other, ..)| *other != broken) {
                assert!(shown.contains(part), "{broken} {wrong:?} costs {other}: {part} is missing in {shown}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sources_that_hang_are_waited_for_at_the_same_time() {
    let memory = whole();
    with_archive(&memory);
    memory.wrong.lock().unwrap().extend(PARTS.map(|(source, ..)| (source, Wrong::Hangs)));
    let (router, _) = console(&memory, false);
    let began = tokio::time::Instant::now();
    let shown = page(&router, &format!("/console/batch/{NAME}")).await;
    // The clock of this test stands still while there is work: first the history and the state machine, then all others.
    assert_eq!(began.elapsed().as_secs(), (2 * PATIENCE).as_secs());
    assert!(PARTS.iter().all(|(_, _, sentence)| shown.contains(sentence)), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn many_answers_of_a_source_that_hangs_are_waited_for_together() {
    let memory = Arc::new(Memory::default());
    for number in 0..29 {
        memory.add(&format!("listing-{number}"), ExecutionStatus::Succeeded, input(), None, Vec::new());
    }
    let mut batch = finished(NAME);
    let archive = batch["bundles"][0].clone();
    batch["bundles"] = Value::from(vec![archive; 7]);
    memory.add(NAME, ExecutionStatus::Succeeded, input(), None, visited("ValidateRawAssets", &input(), &batch));
    let (router, _) = console(&memory, false);
    for (source, address, sentence, times) in [
        ("facts", "/console".to_owned(), "Of 30 batches only the name", 1),
        ("open", format!("/console/batch/{NAME}"), "Its entries cannot be shown", 7),
    ] {
        *memory.wrong.lock().unwrap() = [(source, Wrong::Hangs)].into();
        let began = tokio::time::Instant::now();
        let shown = page(&router, &address).await;
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs(), "{source}");
        assert_eq!(shown.matches(sentence).count(), times, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_in_sources_that_hang_ends_in_time_and_can_go_on() {
    let memory = Arc::new(Memory::default());
    for number in 0..250 {
        memory.add(&format!("listing-{number}"), ExecutionStatus::Succeeded, input(), None, Vec::new());
    }
    let (router, _) = console(&memory, false);
    let began = tokio::time::Instant::now();
    memory.wrong.lock().unwrap().insert("facts", Wrong::Hangs);
    let shown = page(&router, "/console?q=hall").await;
    assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    assert!(shown.contains("Nothing was found in 100 executions."), "{shown}");
    assert!(shown.contains("Of 100 batches only the name"), "{shown}");
    assert!(shown.contains("after=100") && shown.contains("Search on"), "{shown}");

    let began = tokio::time::Instant::now();
    memory.wrong.lock().unwrap().insert("list", Wrong::Hangs);
    let request = Request::get("/console?q=hall").header("host", "localhost");
    let answer = send(&router, request.body(Body::empty()).unwrap()).await;
    assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test(start_paused = true)]
async fn without_the_execution_itself_there_is_an_answer_in_time() {
    for (wrong, why) in [(Wrong::Denied, "AccessDenied"), (Wrong::Hangs, "did not come within")] {
        let memory = whole();
        memory.wrong.lock().unwrap().insert("facts", wrong);
        let (router, _) = console(&memory, false);
        let request = Request::get(format!("/console/batch/{NAME}")).header("host", "localhost");
        let answer = send(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert!(text(answer).await.contains(why));
        let request = Request::get(format!("/console/batch/{NAME}/again")).header("host", "localhost");
        let form = send(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(form.status(), StatusCode::BAD_GATEWAY);
        // The list has its name.
        let list = page(&router, "/console").await;
        assert!(list.contains(NAME) && list.contains("Of 1 batches only the name"), "{list}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_large_document_that_cannot_be_read_a_state_shows_the_head_and_the_reason() {
    let memory = Arc::new(Memory::default());
    let mut head = finished(NAME);
    head.as_object_mut().unwrap().remove("assets");
    head["spilled"] = json!({"sha256": "a".repeat(64), "bytes": 1});
    memory.add(NAME, ExecutionStatus::Succeeded, input(), None, visited("ValidateRawAssets", &input(), &head));
    memory.wrong.lock().unwrap().insert("unpacked", Wrong::Denied);
    let (router, _) = console(&memory, false);
    let state = page(&router, &format!("/console/batch/{NAME}/state/2")).await;
    assert!(state.contains("only the head of a large document") && state.contains("AccessDenied"), "{state}");
}

#[tokio::test(start_paused = true)]
async fn what_a_stage_made_in_the_playground_is_shown_without_its_log() {
    let memory = Arc::new(Memory::default());
    memory.wrong.lock().unwrap().insert("calls", Wrong::Denied);
    let (router, token) = console(&memory, true);
    let fields = [("state", "GenerateThumbnails"), ("key", "51/raw/photo/horizontal/2026-01-02/hall.jpg")];
    let tried = text(post(&router, "/console/playground", &token, &fields).await).await;
    assert!(tried.contains("hall_320x240.jpg") && tried.contains("The calls of stages cannot be read"), "{tried}");
}

#[tokio::test(start_paused = true)]
async fn the_signature_of_the_pins_is_shown_and_why_it_does_not_hold() {
    let memory = whole();
    let (router, _) = console(&memory, false);
    let verified = page(&router, "/console/pins").await;
    for part in [
        "<h2>Signature</h2>",
        "<dd><span class=\"badge ok\">yes</span></dd>",
        "<dd>to change pins</dd>",
        "0123456789abcdef",
        "<dd>staging</dd>",
    ] {
        assert!(verified.contains(part), "{part} is missing in {verified}");
    }
    // Another revision that cannot be trusted does not hide the history.
    memory.wrong.lock().unwrap().insert("revision", Wrong::Denied);
    let other = page(&router, "/console/pins?revision=6").await;
    for part in
        ["not verified", "<span class=\"badge bad\">no</span>", "revision: you are not authorized", "Revision 7"]
    {
        assert!(other.contains(part), "{part} is missing in {other}");
    }
    assert!(!other.contains("The whole document"), "nothing of it is shown");
    memory.wrong.lock().unwrap().insert("pins", Wrong::Hangs);
    let none = page(&router, "/console/pins").await;
    assert!(none.contains("not verified") && none.contains("did not come within"), "{none}");
}

#[tokio::test(start_paused = true)]
async fn pins_are_shown_without_their_history_and_without_news_of_candidates() {
    let memory = whole();
    let pin = json!({"stage": "validate", "version": "0.2.0", "world": "validate", "digest": format!("sha256:{}", "8".repeat(64))});
    let shadow = json!({"shadows": {"ValidateRawAssets": {"pin": pin, "percent": 20}}});
    *memory.pins.lock().unwrap() = Some(serde_json::from_value(pins(shadow)).unwrap());
    memory.wrong.lock().unwrap().extend([("past", Wrong::Denied), ("candidates", Wrong::Hangs)]);
    let (router, _) = console(&memory, true);
    let shown = page(&router, "/console/pins").await;
    for part in [
        "0.2.0",
        "The history cannot be shown: past",
        "what is known about it did not come within",
        "The whole document",
    ] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
}
