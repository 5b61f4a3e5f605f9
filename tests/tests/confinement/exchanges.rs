//! Exchanges over HTTP without end, out of order, past the quotas and to what the pin does not grant.

use std::sync::atomic::Ordering;

use stagehost_runtime::{Limits, Quotas, World};

use crate::case::{Behaviour, Case, Role, at_most, fails, short, small};
use crate::outside::Outside;

const REQUESTS: u64 = 20;
const BYTES: u64 = 1 << 20;

fn quotas() -> Limits {
    let quotas = Quotas { http_requests: REQUESTS, http_bytes: BYTES, storage_requests: 200, ..Quotas::default() };
    Limits { quotas, ..small() }
}

/// The same with a quarter of the bytes, because what is exchanged is stored.
fn quarter() -> Limits {
    let Limits { quotas, .. } = quotas();
    Limits { quotas: Quotas { http_bytes: BYTES / 4, ..quotas }, ..small() }
}

/// No more was sent than the quotas allow, no exchange is open, no object was finished, and every unfinished one was discarded
/// before its call ended.
fn nothing_is_left(outside: &Outside, calls: u64) {
    at_most("requests", &outside.requests, REQUESTS, calls);
    at_most("sent", &outside.sent, BYTES, calls);
    at_most("created", &outside.created, 1, calls);
    assert!(outside.finished().iter().all(|key| key.starts_with("7/")), "{:?}", outside.finished());
    assert_eq!(outside.open_exchanges.load(Ordering::SeqCst), 0, "exchanges are open");
    assert_eq!(outside.lost_writers.load(Ordering::SeqCst), 0, "objects were left to the background");
}

/// Nothing was sent at all.
fn nothing_is_sent(outside: &Outside, calls: u64) {
    nothing_is_left(outside, calls);
    at_most("sent", &outside.sent, 0, calls);
    at_most("created", &outside.created, 0, calls);
}

const WITHOUT_END: &[Behaviour] = &[
    fails("exchanges", "Stage.InvalidInput", "4 exchanges are open already"),
    fails("restarts", "Stage.TooLarge", "limits.quotas.httpRequests"),
    fails("pour", "Stage.TooLarge", "limits.quotas.httpBytes"),
    fails("lend", "Stage.TooLarge", "limits.quotas.httpBytes"),
    fails("drink", "Stage.TooLarge", "limits.quotas.httpBytes"),
    fails("drain", "Stage.TooLarge", "limits.quotas.httpBytes"),
];

besieged!(
    exchanges_without_end_stop_at_the_quotas_and_leave_nothing_open,
    Case::new("meddler", World::Custom, WITHOUT_END).limits(quotas).effects(nothing_is_left)
);

besieged!(
    exchanges_without_end_stop_at_the_quotas_while_they_are_recorded,
    Case::new("meddler", World::Custom, WITHOUT_END).limits(quarter).effects(nothing_is_left).role(Role::Recorded)
);

besieged!(
    a_service_that_stops_is_waited_for_until_the_deadline_and_what_is_stored_of_it_is_discarded,
    Case::new(
        "meddler",
        World::Custom,
        &[fails("silence", "Stage.Timeout", "50 ms"), fails("drip", "Stage.Timeout", "50 ms")]
    )
    .limits(short)
    .effects(nothing_is_left)
);

besieged!(
    steps_out_of_order_or_after_a_failure_are_refused,
    Case::new(
        "meddler",
        World::Custom,
        &[
            fails("order", "Stage.Internal", "all 17 refused as invalid-input"),
            fails("retry", "Stage.Internal", "all 15 refused as transient"),
        ]
    )
    .limits(quotas)
    .effects(nothing_is_left)
);

besieged!(
    exchanges_reach_no_host_and_no_object_that_the_pin_does_not_grant,
    Case::new(
        "meddler",
        World::Custom,
        &[
            fails("reach", "Stage.Internal", "all 20 refused as denied"),
            fails("disguise", "Stage.Internal", "all 13 refused as invalid-input"),
        ]
    )
    .limits(quotas)
    .effects(nothing_is_sent)
);
