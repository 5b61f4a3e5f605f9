//! Batches serialise to the published schema. The published schema of the callback accepts what the contract allows and
//! nothing else.
#![allow(clippy::unwrap_used)]

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary::batch;
use crate::{Batch, parse};

const BATCH: &str = include_str!("../../../statemachine/schemas/batch.schema.json");
const CALLBACK: &str = include_str!("../../../statemachine/schemas/callback.schema.json");

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

fn faults_under(schema: &str, document: &Value) -> Vec<String> {
    let line = |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    validator(schema).iter_errors(document).map(line).collect()
}

fn faults(document: &Value) -> Vec<String> {
    faults_under(BATCH, document)
}

#[test]
fn the_callback_schema_allows_the_contract_and_nothing_else() {
    let good = json!({
        "executionArn": "arn:aws:states:eu-west-1:000000000000:execution:m:e", "startedAt": "2025-11-27T10:00:00.123Z",
        "jobId": 4, "listingIdentityId": 51, "status": "PARTIAL_SUCCESS", "provider": "STEP_FUNCTIONS",
        "outputs": [
            {"rawKey": "51/raw/photo/vertical/a.jpg", "outputs": {"320x240": "51/thumb/photo/vertical/a_320x240.jpg"}},
            {"rawKey": "b", "outputs": {}, "errorCode": "Stage.Corrupt", "errorMessage": "no picture"}
        ],
        "assetsZipped": 1, "zipBundles": ["51/zip/job-4/complete.zip"], "zipSizeBytes": 2, "unzippedSizeBytes": 1,
        "files": {"contact-sheet": "51/processed/sheet.jpg"}, "attributes": {"rooms": "5"},
        "failureReason": "1 of 2 files failed",
        "error": {"code": "Stage.Corrupt", "message": "no picture", "details": [
            {"key": "b", "code": "Stage.Corrupt", "message": "no picture", "state": "ValidateRawAssets"}
        ]}
    });
    assert_eq!(faults_under(CALLBACK, &good), Vec::<String>::new());
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        document
    };
    for bad in [
        with("surprise", json!(1)),
        with("jobId", json!(null)),
        with("listingId", json!(51)),
        with("status", json!("DONE")),
        // A failed file in a success.
        with("status", json!("SUCCEEDED")),
        with("outputs", json!([{"rawKey": "", "outputs": {}}])),
        with("outputs", json!([{"rawKey": "b", "outputs": {}, "errorCode": "Stage.Corrupt"}])),
        with("zipBundles", json!({})),
        with("attributes", json!({"two words": "x"})),
        with("files", json!(["51/processed/sheet.jpg"])),
        with("error", json!({"code": "c", "message": "m"})),
    ] {
        assert!(!faults_under(CALLBACK, &bad).is_empty(), "{bad}");
    }
}

#[test]
fn a_lenient_input_is_written_in_the_published_shape() {
    let batch = parse(&json!({
        "jobId": "x", "batchId": 5, "listingIdentityId": 51, "retry": "1",
        "assets": [
            "51/raw/photo/vertical/2025-11-27/photo-001.jpg",
            {"key": "..", "type": "WHAT", "size": -1, "checksum": "none"}
        ],
        "error": {"Error": "States.Timeout", "Cause": ""}
    }))
    .unwrap();
    assert_eq!(faults(&serde_json::to_value(&batch).unwrap()), Vec::<String>::new());
}

#[test]
fn the_schema_is_strict() {
    let good = json!({
        "listingId": 51, "retry": 0, "assets": [], "bundles": [], "problems": [],
        "counts": {"assets": 0, "valid": 0, "failed": 0, "videos": 0, "problems": 0}
    });
    assert_eq!(faults(&good), Vec::<String>::new());
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        document
    };
    for bad in [
        with("surprise", json!(1)),
        with("listingIdentityId", json!(51)),
        with("jobId", json!(-1)),
        with("jobId", json!("")),
        with("retry", json!("0")),
        with("counts", json!({})),
        with("assets", json!(["51/raw/photo/vertical/a.jpg"])),
        with("traceparent", json!("none")),
    ] {
        assert!(!faults(&bad).is_empty(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_batch_follows_the_schema_and_is_read_back_unchanged(batch in batch()) {
        let text = serde_json::to_string(&batch).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(faults(&document), Vec::<String>::new());
        prop_assert_eq!(serde_json::from_value::<Batch>(document).unwrap(), batch);
    }

    #[test]
    fn counts_are_computed_when_a_batch_is_written(mut batch in batch()) {
        batch.recount();
        let right = serde_json::to_value(&batch).unwrap();
        batch.counts.valid = 77;
        prop_assert_eq!(serde_json::to_value(&batch).unwrap(), right.clone());
        let mut lying = right;
        lying["counts"]["valid"] = json!(77);
        batch.recount();
        prop_assert_eq!(serde_json::from_value::<Batch>(lying).unwrap(), batch);
    }
}
