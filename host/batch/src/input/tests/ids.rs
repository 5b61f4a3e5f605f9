//! Ids, and attributes beside the body.

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
fn a_listing_id_may_be_a_text() {
    let batch = parse(&json!({"listingId": "51", "assets": [PHOTO]})).unwrap();
    assert_eq!(batch.assets[0].problem, None);
}

#[test]
fn an_attribute_of_digits_becomes_a_number() {
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
fn listing_id_wins_over_listing_identity_id_in_any_order() {
    let mut both = [("ListingId", "51"), ("ListingIdentityId", "9")];
    let first: Attributes = both.into_iter().collect();
    both.reverse();
    assert_eq!(both.into_iter().collect::<Attributes>(), first);
    let batch = parse_with_attributes(&json!({"assets": []}), &first).unwrap();
    assert_eq!(batch.listing.id, Id::Number(51));
}

#[test]
fn an_invalid_retry_count_is_an_error_with_its_name() {
    let attributes: Attributes = [("ListingId", "51"), ("RetryCount", "twice")].into_iter().collect();
    let error = parse_with_attributes(&json!({"assets": []}), &attributes).unwrap_err();
    assert_eq!(error.path(), "attributes.RetryCount");
}

#[test]
fn an_invalid_trace_is_replaced_by_the_attributes() {
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

/// Otherwise the execution would be started and could not read its own input.
#[test]
fn an_attribute_that_is_too_long_for_an_id_is_refused_unless_the_body_has_one() {
    let long = "x".repeat(257);
    for (name, field) in [("BatchId", "batchId"), ("JobId", "jobId")] {
        let attributes: Attributes = [("ListingId", "51"), (name, long.as_str())].into_iter().collect();
        let error = parse_with_attributes(&json!({"assets": []}), &attributes).unwrap_err();
        assert_eq!(error.path(), format!("attributes.{name}"));
        assert!(parse_with_attributes(&json!({"assets": [], field: 4}), &attributes).is_ok());
        let longest: Attributes = [("ListingId", "51"), (name, &long[1..])].into_iter().collect();
        let batch = parse_with_attributes(&json!({"assets": []}), &longest).unwrap();
        assert_eq!(parse(&serde_json::to_value(&batch).unwrap()).unwrap(), batch);
    }
}
