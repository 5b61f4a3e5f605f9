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
    assert!(matches!(&events[5].detail, Detail::StateExited { output, .. } if output["Error"] == "A"));
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
            "6 4 WaitStateAborted",
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
            "12 10 MapStateSucceeded",
            "13 10 MapStateExited",
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
async fn a_failed_iteration_is_followed_by_the_aborted_ones() {
    let script = Script::new().reply("T", 9, Ok(json!(1))).reply("T", 1, Err(TaskError::new("E", "x")));
    let states = json!({"M": {
        "Type": "Map", "End": true,
        "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": INVOKE, "End": true}}}
    }});
    let kinds: Vec<_> = history(states, json!([1, 2]), script).await.iter().map(|event| event.event_type()).collect();
    assert_eq!(
        kinds[kinds.len() - 6..],
        [
            "TaskFailed",
            "MapIterationFailed",
            "TaskStateAborted",
            "MapIterationAborted",
            "MapStateFailed",
            "ExecutionFailed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_machine_itself_has_no_previous_event() {
    let events =
        history(json!({"P": {"Type": "Pass", "InputPath": "$.x", "End": true}}), json!({}), Script::new()).await;
    assert_eq!(chain(&events), ["1 0 ExecutionStarted", "2 0 PassStateEntered", "3 0 ExecutionFailed"]);
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
