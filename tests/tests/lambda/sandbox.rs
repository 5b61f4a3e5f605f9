//! A stage that misbehaves on Lambda: the host answers in time and serves on.

use std::time::Duration;

use serde_json::json;
use stagehost_tests::guest;
use stagehost_tests::package::{package_with, state};
use stagehost_tests::runtime_api::Deadline;

use crate::surroundings::started_with;

#[tokio::test]
async fn a_stage_that_does_not_end_is_ended_before_lambda_ends_the_function() {
    let hostile = format!("ValidateRawAssets={}", guest("hostile").unwrap().display());
    let hostile = package_with("hostile", &["--stage", &hostile]).unwrap();
    let host = started_with(&hostile, |_| vec![]).await;
    let copies = ["loop", "sleep", "good"].map(|crime| {
        let key = format!("51/raw/photo/horizontal/2026-01-02/{crime}.jpg");
        let from = host.upload(51, "photo/horizontal", "front.jpg");
        std::fs::copy(host.object(&from), host.object(&key)).unwrap();
        key
    });
    let payload = state("ValidateRawAssets", json!({"listingId": 51, "assets": copies}));
    // The pin would let them go on for two minutes.
    for _ in 0..2 {
        let error = host.function.invoke(&payload, Deadline::In(Duration::from_secs(6))).await.unwrap_err();
        assert_eq!(error.error_type, "Stage.Timeout", "{error}\n{:#?}", host.function.lines());
        assert!(error.error_message.contains("2 of 3 files"), "{error}");
    }
    host.assert_healthy().await;
}
