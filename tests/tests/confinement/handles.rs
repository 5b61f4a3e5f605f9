//! Handles that are kept or left behind. Each stands for something on the host.

use stagehost_runtime::World;

use crate::case::{Case, fails, small, succeeds};
use crate::outside::Outside;

/// Objects were begun, and none was finished.
fn none_finished(outside: &Outside, _: u64) {
    assert!(outside.finished().iter().all(|key| key.starts_with("7/")), "{:?}", outside.finished());
}

besieged!(
    the_seventeenth_open_object_is_refused,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("readers", "Stage.InvalidInput", "16 objects are open already"),
            fails("hoard", "Stage.InvalidInput", "16 objects are being written already"),
        ]
    )
    .effects(none_finished)
);

besieged!(
    handles_of_wasi_without_end_are_refused,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("timers", "Stage.Trapped", "resource table has no free keys"),
            fails("streams", "Stage.Trapped", "resource table has no free keys"),
            fails("networks", "Stage.Trapped", "resource table has no free keys"),
        ]
    )
);

besieged!(
    a_timer_that_is_named_200_000_times_in_one_list_is_refused,
    Case::new("hostile", World::Thumbnails, &[fails("poll", "Stage.Trapped", "handle limit exceeded")]).limits(small)
);

besieged!(
    tables_count_as_memory,
    Case {
        guest: Case::new("hostile", World::Thumbnails, &[]).guest.with_tables(62),
        ..Case::new(
            "hostile",
            World::Thumbnails,
            &[fails("tables", "Stage.OutOfMemory", "16 MiB of memory that its pin allows")]
        )
    }
);

besieged!(
    a_panic_with_a_writer_open_leaves_nothing_behind,
    Case::new("hostile", World::Thumbnails, &[fails("half", "Stage.Trapped", "with a writer open")])
        .effects(none_finished)
);

besieged!(
    writers_that_are_left_open_are_discarded,
    Case::new("hostile", World::Thumbnails, &[succeeds("abandon")]).effects(none_finished)
);
