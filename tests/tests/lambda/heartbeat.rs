//! A video whose job never reports: the state's heartbeat runs out, and the batch ends with everything else that was made.

use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use stagehost_states::NewMachine;
use stagehost_tests::file;
use stagehost_tests::package::{ACCOUNT, package};

use crate::surroundings::{Host, started_with};

const LIMIT_S: u32 = 2;

/// A MediaConvert that accepts every job and never reports.
async fn silent_transcoder() -> String {
    let take =
        || async { (StatusCode::CREATED, Json(json!({"job": {"id": "1767312000000-silent", "status": "SUBMITTED"}}))) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/2017-08-29/jobs", post(take))).await });
    format!("http://{address}")
}

/// Creates the shipped state machine with a short heartbeat of `ProcessVideos`.
fn create_machine(host: &Host) {
    let definition = std::fs::read_to_string(file("statemachine/media-processing.asl.json")).unwrap();
    let mut definition: Value = serde_json::from_str(&definition).unwrap();
    let video = definition.pointer_mut("/States/ParallelProcessing/Branches/1/States/ProcessVideos").unwrap();
    assert_eq!(video["HeartbeatSeconds"], 900);
    video["HeartbeatSeconds"] = LIMIT_S.into();
    let machine = NewMachine {
        name: "listing-media-processing-sm-test".into(),
        definition: definition.to_string(),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/test"),
        ..Default::default()
    };
    host.aws.states().create_state_machine(machine).unwrap();
}

#[tokio::test]
async fn a_job_without_heartbeats_ends_the_batch_with_everything_else_that_was_made() {
    let transcoder = silent_transcoder().await;
    let host = started_with(package().unwrap(), |_| {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/mediaconvert");
        vec![("AWS_ENDPOINT_URL_MEDIACONVERT", transcoder.clone()), ("MEDIACONVERT_ROLE", role)]
    })
    .await;
    host.serve_step_functions();
    create_machine(&host);
    let photo = host.upload(52, "photo/horizontal", "front.jpg");
    let video = host.upload(52, "video/horizontal", "walk-through.mp4");
    let job = json!({"jobId": 4, "batchId": 5, "listingId": 52, "assets": [photo, video]});
    let record = json!({"eventSource": "aws:sqs", "messageId": "a", "body": job.to_string()});
    assert_eq!(host.invoke(&json!({"Records": [record]})).await.unwrap(), json!({"batchItemFailures": []}));

    let told = host.aws.receiver().wait_for(|_| true);
    let told = tokio::time::timeout(Duration::from_secs(240), told).await.unwrap();
    let body: Value = serde_json::from_str(&told.raw).unwrap();
    // The heartbeat ended it: the state's own timeout is two hours. Step Functions names both the same.
    let ended = (&body["status"], &body["error"]["code"]);
    assert_eq!(ended, (&json!("TIMED_OUT"), &json!("States.Timeout")), "{body:#}");
    assert!(body["failureReason"].as_str().unwrap().contains("ProcessVideos"), "{body:#}");
    let outputs = body["outputs"].as_array().unwrap();
    let photo = outputs.iter().find(|output| output["rawKey"].as_str().unwrap().ends_with("front.jpg")).unwrap();
    assert_eq!(photo["outputs"].as_object().unwrap().len(), 3, "thumbnails of the branch beside it: {body:#}");
    host.assert_healthy().await;
}
