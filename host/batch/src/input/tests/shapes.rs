//! The shapes of the contract.

use super::*;

#[test]
fn older_messages_list_plain_keys() {
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
fn newer_messages_list_objects_and_have_listing_identity_id() {
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
fn an_etag_is_read_without_quotes_and_spaces_in_any_order() {
    for etag in ["\"abc\"", " \"abc\" ", "\" abc \"", "\" \"abc\" \""] {
        assert_eq!(asset(json!({"etag": etag})).etag.as_deref(), Some("abc"), "{etag}");
    }
}

#[test]
fn trace_and_retry_are_optional() {
    let batch = parse(&json!({"listingId": 51, "assets": []})).unwrap();
    assert_eq!((batch.traceparent, batch.retry), (None, 0));
}

#[test]
fn null_counts_as_absent() {
    let batch = parse(&json!({
        "listingId": 51, "listingIdentityId": null, "jobId": null, "retry": null, "traceparent": null,
        "externalId": null, "assets": [{"key": PHOTO, "type": null, "size": null, "checksum": null}]
    }))
    .unwrap();
    assert_eq!(batch, with_assets(json!([PHOTO])));
}
