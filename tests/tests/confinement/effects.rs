//! Jobs, deliveries, requests and tags: what costs money or reaches others.

use stagehost_runtime::{Limits, Quotas, World};

use crate::case::{AT_ONCE, Case, at_most, fails, large, small};
use crate::outside::Outside;

fn quotas() -> Limits {
    let quotas = Quotas { jobs: 16, deliveries: 4, http_requests: 20, storage_requests: 50, ..Quotas::default() };
    Limits { quotas, ..small() }
}

besieged!(
    thousands_of_jobs_stop_at_the_quota,
    Case::new("submitter", World::Transcode, &[fails("flood", "Stage.TooLarge", "limits.quotas.jobs")])
        .limits(quotas)
        .effects(|outside, calls| at_most("jobs", &outside.jobs, 16, calls))
);

besieged!(
    a_job_of_100_000_outputs_is_refused,
    Case::new("submitter", World::Transcode, &[fails("wide", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    a_job_of_1000_outputs_is_refused,
    Case::new("submitter", World::Transcode, &[fails("many", "Stage.InvalidInput", "at most 64 are made")])
);

besieged!(
    thousands_of_deliveries_stop_at_the_quota,
    Case::new("caller", World::Callback, &[fails("deliveries", "Stage.TooLarge", "limits.quotas.deliveries")])
        .limits(quotas)
        .effects(|outside, calls| at_most("deliveries", &outside.deliveries, 4, calls))
);

besieged!(
    a_callback_of_60_mib_is_refused,
    Case::new("caller", World::Callback, &[fails("body", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    thousands_of_requests_stop_at_the_quota,
    Case::new("meddler", World::Custom, &[fails("requests", "Stage.TooLarge", "limits.quotas.httpRequests")])
        .limits(quotas)
        .effects(|outside, calls| at_most("requests", &outside.requests, 20, calls))
);

besieged!(
    requests_that_are_too_large_or_go_elsewhere_are_not_sent,
    Case::new(
        "meddler",
        World::Custom,
        &[
            fails("url", "Stage.InvalidInput", "at most"),
            fails("host", "Stage.InvalidInput", "at most"),
            fails("method", "Stage.InvalidInput", "at most"),
            fails("elsewhere", "Stage.Denied", "\"169.254.169.254\""),
        ]
    )
);

besieged!(
    requests_with_100_000_headers_or_a_body_of_60_mib_are_refused,
    Case::new(
        "meddler",
        World::Custom,
        &[fails("fields", "Stage.TooLarge", AT_ONCE), fails("body", "Stage.TooLarge", AT_ONCE)]
    )
    .limits(large)
);

besieged!(
    eighty_thousand_short_headers_take_no_more_than_their_share_of_the_host,
    Case::new("meddler", World::Custom, &[fails("short-fields", "Stage.InvalidInput", "headers")]).limits(large)
);

besieged!(
    tags_that_the_pin_does_not_name_are_denied,
    Case::new(
        "meddler",
        World::Custom,
        &[
            fails("freeze", "Stage.Denied", "does not allow the stage to set the tag \"storage-class\""),
            fails("label", "Stage.Denied", "does not allow the stage to set the tag \"storage-class\""),
        ]
    )
);

besieged!(
    tags_of_1_mib_are_refused,
    Case::new(
        "meddler",
        World::Custom,
        &[
            fails("label-key", "Stage.InvalidInput", "a key has at most 1024 bytes"),
            fails("label-name", "Stage.InvalidInput", "1 to 128 visible ASCII characters"),
            fails("label-value", "Stage.InvalidInput", "1 to 128 visible ASCII characters"),
        ]
    )
);

besieged!(
    setting_a_granted_tag_without_end_stops_at_the_quota,
    Case::new("meddler", World::Custom, &[fails("labels", "Stage.TooLarge", "limits.quotas.storageRequests")])
        .limits(quotas)
        .effects(only_the_granted_tag)
);

fn only_the_granted_tag(outside: &Outside, calls: u64) {
    let tags = outside.tags();
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["meddled=yes"]);
    assert!(tags["meddled=yes"] <= 50 * calls, "{tags:?}");
}
