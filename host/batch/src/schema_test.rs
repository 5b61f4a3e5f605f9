//! What is serialised here follows the schema that the project publishes.
#![allow(clippy::unwrap_used)]

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary::batch;
use crate::{Batch, parse};

fn schema() -> Validator {
    let text = include_str!("../../../statemachine/schemas/batch.schema.json");
    jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap()
}

fn faults(document: &Value) -> Vec<String> {
    let told = |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    schema().iter_errors(document).map(told).collect()
}

#[test]
fn every_lenient_input_comes_out_in_the_published_shape() {
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
    fn whatever_is_written_follows_the_schema_and_is_read_back_the_same(batch in batch()) {
        let text = serde_json::to_string(&batch).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(faults(&document), Vec::<String>::new());
        prop_assert_eq!(serde_json::from_value::<Batch>(document).unwrap(), batch);
    }

    #[test]
    fn counts_are_written_fresh_whatever_the_field_says(mut batch in batch()) {
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
