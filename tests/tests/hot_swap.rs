#![allow(clippy::unwrap_used)]
//! Pins that change under load: no call fails, none is answered by code that was replaced long ago, and no execution mixes
//! revisions.

#[path = "../fixtures/swapping.rs"]
mod swapping;

use std::time::Duration;

use swapping::{Load, Published, published, run};

/// Runs the load. No call may fail, no change be refused, and every version must have answered.
async fn assert_every_call_is_answered_rightly(published: &Published, load: &Load) {
    let seen = run(published, load).await.unwrap();
    assert!(seen.calls >= load.calls, "{} calls", seen.calls);
    assert!(seen.failed.is_empty(), "{} failed: {:#?}", seen.failed.len(), &seen.failed[..seen.failed.len().min(5)]);
    assert!(seen.refused.is_empty(), "{:#?}", seen.refused);
    assert!(seen.mixed.is_empty(), "{:#?}", seen.mixed);
    assert!(seen.stale.is_empty(), "{:#?}", seen.stale);
    assert_eq!(seen.versions.len(), published.versions.len(), "{:?}", seen.versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_changes_of_pins_under_load_fail_no_call_and_every_answer_is_of_the_pinned_version() {
    let published = published(3).await.unwrap();
    let load = Load {
        callers: 8,
        calls: 10_000,
        changes: 100,
        every: Duration::from_millis(30),
        max_age: Duration::from_millis(50),
        hang: None,
    };
    assert_every_call_is_answered_rightly(&published, &load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_while_pins_change_fails_no_call_and_what_it_held_back_takes_effect_afterwards() {
    let published = published(4).await.unwrap();
    let load = Load {
        callers: 8,
        calls: 4_000,
        changes: 60,
        every: Duration::from_millis(150),
        max_age: Duration::from_millis(50),
        hang: Some(Duration::from_secs(3)),
    };
    assert_every_call_is_answered_rightly(&published, &load).await;
}
