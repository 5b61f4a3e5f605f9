//! Documents that are refused, and files that stay in the batch with their problem.

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

#[test]
fn a_faulty_file_stays_in_the_batch_with_its_problem() {
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
fn an_incomplete_type_is_completed_from_the_key() {
    for (key, declared, expected) in [
        ("51/raw/photo/vertical/a.jpg", None, MediaType::PhotoVertical),
        ("51/raw/photo/horizontal/a.jpg", Some("PHOTO"), MediaType::PhotoHorizontal),
        ("51/raw/video/horizontal/a.mp4", Some("video"), MediaType::VideoHorizontal),
        ("51/raw/project/doc/a.pdf", Some("PROJECT"), MediaType::ProjectDoc),
        ("51/raw/project/render/a.png", Some("project-render"), MediaType::ProjectRender),
        // The key wins over the declared orientation.
        ("51/raw/photo/vertical/a.jpg", Some("PHOTO_HORIZONTAL"), MediaType::PhotoVertical),
    ] {
        let asset = asset(json!({"key": key, "type": declared}));
        assert_eq!(asset.media_type, expected, "{key} {declared:?}");
        assert_eq!(asset.problem, None, "{key} {declared:?}");
    }
}

#[test]
fn an_impossible_type_is_a_problem_of_the_file() {
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
fn of_two_keys_the_uploads_is_used() {
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
fn invalid_numbers_are_problems_of_the_file() {
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
fn a_repeated_key_is_one_file() {
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
fn files_that_differ_in_their_extension_only_are_both_accepted() {
    let batch = with_assets(json!(["51/raw/photo/vertical/a.jpg", "51/raw/photo/vertical/a.png"]));
    assert_eq!((batch.counts.failed, batch.assets.len()), (0, 2));
}
