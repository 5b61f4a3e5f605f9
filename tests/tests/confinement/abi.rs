//! Components that break the rules of the canonical ABI: what they pass is no value of the contract's types.

use stagehost_runtime::World;

use crate::case::{AT_ONCE, Behaviour, Case, fails, large, short};

const fn traps(name: &'static str, says: &'static str) -> Behaviour {
    fails(name, "Stage.Trapped", says)
}

besieged!(
    an_answer_that_is_no_value_of_its_type_is_a_trap,
    Case::new(
        "crooked",
        World::Thumbnails,
        &[
            traps("text", "invalid utf-8"),
            traps("surrogate", "invalid utf-8"),
            traps("beyond", "string pointer/length out of bounds of memory"),
            traps("type", "discriminant"),
            traps("option", "invalid option discriminant"),
            traps("result", "invalid expected discriminant"),
            traps("failure", "discriminant"),
            traps("unaligned", "list pointer is not aligned"),
            traps("outside", "list pointer/length out of bounds of memory"),
            traps("nowhere", "pointer out of bounds of memory"),
            traps("crooked", "return pointer not aligned"),
        ]
    )
);

besieged!(
    a_length_without_end_is_refused_before_anything_is_allocated_for_it,
    Case::new("crooked", World::Thumbnails, &[traps("endless", "out of bounds"), traps("count", "out of bounds")])
);

besieged!(
    a_component_that_traps_when_the_host_asks_it_for_memory_or_hands_its_answer_back_is_a_trap,
    Case::new(
        "crooked",
        World::Thumbnails,
        &[
            traps("post-trap", "unreachable"),
            traps("realloc-trap", "unreachable"),
            traps("realloc-beyond", "realloc return: beyond end of memory"),
            traps("realloc-again", "cannot leave component instance"),
        ]
    )
);

besieged!(
    a_component_that_loops_when_the_host_asks_it_for_memory_or_hands_its_answer_back_ends_at_its_deadline,
    Case::new(
        "crooked",
        World::Thumbnails,
        &[fails("post-loop", "Stage.Timeout", "50 ms"), fails("realloc-loop", "Stage.Timeout", "50 ms")]
    )
    .limits(short)
);

besieged!(
    an_argument_that_is_no_value_of_its_type_is_a_trap,
    Case::new(
        "crooked",
        World::Thumbnails,
        &[
            traps("import-beyond", "string pointer/length out of bounds of memory"),
            traps("import-endless", "out of bounds"),
            traps("import-text", "invalid utf-8"),
            traps("import-type", "discriminant"),
            traps("handle", "unknown handle index"),
            traps("twice", "unknown handle index"),
            traps("stranger", "handle index"),
        ]
    )
);

besieged!(
    an_answer_of_a_million_renditions_is_refused,
    Case::new("crooked", World::Thumbnails, &[fails("million", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    an_answer_of_a_million_attributes_is_refused,
    Case::new("crooked", World::Thumbnails, &[fails("attributes", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    an_answer_of_many_short_texts_takes_no_more_than_its_share_of_the_host,
    Case::new("crooked", World::Thumbnails, &[fails("short", "Stage.TooLarge", "the stage's answer takes ")])
);

besieged!(
    a_thousand_lists_that_are_all_the_same_mebibyte_are_refused,
    Case::new("crooked", World::Thumbnails, &[fails("echo", "Stage.TooLarge", AT_ONCE)])
);
