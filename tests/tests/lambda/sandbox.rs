//! A stage that misbehaves on Lambda: the host answers in time and goes on.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use stagehost_tests::guest;
use stagehost_tests::package::{Package, package_with, state};
use stagehost_tests::runtime_api::Deadline;

use crate::surroundings::{Host, started_with};

/// Returns a package in which the hostile stage replaces the first one.
fn hostile() -> &'static Package {
    static MADE: OnceLock<Package> = OnceLock::new();
    MADE.get_or_init(|| {
        let stage = format!("ValidateRawAssets={}", guest("hostile").unwrap().display());
        package_with("hostile", &["--stage", &stage]).unwrap()
    })
}

/// Returns a batch of photos whose names tell the hostile stage what to do.
fn batch(host: &Host, listing: u32, crimes: &[&str]) -> Value {
    let copies = crimes.iter().map(|crime| {
        let key = format!("{listing}/raw/photo/horizontal/2026-01-02/{crime}.jpg");
        let from = host.upload(listing, "photo/horizontal", "front.jpg");
        std::fs::copy(host.object(&from), host.object(&key)).unwrap();
        key
    });
    json!({"listingId": listing, "assets": copies.collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_stage_that_does_not_end_is_ended_before_lambda_ends_the_function() {
    let host = started_with(hostile(), |_| vec![]).await;
    let payload = state("ValidateRawAssets", batch(&host, 51, &["loop", "sleep", "good"]));
    // The pin's deadline is two minutes.
    for _ in 0..2 {
        let error = host.function.invoke(&payload, Deadline::In(Duration::from_secs(6))).await.unwrap_err();
        assert_eq!(error.error_type, "Stage.Timeout", "{error}\n{:#?}", host.function.lines());
        assert!(error.error_message.contains("2 of 3 files"), "{error}");
    }
    host.assert_healthy().await;
}

#[tokio::test]
async fn a_stage_gets_a_quarter_of_a_small_functions_memory_and_the_function_lives_on() {
    let host = started_with(hostile(), |_| vec![("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned())]).await;
    for _ in 0..2 {
        let answer = host.state("ValidateRawAssets", batch(&host, 51, &["memory", "good"])).await;
        let problem = &answer["assets"][0]["problem"];
        assert_eq!(problem["code"], "Stage.OutOfMemory", "{answer:#}");
        assert!(problem["message"].as_str().unwrap().contains("32 MiB"), "a quarter of the function's: {problem}");
        assert_eq!(answer["assets"][1]["problem"], Value::Null, "{answer:#}");
    }
    host.assert_healthy().await;
}

#[tokio::test]
async fn every_call_gets_a_new_instance_without_memory_of_earlier_calls() {
    let host = started_with(hostile(), |_| vec![]).await;
    for listing in [51, 52, 51, 52] {
        let answer = host.state("ValidateRawAssets", batch(&host, listing, &["memory-of-others"])).await;
        assert_eq!(answer["assets"][0]["title"], "calls before in this instance: 0", "{answer:#}");
    }
}
