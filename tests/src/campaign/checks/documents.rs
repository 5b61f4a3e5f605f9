//! What the backend was told, and the document behind it, agree with the bucket.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stagehost_asl::{Detail, Execution};
use stagehost_local::receiver::CallbackBody;

use super::Findings;
use crate::campaign::world::{Stored, World};

type Objects = BTreeMap<String, Stored>;

pub(super) fn check(world: &World, objects: &Objects, retry: u32, findings: &mut Findings) {
    for arrival in world.shared.plan.arrivals() {
        for execution in world.execution(*arrival, retry) {
            let what = format!("job {} (retry {retry})", arrival.job);
            for callback in world.callbacks(&execution) {
                told(&what, &callback.body, objects, findings);
            }
            if let Some(batch) = last_document(&execution) {
                document(&what, &batch, objects, findings);
            }
        }
    }
}

/// Every key in a callback exists, and its sums are those of the bucket.
fn told(what: &str, body: &CallbackBody, objects: &Objects, findings: &mut Findings) {
    let named = |key: &String, role: &str, findings: &mut Findings| {
        if !objects.contains_key(key) {
            findings.wrong(format!("{what}: the callback names {key} as {role}, which does not exist"));
        }
    };
    for output in &body.outputs {
        for (name, key) in &output.outputs {
            named(key, &format!("the rendition {name} of {}", output.raw_key), findings);
        }
        for key in [&output.processed_key, &output.thumbnail_key].into_iter().flatten() {
            named(key, &format!("an output of {}", output.raw_key), findings);
        }
    }
    for key in &body.zip_bundles {
        named(key, "an archive", findings);
    }
    let stored: usize =
        body.zip_bundles.iter().filter_map(|key| objects.get(key)).map(|stored| stored.bytes.len()).sum();
    if stored as u64 != body.zip_size_bytes {
        let bytes = body.zip_size_bytes;
        findings.wrong(format!("{what}: the callback says that the archives have {bytes} bytes; they have {stored}"));
    }
}

/// Returns the last batch document that a state of the execution returned.
fn last_document(execution: &Execution) -> Option<Value> {
    let documents = execution.history().into_iter().rev().filter_map(|event| match &event.detail {
        Detail::StateExited { output, .. } => Some(output.value()),
        _ => None,
    });
    documents.into_iter().find(|output| output["assets"].is_array())
}

/// Size, entity tag and digest in a document are those of the objects.
fn document(what: &str, batch: &Value, objects: &Objects, findings: &mut Findings) {
    let assets = batch["assets"].as_array().into_iter().flatten();
    for asset in assets.filter(|asset| asset["verified"] == true) {
        described(what, asset, objects, findings);
        for rendition in asset["renditions"].as_array().into_iter().flatten() {
            described(what, rendition, objects, findings);
        }
    }
    for bundle in batch["bundles"].as_array().into_iter().flatten() {
        described(what, bundle, objects, findings);
    }
}

fn described(what: &str, described: &Value, objects: &Objects, findings: &mut Findings) {
    let key = described["key"].as_str().unwrap_or_default();
    let Some(stored) = objects.get(key) else {
        findings.wrong(format!("{what}: the document names {key}, which does not exist"));
        return;
    };
    let mut differs = |field: &str, actual: Value| {
        if !described[field].is_null() && described[field] != actual {
            let said = &described[field];
            findings.wrong(format!("{what}: the document says that {field} of {key} is {said}; it is {actual}"));
        }
    };
    differs("bytes", Value::from(stored.bytes.len()));
    differs("etag", Value::from(stored.etag.as_str()));
    if described.get("sha256").is_some() {
        differs("sha256", Value::from(hex::encode(Sha256::digest(&stored.bytes))));
    }
}
