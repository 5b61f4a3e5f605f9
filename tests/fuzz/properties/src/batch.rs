//! The batch document: messages of the queue, inputs of executions, files for `run`.

use std::collections::HashSet;

use serde_json::Value;
use stagehost_batch::{
    Area, Asset, Attributes, Batch, Counts, Execution, KeyParts, bundle_key, derive_key_in, merge_branches,
    parse_with_attributes, resume,
};

use crate::parts;

/// Any document is read or refused with its place. What is read has a lawful name, lawful keys and right counts, claims
/// nothing that only a stage can know, and is the same when it is written and read again. After `---` on a line of its own,
/// the bytes may have the attributes of a message, `Name: value` on each line.
pub fn check(bytes: &[u8]) {
    let Some((body, attributes)) = parts(bytes) else { return };
    let Ok(body) = serde_json::from_str::<Value>(body) else { return };
    let attributes: Attributes = attributes.lines().filter_map(|line| line.split_once(':')).collect();
    let batch = match parse_with_attributes(&body, &attributes) {
        Ok(batch) => batch,
        Err(error) => {
            let path = error.path();
            assert!(path.starts_with('$') || path.starts_with("attributes."), "an error at {path:?}");
            assert!(error.to_string().len() < 4_000, "a message of {} bytes", error.to_string().len());
            return;
        }
    };
    claims_nothing(&batch);
    names_are_lawful(&batch);
    assert_eq!(batch.counts, Counts::of(&batch));
    reads_itself(&batch);
    no_stamp_is_no_trust(&body, &attributes, &batch);
    match merge_branches(vec![batch.clone(), batch.clone()]) {
        Ok(merged) => assert_eq!(merged, batch, "merged with itself"),
        Err(error) => panic!("it cannot be merged with itself: {error}"),
    }
}

fn claims_nothing(batch: &Batch) {
    assert!(batch.execution.is_none() && batch.revision.is_none() && batch.bundles.is_empty());
    for asset in &batch.assets {
        let found = (asset.crc32, asset.pixels, asset.orientation, asset.duration_ms, asset.has_audio);
        assert_eq!(found, (None, None, None, None, None), "{asset:?}");
        assert!(!asset.verified && asset.renditions.is_empty(), "{asset:?}");
    }
}

fn is_clean(key: &str) -> bool {
    key.len() <= 1024
        && !key.contains(char::is_control)
        && !key.contains('\\')
        && key.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

fn names_are_lawful(batch: &Batch) {
    let name = batch.execution_name();
    assert!((1..=80).contains(&name.len()), "{name}");
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')), "{name}");
    match bundle_key(batch, "complete") {
        Ok(key) => assert!(is_clean(&key), "{key}"),
        Err(error) => panic!("the archives have no key: {error}"),
    }
    let (mut keys, mut derived) = (HashSet::new(), HashSet::new());
    for asset in &batch.assets {
        assert!(!asset.key.is_empty() && keys.insert(&asset.key), "{} twice", asset.key);
        if asset.problem.is_none() {
            is_an_upload(asset, batch);
            if let Ok(key) = derive_key_in(batch, &asset.key, Area::Thumb, "320x240", "jpg") {
                assert!(is_clean(&key) && derived.insert(key), "{} shares its renditions", asset.key);
            }
        }
    }
}

fn is_an_upload(asset: &Asset, batch: &Batch) {
    match KeyParts::parse(&asset.key) {
        Ok(parts) => {
            assert_eq!((parts.area, parts.media_type), (Area::Raw, asset.media_type), "{}", asset.key);
            assert_eq!(parts.listing, batch.listing.id.to_string());
        }
        Err(error) => panic!("a file without a problem: {error}"),
    }
    let digest = asset.sha256.as_deref().unwrap_or("0");
    assert!(digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{digest}");
}

/// A queue message that is sent on, or the input of a retried execution, is read a second time.
fn reads_itself(batch: &Batch) {
    let written = match serde_json::to_value(batch) {
        Ok(written) => written,
        Err(error) => panic!("not written: {error}"),
    };
    let mut expected = batch.clone();
    // A failure of a whole state is not for an uploader to claim.
    expected.problems.clear();
    expected.recount();
    match stagehost_batch::parse(&written) {
        Ok(again) => assert_eq!(again, expected, "read again"),
        Err(error) => panic!("what was written is refused: {error}"),
    }
    match serde_json::from_value::<Batch>(written) {
        Ok(again) => assert_eq!(again, *batch, "as a document of the host"),
        Err(error) => panic!("no document of the host: {error}"),
    }
}

/// A document without the stamp of this execution is read like one from outside.
fn no_stamp_is_no_trust(body: &Value, attributes: &Attributes, batch: &Batch) {
    if *attributes != Attributes::default() {
        return;
    }
    let execution = Execution {
        arn: "arn:aws:states:eu-west-1:000000000000:execution:machine:not-in-any-corpus".into(),
        name: "not-in-any-corpus".into(),
        started_at: "2025-11-27T10:00:00.123Z".into(),
    };
    match resume(body, &execution) {
        Ok(mut resumed) => {
            assert_eq!(resumed.execution.take(), Some(execution.clone()));
            assert_eq!(resumed, *batch, "resumed without a stamp");
        }
        Err(error) => panic!("parsed but not resumed: {error}"),
    }
    let stamped = Batch { execution: Some(execution.clone()), ..batch.clone() };
    let again = serde_json::to_value(&stamped).map_err(|error| error.to_string());
    let again = again.and_then(|document| resume(&document, &execution).map_err(|error| error.to_string()));
    assert_eq!(again.as_ref(), Ok(&stamped), "resumed with its stamp");
}
