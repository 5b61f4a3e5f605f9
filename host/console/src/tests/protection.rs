use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, StatusCode};

use super::memory::{Memory, console, send, text};

#[tokio::test]
async fn every_address_refuses_changes_without_the_token_and_all_changes_when_read_only() {
    for allow_changes in [false, true] {
        let (router, token) = console(&Arc::new(Memory::default()), allow_changes);
        for (method, path) in [
            (Method::POST, "/console/batch/a/stop"),
            (Method::POST, "/console/batch/a/again"),
            (Method::POST, "/console/batch/a/go-on"),
            (Method::POST, "/console/pins/change"),
            (Method::POST, "/console/playground"),
            (Method::POST, "/console/dead-letters/send"),
            (Method::PUT, "/console/upload?listing=1&path=a.jpg"),
            (Method::POST, "/console/upload/batch"),
            (Method::DELETE, "/console"),
        ] {
            let request = Request::builder().method(method).uri(path).header("host", "localhost");
            let request = if allow_changes { request } else { request.header("x-stagehost-token", &token) };
            let response = send(&router, request.body(Body::from("x")).unwrap()).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
            let expected = if allow_changes { "earlier session" } else { "read-only" };
            assert!(text(response).await.contains(expected), "{path}");
        }
    }
}

#[tokio::test]
async fn every_answer_forbids_foreign_scripts_frames_and_guessed_types() {
    let (router, _) = console(&Arc::new(Memory::default()), true);
    for path in ["/console", "/console/static/console.js", "/console/nowhere", "/console/media/none"] {
        let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
        let response = send(&router, request).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(response.headers()["cross-origin-resource-policy"], "same-origin", "{path}");
    }
}

#[tokio::test]
async fn a_refused_request_has_the_same_headers() {
    let (router, _) = console(&Arc::new(Memory::default()), true);
    let request = Request::get("/console").header("host", "evil.example").body(Body::empty()).unwrap();
    let response = send(&router, request).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.headers().contains_key("content-security-policy"));
}

#[test]
fn style_and_script_are_files_and_no_page_needs_others() {
    for text in [include_str!("../statics/console.css"), include_str!("../statics/console.js")] {
        assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("@import"));
    }
}
