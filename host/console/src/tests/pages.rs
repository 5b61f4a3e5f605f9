use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::memory::{Memory, at, console, finished, input, page, post, send, text, visited};
use crate::source::executions::ExecutionStatus;
use crate::source::journal::{DeadLetter, LoggedCall, SeenCallback};
use crate::source::pins::PinsWish;

const NAME: &str = "listing-51_batch-5_job-4_retry-0";

fn one_batch() -> Arc<Memory> {
    let memory = Arc::new(Memory::default());
    let events = visited("ValidateRawAssets", &input(), &finished(NAME));
    memory.add(NAME, ExecutionStatus::Succeeded, input(), Some(finished(NAME)), events);
    memory
}

#[tokio::test]
async fn the_list_has_status_listing_counts_and_failures_and_leads_to_each_batch() {
    let (router, _) = console(&one_batch(), false);
    let list = page(&router, "/console").await;
    for part in
        ["succeeded", &format!("/console/batch/{NAME}"), ">51<", ">3<", "<strong class=\"bad\">1</strong>", "2.5 s"]
    {
        assert!(list.contains(part), "{part} is missing in {list}");
    }
}

#[tokio::test]
async fn a_batch_is_found_by_listing_id_and_file_and_old_ones_are_a_page_away() {
    let memory = one_batch();
    for number in 0..230 {
        let input = json!({"listingId": 7000 + number, "assets": [format!("{}/raw/photo/vertical/2026-01-02/stairs.jpg", 7000 + number)]});
        memory.add(&format!("other-{number}"), ExecutionStatus::Succeeded, input, None, Vec::new());
    }
    let (router, _) = console(&memory, false);
    let newest = page(&router, "/console").await;
    assert!(newest.contains("other-229") && !newest.contains(NAME) && newest.contains("Older"));
    for words in ["walk.mp4", "HALL.jpg+51", "job-4"] {
        let found = page(&router, &format!("/console?q={words}")).await;
        assert!(found.contains(&format!("/console/batch/{NAME}")), "{words}: {found}");
        assert!(!found.contains("/console/batch/other-1\""), "{words}");
    }
    assert!(page(&router, "/console?q=nowhere.jpg").await.contains("Nothing was found in 231 executions"));
    assert!(page(&router, "/console?status=FAILED").await.contains("There is no such batch"));
    let older = page(&router, "/console?after=200").await;
    assert!(older.contains(NAME) && !older.contains("data-live"));
}

#[tokio::test]
async fn what_has_not_changed_is_read_once() {
    let memory = one_batch();
    memory.add("running", ExecutionStatus::Running, input(), None, Vec::new());
    let (router, _) = console(&memory, false);
    for _ in 0..3 {
        page(&router, "/console").await;
    }
    assert_eq!(*memory.read.lock().unwrap(), 2);
    {
        let mut executions = memory.executions.lock().unwrap();
        let facts = &mut executions[1].0;
        (facts.listed.status, facts.listed.stopped) = (ExecutionStatus::Failed, Some(at(99)));
        facts.error = Some("Stage.Trapped".into());
    }
    for _ in 0..3 {
        assert!(page(&router, "/console").await.contains("Stage.Trapped"), "its end is read");
    }
    assert_eq!(*memory.read.lock().unwrap(), 3);
}

#[tokio::test]
async fn a_page_has_a_thousand_batches_and_reads_some_of_them_each_time() {
    let memory = Arc::new(Memory::default());
    for number in 0..1000 {
        let input = json!({"listingId": 7000 + number, "assets": [format!("{}/raw/photo/vertical/2026-01-02/stairs.jpg", 7000 + number)]});
        memory.add(&format!("other-{number}"), ExecutionStatus::Succeeded, input, None, Vec::new());
    }
    let (router, _) = console(&memory, false);
    let rows = |page: &str| page.matches("<td class=\"name\">").count();
    let first = page(&router, "/console?rows=1000").await;
    assert_eq!((rows(&first), *memory.read.lock().unwrap()), (1000, 200));
    assert!(first.contains("Of 800 batches only the name"), "what is not known is said");
    for _ in 0..4 {
        page(&router, "/console?rows=1000").await;
    }
    let last = page(&router, "/console?rows=1000").await;
    assert_eq!((rows(&last), *memory.read.lock().unwrap()), (1000, 1000));
    assert!(last.contains(">7000<") && !last.contains("batches only the name"));
    // Other sizes than those that are offered are not used.
    assert_eq!(rows(&page(&router, "/console?rows=777").await), 50);
    let small = page(&router, "/console?rows=200").await;
    assert!(
        rows(&small) == 200 && small.contains("/console?rows=200&amp;after=200"),
        "the next page has the same size"
    );
}

#[tokio::test]
async fn a_batch_shows_states_files_archives_stages_callback_and_commands() {
    let memory = one_batch();
    memory.calls.lock().unwrap().push(LoggedCall {
        state: "ValidateRawAssets".into(),
        attempt: 1,
        key: Some("51/raw/photo/horizontal/2026-01-02/cut.jpg".into()),
        stage: "validate".into(),
        version: "0.1.0".into(),
        digest: format!("sha256:{}", "7".repeat(64)),
        millis: 56.6,
        memory: 1_179_648,
        failure: Some("Stage.Corrupt".into()),
        text: "the stage printed this".into(),
    });
    memory.callbacks.lock().unwrap().push(SeenCallback {
        at: "2026-09-21T14:13:25Z".into(),
        headers: vec![("webhook-id".into(), "msg_1".into())],
        body: r#"{"status":"PARTIAL"}"#.into(),
    });
    let (router, _) = console(&memory, false);
    let batch = page(&router, &format!("/console/batch/{NAME}")).await;
    assert!(batch.contains("Its entries cannot be shown"), "the archive is gone");
    for part in [
        "<svg class=\"plan\"",
        "class=\"node ok \"",
        "2 tries",
        "ParallelProcessing",
        "/console/media/51/raw/photo/horizontal/2026-01-02/hall.jpg",
        "320 × 240",
        "<video",
        "Stage.Corrupt",
        "cut.jpg is cut off",
        "complete.zip",
        "validate 0.1.0",
        "webhook-id",
        "PARTIAL",
        "aws stepfunctions start-execution",
        "--endpoint-url http://127.0.0.1:4599",
    ] {
        assert!(batch.contains(part), "{part} is missing");
    }
    assert!(!batch.contains("data-live"), "it has ended");
    assert!(!batch.contains("/again") && !batch.contains("name=\"token\""), "nothing can be changed");
    let state = page(&router, &format!("/console/batch/{NAME}/state/2")).await;
    for part in
        ["the stage printed this", "Stage.Transient", "busy", "&quot;listingId&quot;: 51", "Checks that every file"]
    {
        assert!(state.contains(part), "{part} is missing in {state}");
    }
}

#[tokio::test]
async fn a_large_batch_is_read_from_the_bucket() {
    let memory = Arc::new(Memory::default());
    let mut head = finished(NAME);
    let whole = head.to_string();
    for list in ["assets", "bundles", "problems"] {
        head.as_object_mut().unwrap().remove(list);
    }
    head["spilled"] = json!({"sha256": "a".repeat(64), "bytes": whole.len()});
    let events = visited("ValidateRawAssets", &input(), &head);
    memory.add(NAME, ExecutionStatus::Succeeded, input(), Some(head), events);
    let (router, _) = console(&memory, false);
    let gone = page(&router, &format!("/console/batch/{NAME}")).await;
    assert!(gone.contains("The batch cannot be shown") && gone.contains("pipeline/documents/"), "{gone}");
    let key = format!("pipeline/documents/{}.json", "a".repeat(64));
    memory.objects.lock().unwrap().insert(key, (None, whole.into_bytes()));
    assert!(page(&router, &format!("/console/batch/{NAME}")).await.contains("hall_320x240.jpg"));
    assert!(page(&router, &format!("/console/batch/{NAME}/state/2")).await.contains("hall_320x240.jpg"));
}

#[tokio::test]
async fn a_stamp_of_another_execution_is_not_believed() {
    let memory = Arc::new(Memory::default());
    let events = visited("ValidateRawAssets", &finished("another"), &json!({}));
    memory.add(NAME, ExecutionStatus::Running, input(), None, events);
    let (router, _) = console(&memory, false);
    let batch = page(&router, &format!("/console/batch/{NAME}")).await;
    assert!(batch.contains("hall.jpg") && !batch.contains("hall_320x240.jpg"));
    assert!(batch.contains("data-live"), "it runs");
}

#[tokio::test]
async fn what_an_archive_has_is_read_from_its_end() {
    let memory = one_batch();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, length) in [("photo/horizontal/hall.jpg", 200_000), ("<img src=x>.txt", 3)] {
        archive.start_file(name, stored).unwrap();
        std::io::Write::write_all(&mut archive, &vec![7; length]).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    let key = "51/zip/batch-5/complete.zip";
    memory.objects.lock().unwrap().insert(key.into(), (Some("application/zip".into()), bytes));
    let (router, _) = console(&memory, false);
    let batch = page(&router, &format!("/console/batch/{NAME}")).await;
    for part in ["photo/horizontal/hall.jpg", "200 kB", "&lt;img src=x&gt;.txt", "3 B"] {
        assert!(batch.contains(part), "{part} is missing in {batch}");
    }
    assert_eq!(*memory.ranges.lock().unwrap(), ["bytes=-73728"], "one range, not the whole");
}

#[tokio::test]
async fn a_batch_that_stopped_goes_on_and_one_that_succeeded_does_not() {
    let memory = one_batch();
    let mut events = visited("ValidateRawAssets", &input(), &finished("stopped"));
    events.truncate(5);
    memory.add("stopped", ExecutionStatus::Aborted, input(), None, events);
    let (router, token) = console(&memory, true);
    let batch = page(&router, "/console/batch/stopped").await;
    assert!(batch.contains("Go on from where it stopped") && batch.contains("aws stepfunctions redrive-execution"));
    let asked = page(&router, "/console/batch/stopped/go-on").await;
    for part in ["ValidateRawAssets", "with the input that they had", "name=\"token\""] {
        assert!(asked.contains(part), "{part} is missing in {asked}");
    }
    let gone_on = post(&router, "/console/batch/stopped/go-on", &token, &[]).await;
    assert_eq!(gone_on.headers()["location"], "/console/batch/stopped");
    assert_eq!(*memory.redriven.lock().unwrap(), [super::memory::arn("stopped")]);
    assert!(!page(&router, &format!("/console/batch/{NAME}")).await.contains("Go on"));
    let request = Request::get(format!("/console/batch/{NAME}/go-on")).header("host", "localhost");
    let refused = send(&router, request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(text(refused).await.contains("Execution is SUCCEEDED and cannot be redriven"));
}

#[tokio::test]
async fn the_input_of_a_state_can_be_the_input_of_another_run() {
    let memory = Arc::new(Memory::default());
    let mut given = finished(NAME);
    given["assets"][0]["title"] = json!("as the state got it");
    let events = visited("GenerateThumbnails", &given, &finished(NAME));
    memory.add(NAME, ExecutionStatus::Succeeded, input(), None, events);
    let (router, _) = console(&memory, true);
    let state = page(&router, &format!("/console/batch/{NAME}/state/2")).await;
    assert!(state.contains(&format!("/console/batch/{NAME}/again?event=2")));
    let form = page(&router, &format!("/console/batch/{NAME}/again?event=2")).await;
    assert!(form.contains("as the state got it") && form.contains("begins at the first state"), "{form}");
    assert!(!page(&router, &format!("/console/batch/{NAME}/again")).await.contains("as the state got it"));
    let (reading, _) = console(&memory, false);
    assert!(!page(&reading, &format!("/console/batch/{NAME}/state/2")).await.contains("again?event"));
}

#[tokio::test]
async fn what_ran_has_the_signer_of_the_pins_that_pin_these_bytes() {
    let memory = one_batch();
    let digest = format!("sha256:{}", "7".repeat(64));
    let pin = json!({"stage": "validate", "version": "0.1.0", "world": "validate", "digest": digest});
    let pins = json!({"revision": 7, "environment": "staging", "states": {"ValidateRawAssets": pin}});
    *memory.pins.lock().unwrap() = Some(serde_json::from_value(pins).unwrap());
    let (router, _) = console(&memory, false);
    let batch = format!("/console/batch/{NAME}");
    let signed = "<td data-label=\"Signed by\"><strong>release</strong> <code>0123456789abcdef</code></td>";
    assert!(page(&router, &batch).await.contains(signed), "as the pins have it");
    let call = |digest: &str| LoggedCall {
        state: "ValidateRawAssets".into(),
        attempt: 0,
        key: None,
        stage: "validate".into(),
        version: "0.1.0".into(),
        digest: digest.into(),
        millis: 1.0,
        memory: 1,
        failure: None,
        text: String::new(),
    };
    memory.calls.lock().unwrap().push(call(&digest));
    memory.gaps.lock().unwrap().push("The log has more about this batch".into());
    let ran = page(&router, &batch).await;
    assert!(ran.contains("Stages that ran") && ran.contains(signed), "{ran}");
    assert!(ran.contains("The log has more about this batch"));
    let state = format!("{batch}/state/2");
    let signed_calls = page(&router, &state).await;
    assert!(
        signed_calls.contains("which is signed by <strong>release</strong>") && !signed_calls.contains("other bytes")
    );
    *memory.calls.lock().unwrap() = vec![call("sha256:other")];
    let other = page(&router, &batch).await;
    assert!(!other.contains(signed) && other.contains("not of this revision"), "other bytes are nobody's");
    assert!(page(&router, &state).await.contains("Some of these calls ran other bytes than this revision"));
    memory.calls.lock().unwrap().clear();
    let none = page(&router, &state).await;
    assert!(none.contains("No call of this state is known") && none.contains("The log has more about this batch"));
    assert!(page(&router, "/console/pins").await.contains("signed by <strong>release</strong>"));
}

#[tokio::test]
async fn a_batch_is_run_again_with_a_changed_input_and_stopped() {
    let memory = one_batch();
    memory.add("running", ExecutionStatus::Running, input(), None, Vec::new());
    let (router, token) = console(&memory, true);
    assert!(page(&router, &format!("/console/batch/{NAME}/again")).await.contains("walk.mp4"));
    let refused = post(&router, &format!("/console/batch/{NAME}/again"), &token, &[("input", "{\"assets\": 1}")]).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(text(refused).await.contains("the input is not a batch"));
    assert!(memory.started.lock().unwrap().is_empty());
    let changed = json!({"listingId": 51, "assets": ["51/raw/photo/horizontal/2026-01-02/hall.jpg"]}).to_string();
    let started = post(&router, &format!("/console/batch/{NAME}/again"), &token, &[("input", &changed)]).await;
    assert_eq!(started.status(), StatusCode::SEE_OTHER);
    let (name, input) = memory.started.lock().unwrap()[0].clone();
    assert!(started.headers()["location"].to_str().unwrap().ends_with(&name));
    assert!(name.starts_with(NAME) && input["assets"].as_array().unwrap().len() == 1);
    let stopped = post(&router, "/console/batch/running/stop", &token, &[]).await;
    assert_eq!(stopped.status(), StatusCode::SEE_OTHER);
    assert!(memory.stopped.lock().unwrap()[0].ends_with(":running"));
}

#[tokio::test]
async fn news_arrive_when_the_list_changes() {
    let memory = one_batch();
    let (router, _) = console(&memory, false);
    let request = Request::get("/console/live").header("host", "localhost").body(Body::empty()).unwrap();
    let response = send(&router, request).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.into_body().into_data_stream();
    let mut next = async || String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(next().await.contains("event: ready"));
    memory.add("new", ExecutionStatus::Running, input(), None, Vec::new());
    let change = tokio::time::timeout(Duration::from_secs(10), next()).await.unwrap();
    assert!(change.contains("event: change"), "{change}");
}

#[tokio::test]
async fn files_are_stored_and_become_a_batch() {
    let memory = Arc::new(Memory::default());
    let (router, token) = console(&memory, true);
    let send_file = async |listing: &str, path: &str| {
        let request = Request::put(format!("/console/upload?listing={listing}&path={path}"))
            .header("host", "localhost")
            .header("x-stagehost-token", &token)
            .body(Body::from("a photo"))
            .unwrap();
        send(&router, request).await
    };
    let stored = send_file("51", "bath/one.jpg").await;
    assert_eq!(stored.status(), StatusCode::OK);
    let answer: Value = serde_json::from_str(&text(stored).await).unwrap();
    assert_eq!(answer["stored"], "new");
    let key = answer["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("51/raw/photo/horizontal/20") && key.ends_with("/bath-one.jpg"), "{key}");
    assert_eq!(memory.objects.lock().unwrap()[&key], (Some("image/jpeg".into()), b"a photo".to_vec()));
    let again: Value = serde_json::from_str(&text(send_file("51", "bath/one.jpg").await).await).unwrap();
    assert_eq!((&again["stored"], &again["key"]), (&json!("same"), &json!(key)), "nothing is stored twice");
    memory.objects.lock().unwrap().insert(key.clone(), (Some("image/jpeg".into()), b"another".to_vec()));
    let other: Value = serde_json::from_str(&text(send_file("51", "bath/one.jpg").await).await).unwrap();
    assert_eq!(other["stored"], "renamed");
    assert!(other["key"].as_str().unwrap().ends_with("/bath-one-2.jpg"), "{other}");
    assert_eq!(memory.objects.lock().unwrap()[&key].1, b"another", "nothing is replaced");
    assert_eq!(send_file("..", "one.jpg").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(send_file("51", "%2E%2E").await.status(), StatusCode::BAD_REQUEST);
    let start = async |body: Value| {
        let request = Request::post("/console/upload/batch")
            .header("host", "localhost")
            .header("x-stagehost-token", &token)
            .body(Body::from(body.to_string()))
            .unwrap();
        send(&router, request).await
    };
    let foreign = start(json!({"listing": "51", "keys": ["52/raw/photo/horizontal/x.jpg"]})).await;
    assert_eq!(foreign.status(), StatusCode::BAD_REQUEST);
    let started = start(json!({"listing": "51", "keys": [key]})).await;
    assert_eq!(text(started).await, r#"{"page":"/console/batch/uploaded"}"#);
    let (listing, document) = memory.started.lock().unwrap()[0].clone();
    assert_eq!((listing.as_str(), &document["listingId"]), ("51", &json!(51)));
    assert!(stagehost_batch::parse(&document).is_ok());
}

#[tokio::test]
async fn a_stage_is_tried_with_a_file_that_the_first_state_has_checked() {
    let memory = Arc::new(Memory::default());
    let (router, token) = console(&memory, true);
    assert!(page(&router, "/console/playground").await.contains("GenerateThumbnails"));
    let key = "51/raw/photo/horizontal/2026-01-02/hall.jpg";
    let fields = [("state", "GenerateThumbnails"), ("key", key)];
    let tried = text(post(&router, "/console/playground", &token, &fields).await).await;
    assert!(tried.contains("Result, after") && tried.contains("hall_320x240.jpg"), "{tried}");
    let called = memory.started.lock().unwrap().clone();
    assert_eq!(
        called.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(),
        ["ValidateRawAssets", "GenerateThumbnails"]
    );
    assert!(called[1].1["execution"]["name"].as_str().unwrap().starts_with("playground-"));
    let trapped = [("state", "ValidateRawAssets"), ("key", "13/raw/photo/horizontal/2026-01-02/hall.jpg")];
    assert!(
        text(post(&router, "/console/playground", &token, &trapped).await).await.contains("Stage.Trapped: unreachable")
    );
    for (state, key) in [("FinalizeAndCallback", key), ("ValidateRawAssets", "../secret")] {
        let refused = post(&router, "/console/playground", &token, &[("state", state), ("key", key)]).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{state} {key}");
    }
}

#[tokio::test]
async fn a_job_among_the_dead_letters_is_started_again_and_other_messages_are_not() {
    let memory = Arc::new(Memory::default());
    let letter = |id: &str, body: &str| DeadLetter { id: id.into(), at: Some("2026-01-01".into()), body: body.into() };
    memory.letters.lock().unwrap().extend([letter("job", &input().to_string()), letter("noise", "no json <b>")]);
    let (router, token) = console(&memory, true);
    let letters = page(&router, "/console/dead-letters").await;
    assert!(letters.contains("A job that was not started") && letters.contains("A message that is not JSON"));
    assert_eq!(letters.matches("Start the job again").count(), 1);
    let sent = post(&router, "/console/dead-letters/send", &token, &[("id", "job")]).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    assert_eq!(memory.started.lock().unwrap()[0].1, input());
    assert_eq!(
        post(&router, "/console/dead-letters/send", &token, &[("id", "noise")]).await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn more_dead_letters_are_looked_at_when_asked() {
    let memory = Arc::new(Memory::default());
    let letters = (0..130).map(|id| DeadLetter { id: id.to_string(), at: None, body: format!("letter {id}.") });
    memory.letters.lock().unwrap().extend(letters);
    let (router, _) = console(&memory, false);
    let first = page(&router, "/console/dead-letters").await;
    assert!(first.contains("letter 19.") && !first.contains("letter 20.") && first.contains("Look at up to 100"));
    let more = page(&router, "/console/dead-letters?look=100").await;
    assert!(more.contains("letter 99.") && !more.contains("letter 100.") && more.contains("Look at up to 500"));
    let all = page(&router, "/console/dead-letters?look=500").await;
    assert!(all.contains("letter 129.") && !all.contains("There may be more"));
    assert!(!page(&router, "/console/dead-letters?look=999999").await.contains("Look at up to"));
}

#[tokio::test]
async fn a_change_of_pins_is_checked_first_and_needs_a_name_and_a_reason() {
    let memory = Arc::new(Memory::default());
    let digest = format!("sha256:{}", "1".repeat(64));
    let pins = json!({"revision": 7, "environment": "staging", "states": {"GenerateThumbnails": {"stage": "thumbnails", "version": "1.4.0", "world": "thumbnails", "digest": digest}}});
    *memory.pins.lock().unwrap() = Some(serde_json::from_value(pins).unwrap());
    let (router, token) = console(&memory, true);
    let shown = page(&router, "/console/pins").await;
    for part in ["revision 7", "in force", "thumbnails", "1.4.0", "Set a version", "staging"] {
        assert!(shown.contains(part), "{part} is missing");
    }
    let form = page(&router, "/console/pins/change?kind=canary&state=GenerateThumbnails").await;
    assert!(form.contains("name=\"percent\"") && !form.contains("name=\"why\""));
    let mut fields = vec![("kind", "canary"), ("state", "GenerateThumbnails"), ("version", "1.5.0"), ("percent", "5")];
    let checked = text(post(&router, "/console/pins/change", &token, &fields).await).await;
    assert!(checked.contains("it is signed") && checked.contains("name=\"why\""));
    fields.push(("step", "make"));
    let nameless = text(post(&router, "/console/pins/change", &token, &fields).await).await;
    assert!(nameless.contains("give your name and the reason"));
    fields.extend([("by", "Ana"), ("why", "one in twenty")]);
    let made = text(post(&router, "/console/pins/change", &token, &fields).await).await;
    assert!(made.contains("Revision 8 is in force"), "{made}");
    let canary =
        PinsWish::Canary { state: "GenerateThumbnails".into(), version: "1.5.0".into(), percent: 5, abort_above: None };
    assert_eq!(*memory.wishes.lock().unwrap(), [(canary.clone(), false), (canary, true)]);
    for wrong in [("percent", "0"), ("percent", "100"), ("percent", "x"), ("version", "")] {
        let fields: Vec<_> = fields.iter().map(|field| if field.0 == wrong.0 { wrong } else { *field }).collect();
        let refused = text(post(&router, "/console/pins/change", &token, &fields).await).await;
        assert!(refused.contains("role=\"alert\""), "{wrong:?}");
    }
    assert_eq!(memory.wishes.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_shadow_that_differs_is_seen_beside_the_pinned_stage() {
    let memory = Arc::new(Memory::default());
    let pin = |version: &str| json!({"stage": "thumbnails", "version": version, "world": "thumbnails", "digest": format!("sha256:{}", "1".repeat(64))});
    let pins = json!({"revision": 7, "environment": "staging", "states": {"GenerateThumbnails": pin("1.4.0")},
        "shadows": {"GenerateThumbnails": {"pin": pin("1.5.0"), "percent": 20}}});
    *memory.pins.lock().unwrap() = Some(serde_json::from_value(pins).unwrap());
    let (router, _) = console(&memory, false);
    let shown = page(&router, "/console/pins").await;
    for part in [
        "40 runs of GenerateThumbnails",
        "<img src=\"/console/media/51/thumb/photo/horizontal/2026-01-02/hall_320x240.jpg\" alt=\"hall_320x240.jpg by the pinned stage\"",
        "<img src=\"/console/media/pipeline/shadow/GenerateThumbnails/0123456789ab/pictures/77.jpg\" alt=\"hall_320x240.jpg by the shadow\"",
        "20 kB",
        "object: &lt;b&gt;was&lt;/b&gt; 1 and is 2 bytes",
        "/console/batch/a%20batch%20%3Cb%3E",
    ] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_on_a_page() {
    let (router, _) = console(&Arc::new(Memory::default()), false);
    for path in [
        "/console/batch/none",
        "/console/nowhere",
        "/console/batch/a%20b",
        "/console/media/none.jpg",
        "/console/pins",
        "/console/upload",
    ] {
        let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
        let response = send(&router, request).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(text(response).await.contains("Not found"), "{path}");
    }
}
