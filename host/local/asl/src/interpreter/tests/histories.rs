//! The events of whole executions, as the service records them.

use super::*;
use crate::Detail;

async fn history(states: Value, input: Value, script: Script) -> Vec<Arc<Event>> {
    let execution = start(states, input, &Arc::new(script), &TokenBoard::new());
    execution.wait().await;
    execution.history()
}

fn last_is(events: &[Arc<Event>], kind: &str) {
    assert_eq!(events.last().unwrap().event_type(), kind);
}

#[tokio::test(start_paused = true)]
async fn a_task_is_entered_scheduled_started_and_left() {
    let states = json!({"S": {"Type": "Task", "Resource": INVOKE, "Next": "D"}, "D": {"Type": "Succeed"}});
    assert_eq!(
        chain(&history(states, json!({}), Script::new()).await),
        [
            "1 0 ExecutionStarted",
            "2 0 TaskStateEntered",
            "3 2 TaskScheduled",
            "4 3 TaskStarted",
            "5 4 TaskSucceeded",
            "6 5 TaskStateExited",
            "7 6 SucceedStateEntered",
            "8 7 SucceedStateExited",
            "9 8 ExecutionSucceeded",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_plain_function_has_its_own_events_and_a_retry_follows_the_failure() {
    let states = json!({"S": {
        "Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:111122223333:function:f", "End": true,
        "Retry": [{"ErrorEquals": ["A"]}]
    }});
    assert_eq!(
        chain(&history(states, json!({}), Script::new().fails("S", "A").reply("S", 0, Ok(json!(1)))).await),
        [
            "1 0 ExecutionStarted",
            "2 0 TaskStateEntered",
            "3 2 LambdaFunctionScheduled",
            "4 3 LambdaFunctionStarted",
            "5 4 LambdaFunctionFailed",
            "6 5 LambdaFunctionScheduled",
            "7 6 LambdaFunctionStarted",
            "8 7 LambdaFunctionSucceeded",
            "9 8 TaskStateExited",
            "10 9 ExecutionSucceeded",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_caught_leaves_the_state_with_the_error_as_its_output() {
    let states = json!({
        "S": {"Type": "Task", "Resource": INVOKE, "End": true, "Catch": [{"ErrorEquals": ["A"], "Next": "F"}]},
        "F": {"Type": "Fail", "Error": "E"}
    });
    let events = history(states, json!({}), Script::new().fails("S", "A")).await;
    assert_eq!(
        chain(&events)[4..],
        ["5 4 TaskFailed", "6 5 TaskStateExited", "7 6 FailStateEntered", "8 7 ExecutionFailed"]
    );
    assert!(matches!(&events[5].detail, Detail::StateExited { output, .. } if output.value()["Error"] == "A"));
}

#[tokio::test(start_paused = true)]
async fn branches_begin_at_the_parallel_state_and_the_next_event_points_to_the_last_branch() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "End": true}}});
    let states = json!({"P": {"Type": "Parallel", "Branches": [branch("A"), branch("B")], "End": true}});
    assert_eq!(
        chain(&history(states, json!({}), Script::new()).await),
        [
            "1 0 ExecutionStarted",
            "2 0 ParallelStateEntered",
            "3 2 ParallelStateStarted",
            "4 3 PassStateEntered",
            "5 4 PassStateExited",
            "6 3 PassStateEntered",
            "7 6 PassStateExited",
            "8 7 ParallelStateSucceeded",
            "9 7 ParallelStateExited",
            "10 9 ExecutionSucceeded",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_branch_is_followed_by_the_aborted_states() {
    let branch = |name: &str, state: Value| json!({"StartAt": name, "States": {name: state}});
    let states = json!({"P": {
        "Type": "Parallel", "End": true,
        "Branches": [
            branch("Slow", json!({"Type": "Wait", "Seconds": 60, "End": true})),
            branch("Bad", json!({"Type": "Fail", "Error": "E"}))
        ]
    }});
    assert_eq!(
        chain(&history(states, json!({}), Script::new()).await)[3..],
        [
            "4 3 WaitStateEntered",
            "5 3 FailStateEntered",
            "6 5 WaitStateAborted",
            "7 5 ParallelStateFailed",
            "8 7 ExecutionFailed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn sequential_iterations_are_recorded_one_after_the_other() {
    let states = json!({"M": {
        "Type": "Map", "MaxConcurrency": 1, "End": true,
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}
    }});
    assert_eq!(
        chain(&history(states, json!([1, 2]), Script::new()).await),
        [
            "1 0 ExecutionStarted",
            "2 0 MapStateEntered",
            "3 2 MapStateStarted",
            "4 3 MapIterationStarted",
            "5 4 PassStateEntered",
            "6 5 PassStateExited",
            "7 6 MapIterationSucceeded",
            "8 6 MapIterationStarted",
            "9 8 PassStateEntered",
            "10 9 PassStateExited",
            "11 10 MapIterationSucceeded",
            "12 11 MapStateSucceeded",
            "13 11 MapStateExited",
            "14 13 ExecutionSucceeded",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_map_that_is_retried_starts_again_and_fails_once() {
    let states = json!({"M": {
        "Type": "Map", "End": true, "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
        "ItemProcessor": {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}}
    }});
    let events = history(states, json!([1]), Script::new()).await;
    assert_eq!(
        chain(&events)[2..],
        [
            "3 2 MapStateStarted",
            "4 3 MapIterationStarted",
            "5 4 FailStateEntered",
            "6 5 MapIterationFailed",
            "7 5 MapStateStarted",
            "8 7 MapIterationStarted",
            "9 8 FailStateEntered",
            "10 9 MapIterationFailed",
            "11 9 MapStateFailed",
            "12 11 ExecutionFailed",
        ]
    );
    assert_eq!(
        events.last().unwrap().to_json(true)["executionFailedEventDetails"],
        json!({"error": "E", "cause": "c"})
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_each_iteration_is_recorded_in_their_order_after_one_failed() {
    let script = Script::new().reply("T", 9, Ok(json!(1))).reply("T", 1, Err(TaskError::new("E", "x")));
    let states = json!({"M": {
        "Type": "Map", "End": true,
        "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": INVOKE, "End": true}}}
    }});
    let kinds: Vec<_> = history(states, json!([1, 2]), script).await.iter().map(|event| event.event_type()).collect();
    assert_eq!(
        kinds[kinds.len() - 7..],
        [
            "TaskFailed",
            "MapIterationAborted",
            "TaskStateAborted",
            "MapIterationFailed",
            "TaskStateAborted",
            "MapStateFailed",
            "ExecutionFailed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_machine_itself_points_to_the_last_event() {
    let events =
        history(json!({"P": {"Type": "Pass", "InputPath": "$.x", "End": true}}), json!({}), Script::new()).await;
    assert_eq!(chain(&events), ["1 0 ExecutionStarted", "2 0 PassStateEntered", "3 2 ExecutionFailed"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_every_event_in_order_and_then_the_end() {
    let states = json!({"W": {"Type": "Wait", "Seconds": 5, "End": true}});
    let execution = start(states, json!({}), &Arc::new(Script::new()), &TokenBoard::new());
    let (mut early, mut seen) = (execution.subscribe(), Vec::new());
    while let Some(event) = early.next().await {
        seen.push(event);
    }
    assert_eq!(seen, execution.history());
    assert_eq!(early.next().await, None);
    let mut late = execution.subscribe();
    assert_eq!(late.next().await.unwrap().id, 1);
    last_is(&seen, "ExecutionSucceeded");
    let waited = seen[2].timestamp - seen[1].timestamp;
    assert_eq!(waited, time::Duration::seconds(5));
}

/// The chains below are those that the service recorded for the same machines.
#[tokio::test(start_paused = true)]
async fn a_failure_of_the_machine_in_a_branch_or_an_iteration_leaves_no_event_of_the_states_around_it() {
    let inner = json!({"StartAt": "Fast", "States": {
        "Fast": {"Type": "Pass", "Parameters": {"m.$": "$.nope"}, "End": true}
    }});
    let slow = json!({"StartAt": "Slow", "States": {"Slow": {"Type": "Wait", "Seconds": 9, "End": true}}});
    let parallel = json!({"P": {"Type": "Parallel", "Branches": [slow, inner], "End": true}});
    assert_eq!(
        chain(&history(parallel, json!({}), Script::new()).await)[3..],
        ["4 3 WaitStateEntered", "5 3 PassStateEntered", "6 5 ExecutionFailed"]
    );
    let map = json!({"M": {"Type": "Map", "ItemProcessor": inner, "End": true}});
    assert_eq!(
        chain(&history(map, json!([1, 2]), Script::new()).await)[2..],
        [
            "3 2 MapStateStarted",
            "4 3 MapIterationStarted",
            "5 3 MapIterationStarted",
            "6 4 PassStateEntered",
            "7 6 ExecutionFailed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_branches_points_to_their_success() {
    let states = json!({"P": {
        "Type": "Parallel", "ResultSelector": {"m.$": "$.nope"}, "End": true,
        "Branches": [{"StartAt": "Ok", "States": {"Ok": {"Type": "Pass", "End": true}}}]
    }});
    assert_eq!(
        chain(&history(states, json!({}), Script::new()).await)[2..],
        [
            "3 2 ParallelStateStarted",
            "4 3 PassStateEntered",
            "5 4 PassStateExited",
            "6 5 ParallelStateSucceeded",
            "7 6 ExecutionFailed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_its_branch_is_recorded_as_aborted_beside_the_chain() {
    let states = json!({
        "P": {
            "Type": "Parallel", "End": true, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "H"}],
            "Branches": [{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": INVOKE, "End": true}}}]
        },
        "H": {"Type": "Pass", "End": true}
    });
    assert_eq!(
        chain(&history(states, json!({}), Script::new().fails("T", "A")).await)[3..],
        [
            "4 3 TaskStateEntered",
            "5 4 TaskScheduled",
            "6 5 TaskStarted",
            "7 6 TaskFailed",
            "8 7 TaskStateAborted",
            "9 7 ParallelStateFailed",
            "10 9 ParallelStateExited",
            "11 10 PassStateEntered",
            "12 11 PassStateExited",
            "13 12 ExecutionSucceeded",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn all_iterations_begin_before_the_first_one_runs_and_one_failure_ends_them_in_order() {
    let script = Script::new().reply("T", 9, Err(TaskError::new("E", "x")));
    let states = json!({"M": {
        "Type": "Map", "End": true,
        "ItemProcessor": {"StartAt": "T", "States": {"T": {
            "Type": "Task", "Resource": INVOKE, "TimeoutSeconds": 5, "End": true
        }}}
    }});
    let events = chain(&history(states, json!([1, 2]), script).await);
    assert_eq!(events[3..5], ["4 3 MapIterationStarted", "5 3 MapIterationStarted"]);
    assert_eq!(
        events[events.len() - 6..],
        [
            "13 12 MapIterationFailed",
            "14 12 TaskStateAborted",
            "15 12 MapIterationAborted",
            "16 12 TaskStateAborted",
            "17 12 MapStateFailed",
            "18 17 ExecutionFailed",
        ]
    );
    assert_eq!(events[11], "12 10 TaskTimedOut");
}

#[tokio::test(start_paused = true)]
async fn a_map_over_no_items_exits_from_its_start() {
    let states = json!({"M": {
        "Type": "Map", "End": true,
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}
    }});
    assert_eq!(
        chain(&history(states, json!([]), Script::new()).await)[2..],
        ["3 2 MapStateStarted", "4 3 MapStateSucceeded", "5 3 MapStateExited", "6 5 ExecutionSucceeded"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_one_event_without_a_previous_one() {
    let states = json!({"W": {"Type": "Wait", "Seconds": 60, "End": true}});
    let execution = start(states, json!({}), &Arc::new(Script::new()), &TokenBoard::new());
    tokio::time::sleep(Duration::from_secs(1)).await;
    execution.stop(None, None);
    execution.wait().await;
    assert_eq!(chain(&execution.history()), ["1 0 ExecutionStarted", "2 0 WaitStateEntered", "3 0 ExecutionAborted"]);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_changes_nothing_shares_one_text_with_its_neighbours() {
    let states = json!({
        "A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Choice", "Choices": [
            {"Variable": "$.n", "NumericEquals": 1, "Next": "C"}
        ]},
        "C": {"Type": "Succeed"}
    });
    let execution =
        start(states, json!({"n": 1, "t": "x".repeat(50_000)}), &Arc::new(Script::new()), &TokenBoard::new());
    execution.wait().await;
    // One for the start of the execution, one for all events after it, and the input as a value.
    let bytes = execution.history_bytes();
    assert!(bytes < 3 * 50_000 + 10_000, "{bytes}");
}
