#![allow(clippy::unwrap_used)]
use super::*;

/// Returns a history from its short form: number, previous, kind, state.
pub(in crate::batch) fn history(events: &[(i64, i64, &str, &str)]) -> Vec<PastEvent> {
    let event = |&(id, previous, kind, state): &(i64, i64, &str, &str)| PastEvent {
        id,
        previous,
        kind: kind.to_owned(),
        state: (!state.is_empty()).then(|| state.to_owned()),
        at: OffsetDateTime::from_unix_timestamp(1_700_000_000 + id).ok(),
        error: kind.ends_with("Failed").then(|| "Boom".to_owned()),
        ..PastEvent::default()
    };
    events.iter().map(event).collect()
}

#[test]
fn tries_branches_and_catches_belong_to_their_states() {
    let events = history(&[
        (1, 0, "ExecutionStarted", ""),
        (2, 0, "TaskStateEntered", "Check"),
        (3, 2, "TaskScheduled", ""),
        (4, 3, "TaskStarted", ""),
        (5, 4, "TaskFailed", ""),
        (6, 5, "TaskScheduled", ""),
        (7, 6, "TaskSucceeded", ""),
        (8, 7, "TaskStateExited", "Check"),
        (9, 8, "ParallelStateEntered", "Both"),
        (10, 9, "ParallelStateStarted", ""),
        (11, 10, "TaskStateEntered", "Left"),
        (12, 10, "PassStateEntered", "Right"),
        (13, 11, "TaskScheduled", ""),
        (14, 12, "PassStateExited", "Right"),
        (15, 13, "TaskFailed", ""),
        (16, 15, "TaskStateExited", "Left"),
        (17, 16, "PassStateEntered", "Note"),
        (18, 17, "PassStateExited", "Note"),
        (19, 18, "ParallelStateSucceeded", ""),
        (20, 19, "ParallelStateExited", "Both"),
        (21, 20, "FailStateEntered", "Give up"),
        (22, 21, "ExecutionFailed", ""),
    ]);
    let visits = visits(&events, ExecutionStatus::Failed);
    let short: Vec<_> = visits
        .all
        .iter()
        .map(|visit| (visit.state.as_str(), visit.depth, visit.attempts.len(), visit.ending))
        .collect();
    assert_eq!(
        short,
        [
            ("Check", 0, 2, Ending::Left),
            ("Both", 0, 1, Ending::Left),
            ("Left", 1, 1, Ending::Caught),
            ("Right", 1, 0, Ending::Left),
            ("Note", 1, 0, Ending::Left),
            ("Give up", 0, 0, Ending::Failed),
        ]
    );
    let taken: Vec<_> = visits.taken.iter().map(|(from, to)| format!("{from}>{to}")).collect();
    assert_eq!(taken, ["Both>Give up", "Check>Both", "Left>Note"]);
    assert_eq!(visits.all[0].attempts[0].fault.as_ref().map(|(error, _)| error.as_str()), Some("Boom"));
    assert!(visits.all.iter().all(|visit| visit.state == "Give up" || visit.left.is_some()));
}

#[test]
fn an_execution_that_runs_is_in_a_state_and_one_that_was_stopped_was() {
    let events =
        history(&[(1, 0, "ExecutionStarted", ""), (2, 0, "TaskStateEntered", "A"), (3, 2, "TaskScheduled", "")]);
    assert_eq!(visits(&events, ExecutionStatus::Running).all[0].ending, Ending::Running);
    assert_eq!(visits(&events, ExecutionStatus::Aborted).all[0].ending, Ending::Stopped);
}

#[test]
fn nothing_runs_inside_a_state_that_failed_and_was_caught() {
    let events = history(&[
        (1, 0, "ExecutionStarted", ""),
        (2, 0, "ParallelStateEntered", "Both"),
        (3, 2, "ParallelStateStarted", ""),
        (4, 3, "TaskStateEntered", "Left"),
        (5, 3, "TaskStateEntered", "Right"),
        (6, 4, "TaskScheduled", ""),
        (7, 5, "TaskScheduled", ""),
        (8, 6, "TaskFailed", ""),
        (9, 8, "ParallelStateFailed", ""),
        (10, 9, "ParallelStateExited", "Both"),
        (11, 10, "PassStateEntered", "Note"),
        (12, 11, "PassStateExited", "Note"),
        (13, 12, "ExecutionSucceeded", ""),
    ]);
    let statuses =
        [ExecutionStatus::Running, ExecutionStatus::Succeeded, ExecutionStatus::Failed, ExecutionStatus::Aborted];
    for status in statuses {
        let visits = visits(&events, status);
        let endings: Vec<_> = visits.all.iter().map(|visit| (visit.state.as_str(), visit.ending)).collect();
        let expected =
            [("Both", Ending::Caught), ("Left", Ending::Failed), ("Right", Ending::Stopped), ("Note", Ending::Left)];
        assert_eq!(endings, expected);
    }
}

/// Returns the states of a history, each with the number of its tries.
fn tries(events: &[(i64, i64, &str, &str)], status: ExecutionStatus) -> Vec<(String, usize, Ending)> {
    let visits = visits(&history(events), status);
    visits.all.iter().map(|visit| (visit.state.clone(), visit.attempts.len(), visit.ending)).collect()
}

#[test]
fn a_try_between_two_redrives_belongs_to_the_state_that_was_open() {
    let events = [
        (1, 0, "ExecutionStarted", ""),
        (2, 0, "TaskStateEntered", "First"),
        (3, 2, "TaskScheduled", ""),
        (4, 0, "ExecutionAborted", ""),
        (5, 4, "ExecutionRedriven", ""),
        (6, 5, "TaskScheduled", ""),
        (7, 0, "ExecutionAborted", ""),
        (8, 7, "ExecutionRedriven", ""),
        (9, 8, "TaskScheduled", ""),
        (10, 9, "TaskSucceeded", ""),
        (11, 10, "TaskStateExited", "First"),
        (12, 11, "TaskStateEntered", "Second"),
        (13, 12, "TaskScheduled", ""),
    ];
    let expected = [("First".to_owned(), 3, Ending::Left), ("Second".to_owned(), 1, Ending::Running)];
    assert_eq!(tries(&events, ExecutionStatus::Running), expected);
}

#[test]
fn after_a_redrive_tries_belong_to_the_states_that_went_on() {
    // As Step Functions on this machine writes it: a batch was stopped while two branches ran.
    let mut events = vec![
        (1, 0, "ExecutionStarted", ""),
        (2, 0, "ParallelStateEntered", "Both"),
        (3, 2, "ParallelStateStarted", ""),
        (4, 3, "TaskStateEntered", "Left"),
        (5, 4, "TaskScheduled", ""),
        (6, 3, "TaskStateEntered", "Right"),
        (7, 6, "TaskScheduled", ""),
        (8, 5, "TaskStarted", ""),
        (9, 0, "ExecutionAborted", ""),
        (10, 9, "ExecutionRedriven", ""),
        (11, 10, "TaskScheduled", ""),
        (12, 10, "TaskScheduled", ""),
        (13, 11, "TaskStarted", ""),
        (14, 12, "TaskFailed", ""),
        (15, 14, "TaskScheduled", ""),
        (16, 13, "TaskSucceeded", ""),
        (17, 16, "TaskStateExited", "Left"),
    ];
    let state = |name: &str, tries, ending| (name.to_owned(), tries, ending);
    let running =
        [state("Both", 1, Ending::Running), state("Left", 2, Ending::Left), state("Right", 3, Ending::Running)];
    assert_eq!(tries(&events, ExecutionStatus::Running), running);
    events.extend([
        (18, 15, "TaskSucceeded", ""),
        (19, 18, "TaskStateExited", "Right"),
        (20, 19, "ParallelStateSucceeded", ""),
        (21, 19, "ParallelStateExited", "Both"),
        (22, 21, "SucceedStateEntered", "Done"),
        (23, 22, "SucceedStateExited", "Done"),
        (24, 23, "ExecutionSucceeded", ""),
    ]);
    let ended = [
        state("Both", 1, Ending::Left),
        state("Left", 2, Ending::Left),
        state("Right", 3, Ending::Left),
        state("Done", 0, Ending::Left),
    ];
    assert_eq!(tries(&events, ExecutionStatus::Succeeded), ended);
}

#[test]
fn a_history_that_makes_no_sense_is_read_to_its_end() {
    let events = history(&[(5, 9, "TaskStateExited", "A"), (6, 5, "TaskFailed", ""), (7, 7, "MapStateFailed", "")]);
    assert!(visits(&events, ExecutionStatus::Failed).all.is_empty());
}

/// A visit in short: state, depth, tries, whether it belongs to an earlier try, how it ended, and the event at whose time it ended.
type Stay<'a> = (&'a str, usize, usize, bool, Ending, Option<i64>);

fn stays(visits: &Visits) -> Vec<Stay<'_>> {
    let second = |visit: &Visit| visit.end().map(|at| at.unix_timestamp() - 1_700_000_000);
    let all = visits.all.iter();
    all.map(|visit| {
        let Visit { state, depth, attempts, earlier_try, ending, .. } = visit;
        (state.as_str(), *depth, attempts.len(), *earlier_try, *ending, second(visit))
    })
    .collect()
}

#[test]
fn a_map_that_was_tried_again_leaves_nothing_open_of_its_earlier_tries() {
    // Ids, kinds and order as Step Functions recorded them on 8 August 2023 (localstack/localstack,
    // tests/aws/services/stepfunctions/v2/scenarios/test_base_scenarios.snapshot.json, test_map_state_retry_multiple_retriers).
    let mut events = vec![
        (1, 0, "ExecutionStarted", ""),
        (2, 0, "PassStateEntered", "StartState"),
        (3, 2, "PassStateExited", "StartState"),
        (4, 3, "MapStateEntered", "MapState"),
    ];
    for (first, before) in [(5, 4), (9, 7), (13, 11), (17, 15)] {
        events.extend([
            (first, before, "MapStateStarted", ""),
            (first + 1, first, "MapIterationStarted", "MapState"),
            (first + 2, first + 1, "FailStateEntered", "HandleItemFail"),
            (first + 3, first + 2, "MapIterationFailed", "MapState"),
        ]);
    }
    events.extend([(21, 19, "MapStateFailed", ""), (22, 21, "ExecutionFailed", "")]);
    let visits = visits(&history(&events), ExecutionStatus::Failed);
    let expected = [
        ("StartState", 0, 0, false, Ending::Left, Some(3)),
        ("MapState", 0, 4, false, Ending::Failed, None),
        ("HandleItemFail", 1, 0, true, Ending::Failed, Some(7)),
        ("HandleItemFail", 1, 0, true, Ending::Failed, Some(11)),
        ("HandleItemFail", 1, 0, true, Ending::Failed, Some(15)),
        ("HandleItemFail", 1, 0, false, Ending::Failed, None),
    ];
    assert_eq!(stays(&visits), expected);
    assert_eq!(visits.open(), [false, true, false, false, false, true]);
    assert!(visits.all[1].attempts.iter().all(|attempt| attempt.fault.is_some() && attempt.ended.is_some()));
}

#[test]
fn an_iteration_that_follows_another_is_not_inside_it() {
    // The first events of test_map_state_break_condition, recorded there on 21 September 2023.
    let events = history(&[
        (4, 3, "MapStateEntered", "MapState"),
        (5, 4, "MapStateStarted", ""),
        (6, 5, "MapIterationStarted", "MapState"),
        (7, 6, "ChoiceStateEntered", "Equals3"),
        (8, 7, "ChoiceStateExited", "Equals3"),
        (9, 8, "PassStateEntered", "Pass"),
        (10, 9, "PassStateExited", "Pass"),
        (11, 10, "MapIterationSucceeded", "MapState"),
        (12, 10, "MapIterationStarted", "MapState"),
        (13, 12, "ChoiceStateEntered", "Equals3"),
        (14, 13, "ChoiceStateExited", "Equals3"),
        (15, 14, "PassStateEntered", "Pass"),
    ]);
    let visits = visits(&events, ExecutionStatus::Running);
    let depths: Vec<_> = visits.all.iter().map(|visit| visit.depth).collect();
    assert_eq!(depths, [0, 1, 1, 1, 1]);
}

#[test]
fn branches_of_a_failed_try_have_ended_with_it_while_the_next_try_runs() {
    let events = history(&[
        (2, 0, "ParallelStateEntered", "Both"),
        (3, 2, "ParallelStateStarted", ""),
        (4, 3, "TaskStateEntered", "Left"),
        (5, 3, "TaskStateEntered", "Right"),
        (6, 4, "TaskScheduled", ""),
        (7, 5, "TaskScheduled", ""),
        (8, 6, "TaskFailed", ""),
        (9, 8, "TaskStateAborted", ""),
        (12, 8, "ParallelStateStarted", ""),
        (13, 12, "TaskStateEntered", "Left"),
        (14, 13, "TaskScheduled", ""),
    ]);
    let visits = visits(&events, ExecutionStatus::Running);
    let expected = [
        ("Both", 0, 2, false, Ending::Running, None),
        ("Left", 1, 1, true, Ending::Failed, Some(8)),
        ("Right", 1, 1, true, Ending::Stopped, Some(8)),
        ("Left", 1, 1, false, Ending::Running, None),
    ];
    assert_eq!(stays(&visits), expected);
}

#[test]
fn the_state_around_is_tried_again_after_one_inside_it_has_failed() {
    let events = history(&[
        (2, 0, "ParallelStateEntered", "Outer"),
        (3, 2, "ParallelStateStarted", ""),
        (4, 3, "ParallelStateEntered", "Inner"),
        (5, 4, "ParallelStateStarted", ""),
        (6, 5, "FailStateEntered", "Bad"),
        (7, 6, "ParallelStateFailed", ""),
        (8, 7, "ParallelStateStarted", ""),
        (9, 8, "ParallelStateEntered", "Inner"),
        (10, 9, "ParallelStateStarted", ""),
        (11, 10, "FailStateEntered", "Bad"),
        (12, 11, "ParallelStateFailed", ""),
        (13, 12, "ParallelStateFailed", ""),
        (14, 13, "ParallelStateExited", "Outer"),
        (15, 14, "PassStateEntered", "Note"),
    ]);
    let visits = visits(&events, ExecutionStatus::Running);
    let expected = [
        ("Outer", 0, 2, false, Ending::Caught, Some(14)),
        ("Inner", 1, 1, true, Ending::Failed, Some(7)),
        ("Bad", 2, 0, true, Ending::Failed, Some(7)),
        ("Inner", 1, 1, false, Ending::Failed, Some(14)),
        ("Bad", 2, 0, false, Ending::Failed, Some(14)),
        ("Note", 0, 0, false, Ending::Running, None),
    ];
    assert_eq!(stays(&visits), expected);
}

#[test]
fn a_state_with_others_inside_that_succeeds_after_a_redrive_has_not_failed() {
    let events = history(&[
        (2, 0, "ParallelStateEntered", "Both"),
        (3, 2, "ParallelStateStarted", ""),
        (4, 3, "TaskStateEntered", "Left"),
        (5, 4, "TaskScheduled", ""),
        (6, 5, "TaskFailed", ""),
        (7, 6, "ParallelStateFailed", ""),
        (8, 7, "ExecutionFailed", ""),
        (9, 8, "ExecutionRedriven", ""),
        (10, 9, "TaskScheduled", ""),
        (11, 10, "TaskSucceeded", ""),
        (12, 11, "TaskStateExited", "Left"),
        (13, 12, "ParallelStateSucceeded", ""),
        (14, 12, "ParallelStateExited", "Both"),
    ]);
    let visits = visits(&events, ExecutionStatus::Running);
    let expected = [("Both", 0, 2, false, Ending::Left, Some(14)), ("Left", 1, 2, false, Ending::Left, Some(12))];
    assert_eq!(stays(&visits), expected);
}
