//! Text and files from outside stay text and files.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use super::memory::{Memory, console, finished, page, send, text, visited};
use crate::source::executions::ExecutionStatus;
use crate::source::journal::{DeadLetter, LoggedCall, SeenCallback};

const NAME: &str = "batch-1";
const EVIL: &str = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='alert(1)";

#[tokio::test]
async fn a_hostile_title_file_name_output_log_and_callback_stay_text() {
    let memory = Arc::new(Memory::default());
    let mut batch = finished(NAME);
    batch["assets"][0]["title"] = json!(EVIL);
    batch["assets"][1]["key"] = json!("51/raw/video/horizontal/2026-01-02/a\"><svg onload=alert(1)>.mp4");
    batch["assets"][2]["problem"] = json!({"state": "ValidateRawAssets", "code": "Stage.Corrupt", "message": EVIL});
    batch["problems"] = json!([{"state": EVIL, "code": EVIL, "message": EVIL}]);
    let mut events = visited(EVIL, &json!({"listingId": EVIL, "assets": []}), &batch);
    events[3].cause = Some(EVIL.into());
    memory.add(NAME, ExecutionStatus::Failed, json!({"listingId": EVIL, "assets": []}), None, events);
    {
        let mut executions = memory.executions.lock().unwrap();
        (executions[0].0.error, executions[0].0.cause) = (Some(EVIL.into()), Some(EVIL.into()));
    }
    memory.calls.lock().unwrap().push(LoggedCall {
        state: EVIL.into(),
        attempt: 0,
        key: Some(EVIL.into()),
        stage: EVIL.into(),
        version: EVIL.into(),
        digest: EVIL.into(),
        millis: f64::NAN,
        memory: u64::MAX,
        failure: Some(EVIL.into()),
        text: EVIL.into(),
    });
    memory.callbacks.lock().unwrap().push(SeenCallback {
        at: EVIL.into(),
        headers: vec![(EVIL.into(), EVIL.into())],
        body: EVIL.into(),
    });
    memory.letters.lock().unwrap().push(DeadLetter {
        id: EVIL.into(),
        at: Some(EVIL.into()),
        body: json!({"error": {"Error": EVIL}}).to_string(),
    });
    let (router, _) = console(&memory, true);
    let search = format!("/console?q={}", crate::html::format::encoded(EVIL));
    let change = format!("/console/pins/change?kind=set&state={}", crate::html::format::encoded(EVIL));
    let batch = format!("/console/batch/{NAME}");
    for path in [
        "/console",
        &search,
        &batch,
        &format!("{batch}/state/2"),
        &format!("{batch}/again"),
        "/console/dead-letters",
        &change,
    ] {
        let shown = page(&router, path).await;
        // The page has one script of its own, by address. What was sent is there as text, without a single tag.
        assert_eq!(shown.matches("<script").count(), 1, "{path}");
        assert!(!shown.contains("<img src=x") && !shown.contains("<svg onload"), "{path}");
        assert!(shown.contains("alert(1)"), "{path}: it is shown");
        for at in shown.match_indices("alert(1)").map(|(at, _)| at) {
            let tag = shown[..at].rfind('<').unwrap();
            let quoted = shown[tag..at].matches('"').count() % 2 == 1;
            let outside = shown[tag..at].contains('>');
            assert!(quoted || outside, "{path}: {}", &shown[tag..at + 8]);
        }
    }
}

#[tokio::test]
async fn no_file_of_the_bucket_is_a_page() {
    let memory = Arc::new(Memory::default());
    let page = b"<script>alert(1)</script>".to_vec();
    for (key, kind) in [
        ("51/a.html", "text/html"),
        ("51/a.svg", "image/svg+xml"),
        ("51/a.pdf", "application/pdf"),
        ("51/a\"\r\n.xhtml", "application/xhtml+xml"),
    ] {
        memory.objects.lock().unwrap().insert(key.into(), (Some(kind.into()), page.clone()));
        let (router, _) = console(&memory, false);
        let request =
            Request::get(crate::html::format::media_url(key)).header("host", "localhost").body(Body::empty()).unwrap();
        let response = send(&router, request).await;
        assert_eq!(response.status(), StatusCode::OK, "{key}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/octet-stream", "{key}");
        assert!(header("content-disposition").starts_with("attachment"), "{key}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{key}");
        assert!(header("content-security-policy").starts_with("sandbox;"), "{key}");
    }
}

#[tokio::test]
async fn a_picture_is_served_as_one_and_a_film_in_parts() {
    let memory = Arc::new(Memory::default());
    memory.objects.lock().unwrap().insert("51/a.mp4".into(), (Some("video/mp4".into()), b"0123456789".to_vec()));
    let (router, _) = console(&memory, false);
    let part = async |range: &str| {
        let request = Request::get("/console/media/51/a.mp4").header("host", "localhost").header("range", range);
        send(&router, request.body(Body::empty()).unwrap()).await
    };
    let beginning = part("bytes=0-3").await;
    assert_eq!(beginning.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(beginning.headers()["content-range"], "bytes 0-3/10");
    assert_eq!(beginning.headers()["content-type"], "video/mp4");
    assert!(beginning.headers()["content-security-policy"].to_str().unwrap().starts_with("sandbox;"));
    assert_eq!(text(beginning).await, "0123");
    assert_eq!(part("bytes=90-").await.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let known = Request::get("/console/media/51/a.mp4").header("host", "localhost").header("if-none-match", "\"e\"");
    let unchanged = send(&router, known.body(Body::empty()).unwrap()).await;
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(unchanged.headers()["etag"], "\"e\"");
    assert_eq!(unchanged.headers()["cache-control"], "private, no-cache");
    assert_eq!(unchanged.headers()["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(text(unchanged).await, "");
}
