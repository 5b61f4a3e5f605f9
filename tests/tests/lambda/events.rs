//! Every kind of event, and payloads that are no event.

use std::time::Duration;

use serde_json::{Value, json};
use stagehost_states::NewMachine;
use stagehost_tests::file;
use stagehost_tests::package::{ACCOUNT, state};
use stagehost_tests::runtime_api::Deadline;

use crate::surroundings::{Host, started};

#[tokio::test]
async fn a_health_event_is_answered() {
    started().await.assert_healthy().await;
}

#[tokio::test]
async fn a_state_runs_the_stage_that_it_is_pinned_to() {
    let host = started().await;
    let photo = host.upload(51, "photo/horizontal", "front.jpg");
    let damaged = host.upload(51, "photo/horizontal", "kitchen-damaged.jpg");
    let batch = json!({"listingId": 51, "batchId": 5, "jobId": 4, "assets": [photo, damaged]});
    let answer = host.state("ValidateRawAssets", batch).await;
    assert_eq!((&answer["counts"]["valid"], &answer["counts"]["failed"]), (&json!(1), &json!(1)), "{answer:#}");
    assert_eq!(answer["assets"][0]["pixels"], json!({"width": 2400, "height": 1600}));
    assert_eq!(answer["assets"][1]["problem"]["code"], "Stage.Corrupt");
    assert_eq!(answer["execution"]["name"], "batch-1");

    let answer = host.state("GenerateThumbnails", answer).await;
    let renditions = answer["assets"][0]["renditions"].as_array().unwrap();
    assert_eq!(renditions.len(), 3);
    for rendition in renditions {
        assert!(host.object(rendition["key"].as_str().unwrap()).is_file(), "{rendition:#}");
    }
}

#[tokio::test]
async fn a_state_without_a_pin_is_refused_by_name() {
    let host = started().await;
    let error = host.invoke(&state("Reticulate", json!({"listingId": 51, "assets": []}))).await.unwrap_err();
    assert_eq!(error.error_type, "Host.NoPin");
    assert!(error.error_message.contains("Reticulate"), "{error}");
    host.assert_healthy().await;
}

#[tokio::test]
async fn a_batch_of_the_wrong_shape_is_invalid_input() {
    let host = started().await;
    let error = host.invoke(&state("ValidateRawAssets", json!({"assets": 7}))).await.unwrap_err();
    assert_eq!(error.error_type, "Stage.InvalidInput");
    host.assert_healthy().await;
}

#[tokio::test]
async fn an_event_of_a_job_without_a_ticket_changes_nothing() {
    let host = started().await;
    let event = json!({
        "source": "aws.mediaconvert",
        "detail-type": "MediaConvert Job State Change",
        "detail": {"jobId": "1767312000000-abcdef", "status": "COMPLETE", "userMetadata": {"ticket": "0".repeat(64)}},
    });
    let answer = host.invoke(&event).await.unwrap();
    assert_eq!(answer["job"], "1767312000000-abcdef");
    host.assert_healthy().await;
}

/// The way of a job on AWS: a message, an execution, five states, the callback.
#[tokio::test]
async fn a_message_of_the_queue_becomes_one_execution_that_ends_with_the_callback() {
    let host = started().await;
    host.serve_step_functions();
    create_machine(&host);
    let photo = host.upload(51, "photo/horizontal", "front.jpg");
    let document = host.upload(51, "project/doc", "description.pdf");
    let job = json!({"jobId": 4, "batchId": 5, "listingId": 51, "assets": [photo, document], "retry": 0});
    let record = |id: &str, body: &str| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
    // One message is delivered twice, one cannot be read.
    let records = [record("a", &job.to_string()), record("b", &job.to_string()), record("c", "{oops")];
    let answer = host.invoke(&json!({"Records": records})).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "c"}]}));

    let executions = host.aws.states().executions(None);
    assert_eq!(executions.len(), 1);
    let told = host.aws.receiver().wait_for(|_| true);
    let told = tokio::time::timeout(Duration::from_secs(240), told).await.unwrap();
    let body: Value = serde_json::from_str(&told.raw).unwrap();
    assert_eq!(body["status"], "SUCCEEDED", "{body:#}");
    assert_eq!((&body["jobId"], &body["assetsZipped"]), (&json!(4), &json!(5)), "{body:#}");
}

fn create_machine(host: &Host) {
    let machine = NewMachine {
        name: "listing-media-processing-sm-test".into(),
        definition: std::fs::read_to_string(file("statemachine/media-processing.asl.json")).unwrap(),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/test"),
        ..Default::default()
    };
    host.aws.states().create_state_machine(machine).unwrap();
}

#[tokio::test]
async fn what_is_not_an_event_is_refused_and_the_process_lives_on() {
    let host = started().await;
    let deep = "[".repeat(200_000);
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(5 << 20));
    let bodies: [&[u8]; 16] = [
        b"",
        b" ",
        b"{",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b"\"\\ud800\"",
        b"{\"state\":\"\xff\xfe\"}",
        b"\x00\x01\x02",
        br#"{"state":7}"#,
        br#"{"state":"ValidateRawAssets"}"#,
        br#"{"Records":[{"eventSource":"aws:s3"}]}"#,
        br#"{"source":"aws.mediaconvert"}"#,
        deep.as_bytes(),
        long.as_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let error = host.function.invoke_bytes(body.to_vec(), Deadline::USUAL).await.expect_err(&shown);
        assert_eq!(error.error_type, "Host.BadEvent", "{shown}: {error}");
        assert!(error.error_message.len() < 2000, "{shown}: the message quotes too much");
    }
    host.assert_healthy().await;
}

/// Step Functions accepts 256 KiB.
#[tokio::test]
async fn two_thousand_files_leave_in_a_payload_that_fits_and_come_back_whole() {
    let host = started().await;
    let key = |n: u32| format!("51/raw/photo/horizontal/2026-01-02/{}-{n}.jpg", "a-name-of-some-length".repeat(4));
    let keys: Vec<_> = (0..2_000).map(key).collect();
    let mut packed = host.state("ValidateRawAssets", json!({"listingId": 51, "jobId": 4, "assets": keys})).await;
    assert!(packed.to_string().len() < 100 * 1024, "{}", packed.to_string().len());
    assert_eq!((&packed["counts"]["assets"], &packed["counts"]["valid"]), (&json!(2_000), &json!(0)));
    assert_eq!(packed["assets"], serde_json::Value::Null, "the files are in the bucket");
    packed["error"] = json!({"Error": "Stage.Timeout", "Cause": "on purpose", "state": "CreateZipBundle"});
    let answer = host.state("CreateZipBundle", packed).await;
    assert_eq!(answer["counts"]["assets"], 2_000, "{answer:#}");
    assert_eq!(answer["counts"]["problems"], 1, "what a Catch put beside the head: {answer:#}");
}
