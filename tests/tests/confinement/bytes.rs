//! Keys that are too long or lead elsewhere, and more bytes and objects than the pin allows.

use stagehost_runtime::{Limits, Quotas, World};

use crate::case::{AT_ONCE, Case, at_most, fails, large, short, small};
use crate::outside::Outside;

/// Small quotas, so that they are reached soon.
fn quotas() -> Limits {
    let quotas = Quotas { objects_written: 8, bytes_written: 16 << 20, storage_requests: 500, ..Quotas::default() };
    Limits { quotas, ..small() }
}

fn within_quotas(outside: &Outside, calls: u64) {
    at_most("objects", &outside.created, 8, calls);
    at_most("bytes", &outside.bytes, 16 << 20, calls);
    at_most("requests to the store", &outside.storage, 500, calls);
}

/// Objects may be begun, and nothing else.
fn only_begun(outside: &Outside, calls: u64) {
    at_most("bytes", &outside.bytes, 0, calls);
    assert!(outside.finished().iter().all(|key| key.starts_with("7/")), "{:?}", outside.finished());
}

besieged!(
    keys_that_lead_to_another_listing_are_denied_in_every_function,
    Case::new("hostile", World::Thumbnails, &[fails("wander", "Stage.Internal", "all 120 refused as denied")])
        .effects(only_begun)
);

besieged!(
    another_listings_files_cannot_be_read_or_written,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("steal", "Stage.Denied", "\"52/raw/photo/vertical/other.jpg\""),
            fails("climb", "Stage.Denied", "\"51/raw/../../pins.json\""),
            fails("deface", "Stage.Denied", "\"51/raw/photo/vertical/2025-11-27/deface."),
        ]
    )
);

besieged!(
    keys_of_1_mib_are_refused_in_every_function,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[fails("keys", "Stage.Internal", "all 17 refused as invalid-input: a key has at most 1024 bytes")]
    )
    .effects(only_begun)
);

besieged!(
    texts_for_http_headers_of_1_mib_or_with_a_line_break_are_refused,
    Case::new("hostile", World::Thumbnails, &[fails("headers", "Stage.Internal", "all 8 refused as invalid-input")])
);

besieged!(
    a_list_of_60_mib_as_an_argument_is_refused,
    Case::new("hostile", World::Thumbnails, &[fails("list", "Stage.TooLarge", AT_ONCE)])
        .limits(large)
        .effects(only_begun)
);

besieged!(
    writing_without_end_stops_at_the_quotas,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("appends", "Stage.TooLarge", "limits.quotas.bytesWritten"),
            fails("copies", "Stage.TooLarge", "limits.quotas.bytesWritten"),
            fails("objects", "Stage.TooLarge", "limits.quotas.objectsWritten"),
        ]
    )
    .limits(quotas)
    .effects(within_quotas)
);

besieged!(
    offsets_and_lengths_that_overflow_are_contained,
    Case::new("hostile", World::Thumbnails, &[fails("edges", "Stage.TooLarge", "limits.quotas.bytesWritten")])
        .effects(only_begun)
);

besieged!(
    looking_without_end_stops_at_the_quota,
    Case::new("hostile", World::Thumbnails, &[fails("looks", "Stage.TooLarge", "limits.quotas.storageRequests")])
        .limits(quotas)
        .effects(within_quotas)
);

besieged!(
    beginning_objects_with_keys_of_1_mib_ends_at_the_deadline,
    Case::new("hostile", World::Thumbnails, &[fails("writers", "Stage.Timeout", "50 ms")]).limits(short)
);
