//! Answers that are too large, or that speak for others.

use stagehost_runtime::World;

use crate::case::{AT_ONCE, Case, fails, large, succeeds};

/// Part of the refusal of an answer that would be too large for the batch's document.
const ANSWER: &str = "the stage's answer takes ";

besieged!(
    a_title_of_60_mib_is_refused,
    Case::new("hostile", World::Thumbnails, &[fails("title", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    an_error_message_of_60_mib_is_refused,
    Case::new("hostile", World::Thumbnails, &[fails("message", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    a_problem_of_60_mib_is_refused,
    Case::new("hostile", World::Thumbnails, &[fails("problem", "Stage.TooLarge", AT_ONCE)]).limits(large)
);

besieged!(
    answers_beyond_the_size_of_a_document_are_refused,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("boast", "Stage.TooLarge", AT_ONCE),
            fails("brag", "Stage.TooLarge", ANSWER),
            fails("exaggerate", "Stage.Internal", "claims 1000 renditions; at most 64 are accepted"),
        ]
    )
    .limits(large)
);

besieged!(
    an_answer_for_another_file_or_as_another_type_is_refused,
    Case::new(
        "hostile",
        World::Thumbnails,
        &[
            fails("rename", "Stage.Internal", "`52/raw/photo/vertical/other.jpg` was returned in place of `51/raw/"),
            fails("recast", "Stage.Internal", "its media type follows from its key"),
            fails("forge", "Stage.Denied", "\"52/thumb/theirs.jpg\""),
            fails(
                "invent",
                "Stage.Internal",
                "it has neither written nor looked at \"51/thumb/photo/vertical/invented.jpg\""
            ),
            succeeds("well-behaved"),
        ]
    )
);

besieged!(
    a_batch_stage_that_answers_for_other_files_and_archives_is_refused,
    Case::new(
        "hostile_batch",
        World::CustomBatch,
        &[
            fails("strange", "Stage.Internal", "\"51/raw/photo/vertical/nobody.jpg\", which is not in the batch"),
            fails("stranger", "Stage.Internal", "\"52/raw/photo/vertical/other.jpg\", which is not in the batch"),
            fails("bundle", "Stage.Denied", "\"52/zip/batch-5/complete.zip\""),
            fails("name", "Stage.InvalidInput", "1 to 64 lower-case letters"),
        ]
    )
);

besieged!(
    a_batch_stage_that_answers_too_much_is_refused,
    Case::new(
        "hostile_batch",
        World::CustomBatch,
        &[
            fails("failures", "Stage.TooLarge", ANSWER),
            fails("assets", "Stage.TooLarge", AT_ONCE),
            fails("note", "Stage.TooLarge", AT_ONCE),
            fails("bundles", "Stage.TooLarge", AT_ONCE),
        ]
    )
    .limits(large)
);
