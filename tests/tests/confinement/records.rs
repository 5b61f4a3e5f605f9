//! Hostile components whose calls are recorded, and hostile candidates in the shadow of an honest stage.

use stagehost_runtime::World;

use crate::case::{AT_ONCE, Behaviour, Case, Role, fails, large, short, succeeds};
use crate::outside::Outside;

/// Objects were begun, and none was finished.
fn none_finished(outside: &Outside, _: u64) {
    assert!(outside.finished().iter().all(|key| key.starts_with("7/")), "{:?}", outside.finished());
}

/// What never ends, or stores something for every host call.
const ENDLESS: &[Behaviour] = &[fails("writers", "Stage.Timeout", "50 ms"), fails("stats", "Stage.Timeout", "50 ms")];
/// What holds a lot, or breaks in the middle.
const LARGE: &[Behaviour] = &[fails("title", "Stage.TooLarge", AT_ONCE), fails("list", "Stage.TooLarge", AT_ONCE)];
const SMALL: &[Behaviour] = &[
    fails("readers", "Stage.InvalidInput", "16 objects are open already"),
    fails("hoard", "Stage.InvalidInput", "16 objects are being written already"),
    fails("half", "Stage.Trapped", "with a writer open"),
    fails("steal", "Stage.Denied", "\"52/raw/photo/vertical/other.jpg\""),
    succeeds("abandon"),
];

besieged!(
    a_recorded_loop_of_writers_with_keys_of_1_mib_ends_at_its_deadline,
    Case::new("hostile", World::Thumbnails, ENDLESS).limits(short).role(Role::Recorded)
);

besieged!(
    a_recorded_call_that_holds_a_lot_ends_as_an_unrecorded_one,
    Case::new("hostile", World::Thumbnails, LARGE).limits(large).role(Role::Recorded).effects(none_finished)
);

besieged!(
    a_recorded_call_that_breaks_ends_as_an_unrecorded_one,
    Case::new("hostile", World::Thumbnails, SMALL).role(Role::Recorded).effects(none_finished)
);

besieged!(
    a_candidate_that_loops_with_keys_of_1_mib_ends_at_its_deadline,
    Case::new("hostile", World::Thumbnails, ENDLESS).limits(short).role(Role::Shadow)
);

besieged!(
    a_candidate_that_holds_a_lot_harms_nobody,
    Case::new("hostile", World::Thumbnails, LARGE).limits(large).role(Role::Shadow)
);

besieged!(a_candidate_that_breaks_harms_nobody, Case::new("hostile", World::Thumbnails, SMALL).role(Role::Shadow));
