#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Id, MediaType, arbitrary};

const PHOTO: &str = "51/raw/photo/vertical/2025-11-27/photo-001.jpg";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A batch of listing 51 with these files.
fn with_assets(assets: Value) -> Batch {
    parse(&json!({"listingId": 51, "assets": assets})).unwrap()
}

/// The one file made of this object, its key defaulting to a good one.
fn asset(mut fields: Value) -> Asset {
    if fields.get("key").is_none() && fields.get("sourceKey").is_none() {
        fields["key"] = json!(PHOTO);
    }
    with_assets(json!([fields])).assets.remove(0)
}

/// What was wrong with a file.
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

mod shapes_of_the_contract {
    use super::*;

    #[test]
    fn the_first_generation_lists_bare_keys() {
        let batch = parse(&json!({
            "jobId": 4, "batchId": 5, "listingId": 51,
            "assets": ["51/raw/photo/vertical/2025-11-27/photo-001.jpg"], "retry": 0
        }))
        .unwrap();
        assert_eq!(batch.listing.id, Id::Number(51));
        assert_eq!(batch.listing.field, ListingField::ListingId);
        assert_eq!((batch.batch_id, batch.job_id), (Some(Id::Number(5)), Some(Id::Number(4))));
        assert_eq!(batch.assets, [Asset::new(PHOTO, MediaType::PhotoVertical)]);
    }

    #[test]
    fn the_second_generation_lists_objects_and_names_the_listing_otherwise() {
        let key = "28/raw/photo/horizontal/horizontal-01-IMG.jpg";
        let batch = parse(&json!({
            "jobId": 21, "listingIdentityId": 28,
            "assets": [{"key": key, "type": "PHOTO_HORIZONTAL"}], "retry": 0, "traceparent": TRACE
        }))
        .unwrap();
        assert_eq!(batch.listing.field, ListingField::ListingIdentityId);
        assert_eq!(batch.batch_id, None);
        assert_eq!(batch.traceparent.as_deref(), Some(TRACE));
        assert_eq!(batch.assets, [Asset::new(key, MediaType::PhotoHorizontal)]);
        let written = serde_json::to_value(&batch).unwrap();
        assert_eq!(written["listingIdentityId"], 28);
        assert_eq!(written.get("listingId"), None);
    }

    #[test]
    fn all_details_of_a_file_are_read() {
        let asset = asset(json!({
            "type": "PHOTO_VERTICAL", "size": 1234, "etag": "\"abc\"", "contentType": "Image/JPEG",
            "checksum": "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "title": "Kitchen", "sequence": 3
        }));
        assert_eq!(asset.bytes, Some(1234));
        assert_eq!(asset.etag.as_deref(), Some("abc"));
        assert_eq!(asset.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(asset.sha256.as_deref(), Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
        assert_eq!(asset.title.as_deref(), Some("Kitchen"));
        assert_eq!(asset.sequence, Some(3));
        assert_eq!(asset.problem, None);
    }

    #[test]
    fn a_missing_trace_or_retry_is_fine() {
        let batch = parse(&json!({"listingId": 51, "assets": []})).unwrap();
        assert_eq!((batch.traceparent, batch.retry), (None, 0));
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let batch = parse(&json!({
            "listingId": 51, "listingIdentityId": null, "jobId": null, "retry": null, "traceparent": null,
            "externalId": null, "assets": [{"key": PHOTO, "type": null, "size": null, "checksum": null}]
        }))
        .unwrap();
        assert_eq!(batch, with_assets(json!([PHOTO])));
    }
}

mod ids {
    use super::*;

    #[test]
    fn numbers_stay_numbers_and_texts_stay_texts() {
        let batch = parse(&json!({"listingId": "51", "jobId": 4, "batchId": "b-1", "assets": []})).unwrap();
        let written = serde_json::to_value(&batch).unwrap();
        assert_eq!(written["listingId"], json!("51"));
        assert_eq!(written["jobId"], json!(4));
        assert_eq!(written["batchId"], json!("b-1"));
    }

    #[test]
    fn a_listing_id_that_is_a_text_still_owns_its_keys() {
        let batch = parse(&json!({"listingId": "51", "assets": [PHOTO]})).unwrap();
        assert_eq!(batch.assets[0].problem, None);
    }

    #[test]
    fn an_attribute_is_text_and_becomes_the_number_that_it_is() {
        let attributes: Attributes = [
            ("Traceparent", TRACE),
            ("LISTINGID", "51"),
            ("BatchId", "5"),
            ("jobid", "4"),
            ("RetryCount", "2"),
            ("Unknown", "?"),
        ]
        .into_iter()
        .collect();
        let batch = parse_with_attributes(&json!({"assets": [PHOTO]}), &attributes).unwrap();
        assert_eq!(batch.listing.id, Id::Number(51));
        assert_eq!(batch.batch_id, Some(Id::Number(5)));
        assert_eq!(batch.job_id, Some(Id::Number(4)));
        assert_eq!(batch.retry, 2);
        assert_eq!(batch.traceparent.as_deref(), Some(TRACE));
    }

    #[test]
    fn an_attribute_that_only_looks_like_a_number_stays_text() {
        let attributes: Attributes = [("ListingId", "51"), ("JobId", "007")].into_iter().collect();
        let batch = parse_with_attributes(&json!({"assets": []}), &attributes).unwrap();
        assert_eq!(batch.job_id, Some(Id::Text("007".into())));
    }

    #[test]
    fn the_body_wins_over_the_attributes() {
        let attributes: Attributes =
            [("ListingIdentityId", "9"), ("JobId", "9"), ("RetryCount", "not read"), ("Traceparent", "not a trace")]
                .into_iter()
                .collect();
        let body = json!({"listingId": 51, "jobId": 4, "retry": 1, "traceparent": TRACE, "assets": []});
        assert_eq!(parse_with_attributes(&body, &attributes).unwrap(), parse(&body).unwrap());
    }

    #[test]
    fn of_two_attributes_for_the_listing_one_is_chosen_in_any_order() {
        let mut both = [("ListingId", "51"), ("ListingIdentityId", "9")];
        let first: Attributes = both.into_iter().collect();
        both.reverse();
        assert_eq!(both.into_iter().collect::<Attributes>(), first);
        let batch = parse_with_attributes(&json!({"assets": []}), &first).unwrap();
        assert_eq!(batch.listing.id, Id::Number(51));
    }

    #[test]
    fn a_retry_count_that_is_none_is_named() {
        let attributes: Attributes = [("ListingId", "51"), ("RetryCount", "twice")].into_iter().collect();
        let error = parse_with_attributes(&json!({"assets": []}), &attributes).unwrap_err();
        assert_eq!(error.path(), "attributes.RetryCount");
    }

    #[test]
    fn a_trace_that_is_none_is_dropped_for_the_attributes_one() {
        let attributes: Attributes = [("Traceparent", TRACE)].into_iter().collect();
        for bad in [
            "",
            "junk",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nX-Evil: 1",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
        ] {
            let body = json!({"listingId": 51, "assets": [], "traceparent": bad});
            assert_eq!(parse(&body).unwrap().traceparent, None, "{bad:?}");
            let batch = parse_with_attributes(&body, &attributes).unwrap();
            assert_eq!(batch.traceparent.as_deref(), Some(TRACE));
        }
    }
}

mod whole_documents_at_fault {
    use super::*;

    #[test]
    fn the_error_names_the_path_and_what_is_accepted() {
        for (body, path, accepted) in [
            (json!("text"), "$", "listingId or listingIdentityId"),
            (json!([]), "$", "empty"),
            (json!([[]]), "$[0]", "batch document"),
            (json!({"assets": []}), "$.listingId", "listingIdentityId"),
            (json!({"listingId": 51}), "$.assets", "a list of files"),
            (json!({"listingId": 51, "assets": PHOTO}), "$.assets", "a list of files"),
            (json!({"listingId": 51, "assets": [PHOTO, 7]}), "$.assets[1]", "the file's key"),
            (json!({"listingId": 51, "assets": [{}]}), "$.assets[0].key", "the file's key"),
            (json!({"listingId": 51, "assets": [{"key": 1}]}), "$.assets[0].key", "the file's key"),
            (json!({"listingId": 51, "assets": [{"key": ""}]}), "$.assets[0].key", "the file's key"),
            (json!({"listingId": 51, "assets": [""]}), "$.assets[0]", "the file's key"),
            (json!({"listingId": -1, "assets": []}), "$.listingId", "whole number"),
            (json!({"listingId": 1.5, "assets": []}), "$.listingId", "whole number"),
            (json!({"listingId": "../7", "assets": []}), "$.listingId", "letters, digits"),
            (json!({"listingId": 51, "jobId": {}, "assets": []}), "$.jobId", "whole number"),
            (json!({"listingId": 51, "retry": "often", "assets": []}), "$.retry", "whole number"),
            (json!({"listingId": 51, "listingIdentityId": 52, "assets": []}), "$.listingIdentityId", "one of the two"),
            (
                json!({"branches": [{"listingId": 1, "assets": []}, {"listingId": 2, "assets": []}]}),
                "$.branches",
                "another listing",
            ),
        ] {
            let error = parse(&body).unwrap_err();
            assert_eq!(error.path(), path, "{body}");
            assert!(error.to_string().contains(accepted), "{error}");
            assert_eq!(crate::Failure::from(error).case, Case::InvalidInput);
        }
    }
}

mod files_at_fault {
    use super::*;

    #[test]
    fn each_is_kept_with_what_is_wrong_and_the_others_go_on() {
        let batch = with_assets(json!([
            PHOTO,
            "../../etc/passwd",
            {"key": "/", "type": "PHOTO"},
            {"key": "51/raw/photo/vertical/b.jpg", "type": "FLOOR_PLAN"},
            {"key": "51/raw/photo/vertical/c.jpg", "checksum": "abc"},
        ]));
        assert_eq!(batch.counts.assets, 5);
        assert_eq!(batch.counts.failed, 4);
        assert_eq!(batch.assets[0].problem, None);
        assert!(problem(&batch.assets[1]).contains("../../etc/passwd"));
        assert!(problem(&batch.assets[2]).contains("empty segment"));
        assert!(problem(&batch.assets[3]).contains("`FLOOR_PLAN` is unknown"));
        assert!(problem(&batch.assets[4]).contains("64 hexadecimal digits"));
    }

    #[test]
    fn the_type_follows_from_the_key_where_the_uploader_says_less() {
        for (key, declared, expected) in [
            ("51/raw/photo/vertical/a.jpg", None, MediaType::PhotoVertical),
            ("51/raw/photo/horizontal/a.jpg", Some("PHOTO"), MediaType::PhotoHorizontal),
            ("51/raw/video/horizontal/a.mp4", Some("video"), MediaType::VideoHorizontal),
            ("51/raw/project/doc/a.pdf", Some("PROJECT"), MediaType::ProjectDoc),
            ("51/raw/project/render/a.png", Some("project-render"), MediaType::ProjectRender),
            // The key says where a file belongs: it wins over the orientation that is declared.
            ("51/raw/photo/vertical/a.jpg", Some("PHOTO_HORIZONTAL"), MediaType::PhotoVertical),
        ] {
            let asset = asset(json!({"key": key, "type": declared}));
            assert_eq!(asset.media_type, expected, "{key} {declared:?}");
            assert_eq!(asset.problem, None, "{key} {declared:?}");
        }
    }

    #[test]
    fn a_type_that_cannot_be_is_told() {
        for (declared, reason) in [
            (json!("VIDEO_VERTICAL"), "contradicts the key"),
            (json!("THUMBNAIL"), "never uploaded"),
            (json!("ZIP"), "never uploaded"),
            (json!(7), "the number 7"),
        ] {
            let asset = asset(json!({"type": declared}));
            assert!(problem(&asset).contains(reason), "{:?}", asset.problem);
        }
    }

    #[test]
    fn a_file_of_another_listing_or_area_is_refused() {
        for (key, reason) in [
            ("52/raw/photo/vertical/a.jpg", "belongs to listing 52"),
            ("51/thumb/photo/vertical/a_320x240.jpg", "area `thumb`"),
            ("51/zip/batch-5/complete.zip", "layout"),
        ] {
            assert!(problem(&asset(json!({"key": key}))).contains(reason));
        }
    }

    #[test]
    fn of_two_keys_the_upload_is_meant() {
        let thumb = "51/thumb/photo/vertical/2025-11-27/photo-001_320x240.jpg";
        for fields in [
            json!({"sourceKey": PHOTO}),
            json!({"key": PHOTO, "sourceKey": PHOTO}),
            json!({"key": thumb, "sourceKey": PHOTO}),
        ] {
            let asset = asset(fields);
            assert_eq!((asset.key.as_str(), &asset.problem), (PHOTO, &None));
        }
        let two = asset(json!({"key": PHOTO, "sourceKey": "51/raw/photo/vertical/other.jpg"}));
        assert!(problem(&two).contains("one upload"));
    }

    #[test]
    fn numbers_may_be_written_as_text() {
        let asset = asset(json!({"bytes": "12", "sequence": "3"}));
        assert_eq!((asset.bytes, asset.sequence), (Some(12), Some(3)));
    }

    #[test]
    fn numbers_that_are_none_are_told() {
        for fields in
            [json!({"size": -1}), json!({"bytes": "many"}), json!({"bytes": 1.5}), json!({"sequence": 4294967296u64})]
        {
            assert!(problem(&asset(fields)).contains("whole number"));
        }
    }

    #[test]
    fn a_sha256_may_be_hexadecimal_or_base64_under_any_of_its_names() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (name, text) in [
            ("checksum", hex.to_owned()),
            ("checksumSha256", hex.to_uppercase()),
            ("sha256", format!("sha256:{hex}")),
            ("checksumSha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".into()),
            ("checksum", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".into()),
            ("checksum", "SHA256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".into()),
        ] {
            let asset = asset(json!({name: text}));
            assert_eq!(asset.sha256.as_deref(), Some(hex), "{name} {text}");
            assert_eq!(asset.problem, None);
        }
        let two = asset(json!({"checksum": hex, "checksumSha256": "0".repeat(64)}));
        assert!(problem(&two).contains("contradicts"));
    }

    #[test]
    fn a_key_that_comes_twice_is_one_file() {
        let batch = with_assets(json!([
            {"key": PHOTO, "size": 7},
            {"key": PHOTO, "title": "Kitchen"},
            "bad", {"key": "bad", "type": "VIDEO"}
        ]));
        assert_eq!(batch.assets.len(), 2);
        assert_eq!(batch.assets[0].bytes, Some(7));
        assert_eq!(batch.assets[0].title.as_deref(), Some("Kitchen"));
        assert_eq!(batch.assets[0].problem, None);
    }

    #[test]
    fn two_files_that_would_share_their_derived_keys_are_not_both_taken() {
        let batch = with_assets(json!([
            "51/raw/photo/vertical/a.jpg",
            "51/raw/photo/vertical/a.png",
            "51/raw/photo/horizontal/a.jpg",
            "51/raw/photo/vertical/2025-11-27/a.jpg",
        ]));
        assert_eq!(batch.counts.failed, 1);
        let told = problem(&batch.assets[1]);
        assert!(told.contains("51/raw/photo/vertical/a.jpg"), "{told}");
    }

    #[test]
    fn a_file_that_is_refused_anyway_takes_no_key_from_another() {
        let batch = with_assets(json!([
            {"key": "51/raw/photo/vertical/a.jpg", "checksum": "none"},
            "51/raw/photo/vertical/a.png",
        ]));
        assert_eq!(batch.assets[1].problem, None);
    }
}

mod trust {
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
    fn from_outside_nothing_is_believed_that_only_a_stage_can_establish() {
        let batch = parse(&finished()).unwrap();
        let mut expected = with_assets(json!([{"key": PHOTO, "bytes": 7}]));
        expected.recount();
        assert_eq!(batch, expected);
        assert_eq!(batch.counts.valid, 0);
    }

    #[test]
    fn what_an_earlier_state_of_the_same_execution_wrote_is_believed_whole() {
        let batch = resume(&finished(), &execution()).unwrap();
        assert!(batch.assets[0].verified);
        assert_eq!(batch.assets[0].renditions.len(), 1);
        assert_eq!((batch.bundles.len(), batch.problems.len()), (1, 1));
        assert_eq!(batch.revision, Some(7));
        assert_eq!(batch.counts.failed, 1, "counts are never read");
    }

    #[test]
    fn the_stamp_of_another_execution_or_another_start_is_no_stamp() {
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
    fn a_fault_found_by_the_queue_consumer_is_not_forgotten_by_the_first_state() {
        let first = with_assets(json!([
            {"key": PHOTO, "checksum": "none"},
            {"key": "51/raw/photo/vertical/b.jpg", "type": "FLOOR_PLAN"},
        ]));
        let again = parse(&serde_json::to_value(&first).unwrap()).unwrap();
        assert_eq!(again, first);
    }
}

mod between_states {
    use super::*;

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
    fn an_error_says_what_it_can() {
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
}

/// JSON in which the words of the contract turn up in the wrong places.
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
    fn no_document_makes_a_reader_panic(mut body in any_json(), listed in any::<bool>()) {
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
    fn a_document_is_the_same_after_every_state(mut batch in arbitrary::batch()) {
        batch.execution = Some(execution());
        let document = serde_json::to_value(&batch).unwrap();
        prop_assert_eq!(resume(&document, &execution()).unwrap(), batch);
    }
}
