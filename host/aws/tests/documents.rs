#![allow(clippy::unwrap_used, missing_docs)]
//! Batches that are too large for Step Functions go through the bucket and come back unchanged.

mod support;

use serde_json::{Value, json};
use stagehost_aws::{AwsOptions, Clients, Documents, Endpoints};
use stagehost_batch::{Batch, Case, Rendition, parse};
use support::bucket::MemoryBucket;
use support::sdk_config;

/// Step Functions' limit for a payload, in bytes.
const PAYLOAD: usize = 256 * 1024;

async fn documents() -> (MemoryBucket, Documents) {
    let bucket = MemoryBucket::default();
    let endpoints = Endpoints { s3: Some(bucket.start().await), ..Endpoints::default() };
    let options = AwsOptions { bucket: "medias".into(), endpoints, ..AwsOptions::default() };
    (bucket, Clients::new(&sdk_config(), options).documents())
}

fn batch(files: usize, renditions: usize) -> Batch {
    let name = "a-rather-long-name-such-as-a-camera-or-a-photographer-gives-to-a-file".repeat(4);
    let key = |at: usize| format!("51/raw/photo/vertical/2025-11-27/{name}-{at}.jpg");
    let keys: Vec<_> = (0..files).map(key).collect();
    let mut batch = parse(&json!({"jobId": 4, "listingId": 51, "assets": keys})).unwrap();
    for asset in &mut batch.assets {
        asset.verified = true;
        asset.renditions = (0..renditions)
            .map(|at| Rendition {
                name: format!("{at}"),
                key: format!("51/thumb/photo/vertical/2025-11-27/{name}_{at}.jpg"),
                content_type: "image/jpeg".into(),
                pixels: None,
                bytes: 12_345,
                etag: "0123456789abcdef0123456789abcdef".into(),
                crc32: Some(7),
                reused: false,
            })
            .collect();
    }
    batch.recount();
    batch
}

#[tokio::test]
async fn a_document_that_fits_stays_unchanged() {
    let (bucket, documents) = documents().await;
    let batch = batch(10, 3);
    let packed = documents.pack(&batch).await.unwrap();
    assert_eq!(packed, serde_json::to_value(&batch).unwrap());
    assert_eq!(documents.unpack(packed.clone()).await.unwrap(), packed);
    assert!(bucket.keys("").is_empty());
}

#[tokio::test]
async fn large_batches_come_back_whole_and_two_of_their_heads_fit_into_a_payload() {
    for (files, renditions) in [(60, 8), (2_000, 0)] {
        let (bucket, documents) = documents().await;
        let batch = batch(files, renditions);
        let whole = serde_json::to_value(&batch).unwrap();
        assert!(whole.to_string().len() > 200 * 1024, "{}", whole.to_string().len());
        let packed = documents.pack(&batch).await.unwrap();
        assert_eq!(packed["counts"], whole["counts"], "Choice states read them");
        assert_eq!(bucket.keys("pipeline/documents/").len(), 1);
        let parallel = json!({"branches": [packed, packed], "error": {"Error": "Stage.Timeout"}});
        assert!(parallel.to_string().len() < PAYLOAD);
        let mut back = documents.unpack(parallel).await.unwrap();
        assert_eq!(back["branches"][0], whole);
        assert_eq!(back["branches"][1], whole);
        assert_eq!(back["error"].take()["Error"], "Stage.Timeout");
    }
}

#[tokio::test]
async fn fields_that_a_catch_adds_to_a_head_are_added_to_the_document() {
    let (_bucket, documents) = documents().await;
    let mut packed = documents.pack(&batch(60, 8)).await.unwrap();
    packed["error"] = json!({"Error": "Stage.Trapped", "Cause": "oops"});
    packed["counts"] = json!({"valid": 0});
    let back = documents.unpack(packed).await.unwrap();
    assert_eq!(back["error"]["Error"], "Stage.Trapped");
    assert_eq!(back["counts"]["valid"], 60, "the document's own fields take precedence");
}

#[tokio::test]
async fn a_head_without_its_document_is_refused() {
    let (bucket, documents) = documents().await;
    let absent = "0".repeat(64);
    bucket.put(Box::leak(format!("pipeline/documents/{absent}.json").into_boxed_str()), br#"{"listingId": 1}"#);
    let head = |spilled: Value| json!({"listingId": 51, "spilled": spilled});
    for (spilled, message) in [
        (json!({"sha256": "1".repeat(64), "bytes": 5}), "does not exist"),
        (json!({"sha256": absent, "bytes": 16}), "does not match its digest"),
        (json!({"sha256": "../../51/raw/secret", "bytes": 5}), "has no valid SHA-256"),
        (json!("pipeline/documents/x.json"), "is invalid"),
    ] {
        let failure = documents.unpack(head(spilled)).await.unwrap_err();
        assert_eq!(failure.case, Case::InvalidInput);
        assert!(failure.message.contains(message), "{}", failure.message);
    }
}

/// Returns a part of the published schema.
fn schema_of(name: &str) -> jsonschema::Validator {
    let text = include_str!("../../../statemachine/schemas/batch.schema.json");
    let whole: Value = serde_json::from_str(text).unwrap();
    let mut part = json!({"$schema": whole["$schema"], "$ref": format!("#/$defs/{name}")});
    // References point into the whole document.
    part["$defs"] = whole["$defs"].clone();
    part["properties"] = whole["properties"].clone();
    jsonschema::draft202012::new(&part).unwrap()
}

#[tokio::test]
async fn the_head_of_a_large_document_follows_the_published_schema() {
    let head = schema_of("head");
    let mut full = batch(60, 8);
    let extra = json!({
        "jobId": "j", "batchId": 5, "listingIdentityId": "51", "externalId": "x", "retry": 2, "assets": [],
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    });
    let mut named = parse(&extra).unwrap();
    named.assets = full.assets.clone();
    named.revision = Some(7);
    named.execution = Some(stagehost_batch::Execution {
        arn: "arn:aws:states:eu-west-1:000000000000:execution:m:e".into(),
        name: "e".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
    });
    named.recount();
    full.recount();
    for batch in [full, named] {
        let (bucket, documents) = documents().await;
        let packed = documents.pack(&batch).await.unwrap();
        let faults: Vec<_> =
            head.iter_errors(&packed).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(faults, Vec::<String>::new(), "{packed:#}");
        let sha256 = packed["spilled"]["sha256"].as_str().unwrap();
        assert_eq!(bucket.keys("pipeline/documents/"), [format!("pipeline/documents/{sha256}.json")]);

        let with = |change: &dyn Fn(&mut Value)| {
            let mut document = packed.clone();
            change(&mut document);
            document
        };
        for bad in [
            with(&|head| head["assets"] = json!([])),
            with(&|head| head["spilled"]["key"] = json!("51/raw/secret")),
            with(&|head| head["spilled"]["sha256"] = json!("../x")),
            with(&|head| drop(head.as_object_mut().unwrap().remove("counts"))),
            with(&|head| drop(head.as_object_mut().unwrap().remove("spilled"))),
        ] {
            assert!(!head.is_valid(&bad), "{bad}");
        }
    }
}
