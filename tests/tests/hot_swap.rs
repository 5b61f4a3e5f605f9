#![allow(clippy::unwrap_used)]
//! Pins that change under load: no call fails, none runs what was replaced long ago, and no execution mixes revisions.

#[path = "../fixtures/swapping.rs"]
mod swapping;
#[path = "../fixtures/versions.rs"]
mod versions;

use std::time::Duration;

use swapping::{Load, run};
use versions::published;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_changes_of_pins_under_load_are_noticed_by_nobody_but_their_author() {
    let published = published(3).await.unwrap();
    let load = Load {
        callers: 8,
        calls: 10_000,
        changes: 100,
        every: Duration::from_millis(30),
        max_age: Duration::from_millis(50),
    };
    let seen = run(published.stages.clone(), &published.pins, &load).await.unwrap();
    assert!(seen.calls >= load.calls, "{} calls", seen.calls);
    assert!(seen.failed.is_empty(), "{} failed: {:#?}", seen.failed.len(), &seen.failed[..seen.failed.len().min(5)]);
    assert!(seen.refused.is_empty(), "{:#?}", seen.refused);
    assert!(seen.mixed.is_empty(), "{:#?}", seen.mixed);
    assert!(seen.stale.is_empty(), "{:#?}", seen.stale);
    assert_eq!(seen.versions.len(), published.pins.len(), "{:?}", seen.versions);
}
