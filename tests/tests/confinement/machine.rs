//! Time, memory, the stack, the standard streams and whatever else WASI has.

use stagehost_runtime::{Limits, World};

use crate::case::{AT_ONCE, Case, fails, large, short, small, succeeds};

besieged!(
    a_loop_ends_at_its_deadline,
    Case::new("hostile", World::Thumbnails, &[fails("loop", "Stage.Timeout", "50 ms")]).limits(short)
);

besieged!(
    a_component_that_loops_before_it_is_called_ends_at_its_deadline,
    Case::new("slow_start", World::Thumbnails, &[fails("start", "Stage.Timeout", "50 ms")]).limits(short)
);

besieged!(
    a_sleeper_ends_at_its_deadline,
    Case::new("hostile", World::Thumbnails, &[fails("sleep", "Stage.Timeout", "300 ms")])
        .limits(|| Limits { deadline_ms: 300, ..short() })
);

besieged!(
    memory_beyond_the_pin_is_refused,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("memory", "Stage.OutOfMemory", "16 MiB of memory that its pin allows"),
            fails("grow", "Stage.Internal", "MiB and not more"),
        ]
    )
);

besieged!(
    recursion_without_end_is_a_trap,
    Case::new("hostile", World::Thumbnails, &[fails("stack", "Stage.Trapped", "hostile::machine::overflow")])
);

besieged!(
    a_panic_and_an_exit_are_traps_with_the_crash_message,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[fails("panic", "Stage.Trapped", "a guest's panic, on purpose"), fails("exit", "Stage.Trapped", "exit"),]
    )
);

besieged!(
    of_what_a_stage_prints_only_the_end_is_kept,
    Case::new("hostile", World::Thumbnails, &[succeeds("flood"), succeeds("chatter")])
);

besieged!(
    a_line_of_60_mib_in_one_write_is_refused,
    Case::new("hostile", World::Thumbnails, &[fails("line", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    a_hundred_thousand_reports_of_progress_change_nothing,
    Case::new("hostile", World::Thumbnails, &[succeeds("progress")])
);

besieged!(
    random_bytes_by_the_mebibyte_are_refused,
    Case::new("hostile", World::Thumbnails, &[fails("random", "Stage.Trapped", "exceeds limit")]).limits(large)
);

besieged!(
    there_is_no_environment_no_folder_and_no_network,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("environment", "Stage.Internal", "variables [], files 0"),
            fails("network", "Stage.Internal", "connected: false"),
        ]
    )
    .limits(small)
);
