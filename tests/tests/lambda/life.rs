//! What Lambda does to a process: it sends odd deadlines, freezes it, and ends it.

use std::time::Duration;

use serde_json::json;
use stagehost_tests::package::state;
use stagehost_tests::runtime_api::Deadline;

use crate::surroundings::started;

/// Emulators send such deadlines. (A missing header, or one that is not a number, ends `lambda_runtime` itself.)
#[tokio::test]
async fn a_stage_works_in_spite_of_an_impossible_deadline() {
    let host = started().await;
    let payload = state("ValidateRawAssets", host.one_photo(51));
    let largest = Deadline::Text("18446744073709551615");
    let odd = [Deadline::In1970, Deadline::Text("0"), Deadline::FarFuture, largest];
    for deadline in odd {
        let answer = host.function.invoke(&payload, deadline.clone()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{deadline:?}: {error}"));
        assert_eq!(answer["counts"]["valid"], 1, "{deadline:?}: {answer:#}");
    }
    host.assert_healthy().await;
}

/// Connections expire and clocks jump meanwhile.
#[tokio::test]
async fn a_function_that_was_frozen_answers_as_before() {
    let host = started().await;
    let payload = state("ValidateRawAssets", host.one_photo(51));
    let before = host.invoke(&payload).await.unwrap();
    host.function.freeze().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    host.function.thaw().unwrap();
    assert_eq!(host.invoke(&payload).await.unwrap(), before);
}

#[tokio::test]
async fn the_time_while_it_was_frozen_does_not_count_for_the_next_call() {
    let host = started().await;
    let payload = state("ValidateRawAssets", host.one_photo(51));
    host.function.ready().await.unwrap();
    host.function.freeze().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    host.function.thaw().unwrap();
    let answer = host.function.invoke(&payload, Deadline::In(Duration::from_secs(30))).await.unwrap();
    assert_eq!(answer["counts"]["valid"], 1, "{answer:#}");
}

#[tokio::test]
async fn sigterm_ends_it_with_success() {
    let host = started().await;
    host.invoke(&state("ValidateRawAssets", host.one_photo(51))).await.unwrap();
    assert!(host.function.terminate().await.unwrap().success());

    let host = started().await;
    host.function.ready().await.unwrap();
    assert!(host.function.terminate().await.unwrap().success(), "before it was ever invoked");
}

#[tokio::test]
async fn two_batches_in_turn_leave_nothing_of_one_in_the_other() {
    let host = started().await;
    let batches = [host.one_photo(51), {
        let document = host.upload(52, "project/doc", "description.pdf");
        let photo = host.upload(52, "photo/vertical", "staircase.jpg");
        json!({"listingIdentityId": "52", "jobId": "9", "assets": [document, photo]})
    }];
    let mut first = Vec::new();
    for batch in &batches {
        let validated = host.state("ValidateRawAssets", batch.clone()).await;
        // Makes the thumbnails, so that every later answer finds them up to date.
        host.state("GenerateThumbnails", validated.clone()).await;
        first.push((validated.clone(), host.state("GenerateThumbnails", validated).await));
    }
    let descriptors = host.function.descriptors().unwrap();
    for _ in 0..20 {
        for (batch, (validated, thumbnails)) in batches.iter().zip(&first) {
            assert_eq!(&host.state("ValidateRawAssets", batch.clone()).await, validated);
            assert_eq!(&host.state("GenerateThumbnails", validated.clone()).await, thumbnails);
        }
    }
    for ((_, own), other) in first.iter().zip(["52/raw/", "51/raw/"]) {
        assert!(!own.to_string().contains(other), "{own:#}");
    }
    // A few connections to S3 come and go.
    assert!(host.function.descriptors().unwrap() <= descriptors + 8);
    let temporary = std::fs::read_dir(host.folder.path().join("tmp")).unwrap();
    assert_eq!(temporary.count(), 0, "files in /tmp outlive an invocation");
}
