#![allow(clippy::unwrap_used)]

mod faults;
mod ids;
mod shapes;
mod states;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Case, Id, MediaType, arbitrary};

const PHOTO: &str = "51/raw/photo/vertical/2025-11-27/photo-001.jpg";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Returns a batch of listing 51 with these files.
fn with_assets(assets: Value) -> Batch {
    parse(&json!({"listingId": 51, "assets": assets})).unwrap()
}

/// Returns the file that is read from this object. Its key defaults to a valid one.
fn asset(mut fields: Value) -> Asset {
    if fields.get("key").is_none() && fields.get("sourceKey").is_none() {
        fields["key"] = json!(PHOTO);
    }
    with_assets(json!([fields])).assets.remove(0)
}

/// Returns the message of a file's problem.
fn problem(asset: &Asset) -> &str {
    let problem = asset.problem.as_ref().expect("a problem");
    assert_eq!(problem.state, "ValidateRawAssets");
    assert_eq!(problem.code, "Stage.InvalidInput");
    &problem.message
}

fn execution() -> Execution {
    Execution {
        arn: "arn:aws:states:eu-west-1:000000000000:execution:machine:one".into(),
        name: "one".into(),
        started_at: "2025-11-27T10:00:00.123Z".into(),
    }
}

/// JSON with the contract's field names in wrong places.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!(PHOTO)),
        Just(json!(51)),
    ];
    let name = proptest::sample::select(vec![
        "listingId",
        "listingIdentityId",
        "batchId",
        "jobId",
        "externalId",
        "retry",
        "assets",
        "branches",
        "error",
        "Error",
        "Cause",
        "state",
        "key",
        "sourceKey",
        "type",
        "size",
        "checksum",
        "sequence",
        "problem",
        "execution",
        "verified",
        "traceparent",
    ]);
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..8)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_the_readers_panic(mut body in any_json(), listed in any::<bool>()) {
        if listed && let Some(object) = body.as_object_mut() {
            object.insert("listingId".into(), json!(51));
            object.entry("assets").or_insert_with(|| json!([PHOTO]));
        }
        let _ = resume(&body, &execution());
        if let Ok(batch) = parse(&body) {
            prop_assert!(batch.assets.iter().all(|asset| !asset.verified && asset.renditions.is_empty()));
            let again = parse(&serde_json::to_value(&batch).unwrap()).unwrap();
            prop_assert_eq!(again.assets, batch.assets);
        }
    }

    #[test]
    fn any_checksum_text_is_a_digest_or_a_problem(text in ".*") {
        let asset = asset(json!({"checksum": text}));
        prop_assert_eq!(asset.sha256.is_none(), asset.problem.is_some());
    }

    #[test]
    fn a_document_is_resumed_unchanged(mut batch in arbitrary::batch()) {
        batch.execution = Some(execution());
        let document = serde_json::to_value(&batch).unwrap();
        prop_assert_eq!(resume(&document, &execution()).unwrap(), batch);
    }
}
