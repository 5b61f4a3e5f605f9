//! The document as the backend receives it.
#![allow(clippy::unwrap_used)]

use stage_sdk::testing::batch;

use super::*;
use crate::bindings::toq::media::types::Bundle;
use crate::fixtures::{asset, problem, rendition};
use crate::verdict::judge;

fn context() -> Context {
    Context {
        state: "FinalizeAndCallback".to_owned(),
        execution: "arn:aws:states:eu-central-1:1:execution:sm:job-21".to_owned(),
        started_at: "2025-11-27T10:00:00Z".to_owned(),
        attempt: 0,
        config: "{}".to_owned(),
    }
}

fn composed(batch: &Batch) -> Value {
    serde_json::from_str(&compose(&context(), batch, &judge(batch)).unwrap()).unwrap()
}

fn bundle(name: &str, bytes: u64, entries: u32, unpacked_bytes: u64) -> Bundle {
    let (name, key) = (name.to_owned(), format!("28/zip/{name}.zip"));
    Bundle { name, key, bytes, entries, unpacked_bytes, reused: false }
}

#[test]
fn a_partial_success_is_exactly_this_document() {
    let mut photo = asset("28/raw/photo/vertical/a.jpg");
    photo.renditions = vec![
        rendition("320x240", "28/thumb/photo/vertical/a_320x240.jpg", "image/jpeg", Some((180, 240))),
        rendition("1280x960", "28/thumb/photo/vertical/a_1280x960.jpg", "image/jpeg", Some((720, 960))),
    ];
    let mut broken = asset("28/raw/photo/vertical/b.jpg");
    broken.verified = false;
    broken.problem = Some(problem("ValidateRawAssets", "Stage.Corrupt"));
    let batch = Batch {
        listing: Id::Number(28),
        listing_field: ListingField::ListingIdentityId,
        batch_id: Some(Id::Text("b-7".to_owned())),
        job_id: Some(Id::Number(21)),
        external_id: Some("ext".to_owned()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        bundles: vec![bundle("complete", 1000, 3, 900), bundle("originals", 500, 1, 450)],
        ..batch(vec![photo, broken])
    };
    let expected = concat!(
        r#"{"executionArn":"arn:aws:states:eu-central-1:1:execution:sm:job-21","#,
        r#""startedAt":"2025-11-27T10:00:00Z","jobId":21,"listingIdentityId":28,"batchId":"b-7","externalId":"ext","#,
        r#""status":"PARTIAL_SUCCESS","provider":"STEP_FUNCTIONS","#,
        r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","#,
        r#""outputs":[{"rawKey":"28/raw/photo/vertical/a.jpg","#,
        r#""processedKey":"28/thumb/photo/vertical/a_1280x960.jpg","#,
        r#""thumbnailKey":"28/thumb/photo/vertical/a_320x240.jpg","#,
        r#""outputs":{"320x240":"28/thumb/photo/vertical/a_320x240.jpg","#,
        r#""1280x960":"28/thumb/photo/vertical/a_1280x960.jpg"}},"#,
        r#"{"rawKey":"28/raw/photo/vertical/b.jpg","outputs":{},"#,
        r#""errorCode":"Stage.Corrupt","errorMessage":"it went wrong"}],"#,
        r#""assetsZipped":3,"zipBundles":["28/zip/complete.zip","28/zip/originals.zip"],"#,
        r#""zipSizeBytes":1500,"unzippedSizeBytes":1350,"#,
        r#""failureReason":"1 of 2 files failed: b.jpg (Stage.Corrupt)","#,
        r#""error":{"code":"Stage.Corrupt","message":"it went wrong","#,
        r#""details":[{"key":"28/raw/photo/vertical/b.jpg","code":"Stage.Corrupt","#,
        r#""message":"it went wrong","state":"ValidateRawAssets"}]}}"#,
    );
    assert_eq!(compose(&context(), &batch, &judge(&batch)).unwrap(), expected);
}

#[test]
fn a_success_has_no_failure_and_leaves_out_unknown_values() {
    let context = Context { execution: String::new(), started_at: String::new(), ..context() };
    let batch = batch(vec![asset("51/raw/project/doc/plan.pdf")]);
    assert_eq!(
        compose(&context, &batch, &judge(&batch)).unwrap(),
        concat!(
            r#"{"listingId":51,"status":"SUCCEEDED","provider":"STEP_FUNCTIONS","#,
            r#""outputs":[{"rawKey":"51/raw/project/doc/plan.pdf","outputs":{}}],"#,
            r#""assetsZipped":0,"zipBundles":[],"zipSizeBytes":0,"unzippedSizeBytes":0}"#
        )
    );
}

#[test]
fn what_stages_of_other_authors_found_out_and_made_is_there_by_name() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let photo = Asset { attributes: vec![pair("thumbhash", "1QcSHQRnh493V4dIh4eXh1h4kJUI")], ..asset("a.jpg") };
    let body = composed(&Batch {
        files: vec![rendition("contact-sheet", "51/processed/sheet.jpg", "image/jpeg", None)],
        attributes: vec![pair("rooms", "5")],
        ..batch(vec![photo])
    });
    assert_eq!(body["outputs"][0]["attributes"], serde_json::json!({"thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI"}));
    assert_eq!(body["files"], serde_json::json!({"contact-sheet": "51/processed/sheet.jpg"}));
    assert_eq!(body["attributes"], serde_json::json!({"rooms": "5"}));
}

#[test]
fn ids_keep_their_type_and_the_listing_its_field() {
    let body = composed(&Batch {
        listing: Id::Text("L-1".to_owned()),
        job_id: Some(Id::Number(u64::MAX)),
        batch_id: Some(Id::Text("007".to_owned())),
        ..batch(Vec::new())
    });
    assert_eq!(body["listingId"], "L-1");
    assert!(body.get("listingIdentityId").is_none());
    assert_eq!(body["jobId"], u64::MAX);
    assert_eq!(body["batchId"], "007");
}

#[test]
fn the_processed_key_of_a_video_is_its_largest_video() {
    let poster = rendition("poster", "v_poster.jpg", "image/jpeg", Some((4000, 3000)));
    let hd = |pixels| rendition("1080p", "v_1080p.mp4", "video/mp4", pixels);
    let sd = |pixels| rendition("720p", "v_720p.mp4", "video/mp4", pixels);
    for renditions in [
        vec![poster.clone(), sd(Some((1280, 720))), hd(Some((1920, 1080)))],
        vec![poster.clone(), hd(None), sd(None)],
        // A small source: both renditions have its size.
        vec![poster.clone(), sd(Some((640, 360))), hd(Some((640, 360)))],
    ] {
        let video = Asset { media_type: MediaType::VideoVertical, renditions, ..asset("v.mov") };
        let body = composed(&batch(vec![video]));
        assert_eq!(body["outputs"][0]["processedKey"], "v_1080p.mp4");
    }
    let only_poster = Asset { media_type: MediaType::VideoVertical, renditions: vec![poster], ..asset("v.mov") };
    assert!(composed(&batch(vec![only_poster]))["outputs"][0].get("processedKey").is_none());
}

#[test]
fn a_photo_smaller_than_its_boxes_still_has_a_large_and_a_small_rendition() {
    let made = |name: &str| rendition(name, &format!("p_{name}.jpg"), "image/jpeg", Some((100, 50)));
    let photo = Asset { renditions: vec![made("640x480"), made("1280x960"), made("320x240")], ..asset("p.jpg") };
    let body = composed(&batch(vec![photo]));
    assert_eq!(body["outputs"][0]["processedKey"], "p_1280x960.jpg");
    assert_eq!(body["outputs"][0]["thumbnailKey"], "p_320x240.jpg");

    // Boxes beside widths.
    let photo = Asset { renditions: vec![made("320x240"), made("w800"), made("w200")], ..asset("p.jpg") };
    let body = composed(&batch(vec![photo]));
    assert_eq!(body["outputs"][0]["processedKey"], "p_w800.jpg");
    assert_eq!(body["outputs"][0]["thumbnailKey"], "p_w200.jpg");
}

#[test]
fn a_failed_state_is_the_error_and_failed_files_follow_in_the_details() {
    let bad = Asset { problem: Some(problem("GenerateThumbnails", "Stage.Corrupt")), ..asset("1/raw/a.jpg") };
    let body = composed(&Batch { problems: vec![problem("ProcessVideos", "Stage.Denied")], ..batch(vec![bad]) });
    assert_eq!(body["status"], "PROCESSING_FAILED");
    assert_eq!(body["error"]["code"], "Stage.Denied");
    assert_eq!(
        body["error"]["details"],
        serde_json::json!([
            {"code": "Stage.Denied", "message": "it went wrong", "state": "ProcessVideos"},
            {"key": "1/raw/a.jpg", "code": "Stage.Corrupt", "message": "it went wrong", "state": "GenerateThumbnails"},
        ])
    );
}
