//! What is taken over from the document of an earlier state, and how branches and errors are read.

use super::*;

fn finished() -> Value {
    json!({
        "listingId": 51, "retry": 0, "revision": 7,
        "execution": {"arn": execution().arn, "name": "one", "startedAt": execution().started_at},
        "assets": [{
            "key": PHOTO, "type": "PHOTO_VERTICAL", "verified": true, "bytes": 7, "crc32": 1, "orientation": 6,
            "pixels": {"width": 3, "height": 4},
            "renditions": [{
                "name": "320x240", "key": "99/raw/photo/vertical/private.jpg", "contentType": "image/jpeg",
                "bytes": 1, "etag": "e", "reused": false
            }],
            "problem": {"state": "GenerateThumbnails", "code": "Stage.Corrupt", "message": "m"}
        }],
        "bundles": [{"name": "complete", "key": "k", "bytes": 1, "entries": 1, "unpackedBytes": 1, "reused": false}],
        "problems": [{"state": "CreateZipBundle", "code": "Stage.Internal", "message": "m"}],
        "counts": {"assets": 9, "valid": 9, "failed": 9, "videos": 9, "problems": 9}
    })
}

#[test]
fn results_of_stages_are_ignored_in_documents_from_outside() {
    let batch = parse(&finished()).unwrap();
    let mut expected = with_assets(json!([{"key": PHOTO, "bytes": 7}]));
    expected.recount();
    assert_eq!(batch, expected);
    assert_eq!(batch.counts.valid, 0);
}

#[test]
fn a_document_of_the_same_execution_is_taken_over_completely() {
    let batch = resume(&finished(), &execution()).unwrap();
    assert!(batch.assets[0].verified);
    assert_eq!(batch.assets[0].renditions.len(), 1);
    assert_eq!((batch.bundles.len(), batch.problems.len()), (1, 1));
    assert_eq!(batch.revision, Some(7));
    assert_eq!(batch.counts.failed, 1, "counts are never read");
}

#[test]
fn the_stamp_of_another_execution_or_start_does_not_count() {
    for other in [
        Execution { arn: "other".into(), ..execution() },
        Execution { started_at: "2025-11-27T10:00:00.124Z".into(), ..execution() },
    ] {
        let batch = resume(&finished(), &other).unwrap();
        assert!(!batch.assets[0].verified);
        assert!(batch.assets[0].renditions.is_empty());
        assert_eq!(batch.execution, Some(other));
    }
}

#[test]
fn the_first_state_reads_any_shape_and_leaves_the_stamp() {
    let batch = resume(&json!({"listingId": 51, "assets": [PHOTO]}), &execution()).unwrap();
    let again = resume(&serde_json::to_value(&batch).unwrap(), &execution()).unwrap();
    assert_eq!(again, batch);
    assert_eq!(batch.execution, Some(execution()));
}

#[test]
fn a_document_with_the_stamp_that_is_not_canonical_is_an_error() {
    let mut document = finished();
    document["assets"][0]["verified"] = json!("yes");
    let error = resume(&document, &execution()).unwrap_err();
    assert!(matches!(error, InputError::Document { .. }), "{error}");
}

#[test]
fn a_fault_found_by_the_queue_consumer_remains_in_the_first_state() {
    let first = with_assets(json!([
        {"key": PHOTO, "checksum": "none"},
        {"key": "51/raw/photo/vertical/b.jpg", "type": "FLOOR_PLAN"},
    ]));
    let again = parse(&serde_json::to_value(&first).unwrap()).unwrap();
    assert_eq!(again, first);
}

fn failed(error: Value) -> Problem {
    let document = json!({"listingId": 51, "assets": [], "error": error});
    let mut batch = parse(&document).unwrap();
    assert_eq!(batch.counts.problems, 1);
    batch.problems.remove(0)
}

#[test]
fn an_error_left_by_a_catch_becomes_a_problem() {
    let cause = json!({"errorType": "Stage.Corrupt", "errorMessage": "no picture", "trace": []});
    assert_eq!(
        failed(json!({"Error": "Stage.Corrupt", "Cause": cause.to_string(), "state": "CreateZipBundle"})),
        Problem { state: "CreateZipBundle".into(), code: "Stage.Corrupt".into(), message: "no picture".into() }
    );
}

#[test]
fn an_error_without_cause_or_state_still_becomes_a_problem() {
    assert_eq!(failed(json!({"Error": "States.Timeout"})).code, "States.Timeout");
    for timeout in [json!({"Error": "States.Timeout"}), json!({"Error": "States.Timeout", "Cause": ""})] {
        assert_eq!(failed(timeout).message, "no cause was given");
    }
    assert_eq!(failed(json!("it broke")).message, "it broke");
    assert_eq!(failed(json!({"Cause": "c"})).code, "States.TaskFailed");
    let long = failed(json!({"Error": "E", "Cause": "é".repeat(40_000)}));
    assert_eq!(long.message.chars().count(), MESSAGE_MAX);
}

#[test]
fn the_branches_of_a_parallel_state_become_one_batch() {
    let started =
        resume(&json!({"listingId": 51, "assets": [PHOTO, "51/raw/video/vertical/v.mp4"]}), &execution()).unwrap();
    let mut thumbnails = started.clone();
    thumbnails.assets[0].verified = true;
    let mut videos = started.clone();
    videos.assets[1].duration_ms = Some(5);
    let mut videos = serde_json::to_value(videos).unwrap();
    videos["error"] = json!({"Error": "States.HeartbeatTimeout", "Cause": "", "state": "ProcessVideos"});
    let branches = json!([thumbnails, videos]);

    for (input, problems) in [
        (branches.clone(), 1),
        (json!({"branches": branches}), 1),
        (
            json!({"branches": branches, "error": {"Error": "Stage.Internal", "Cause": "x", "state": "CreateZipBundle"}}),
            2,
        ),
    ] {
        let merged = resume(&input, &execution()).unwrap();
        assert!(merged.assets[0].verified);
        assert_eq!(merged.assets[1].duration_ms, Some(5));
        assert_eq!(merged.problems.len(), problems);
        assert_eq!(merged.problems[0].state, "ProcessVideos");
    }
}
