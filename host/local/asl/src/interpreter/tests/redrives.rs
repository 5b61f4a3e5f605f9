//! Executions that go on from where they stopped.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::{INVOKE, Script, chain, start, start_machine};
use crate::{Status, TaskError, TokenBoard};

fn task(more: &Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": INVOKE, "Parameters": {"n": 1}});
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

fn flow(name: &str) -> Value {
    json!({"StartAt": name, "States": {(name): task(&json!({"End": true}))}})
}

/// Returns how often each state called the resource.
fn calls(script: &Script, state: &str) -> usize {
    script.times(state).len()
}

#[tokio::test(start_paused = true)]
async fn only_the_branch_that_failed_runs_again() {
    let script = Script::new()
        .reply("Good", 1, Ok(json!("good")))
        .reply("Bad", 5, Err(TaskError::new("E", "c")))
        .reply("Bad", 0, Ok(json!("better")));
    let script = Arc::new(script);
    let states = json!({
        "Both": {"Type": "Parallel", "Branches": [flow("Good"), flow("Bad")], "Next": "End"},
        "End": {"Type": "Succeed"}
    });
    let execution = start(states, json!({}), &script, &TokenBoard::new());
    assert_eq!(execution.wait().await.status, Status::Failed);
    assert!(execution.history_bytes() > 0);
    execution.redrive().unwrap();
    let outcome = execution.wait().await;
    assert_eq!((outcome.status, outcome.output), (Status::Succeeded, Some(json!(["good", "better"]))));
    assert_eq!((calls(&script, "Good"), calls(&script, "Bad")), (1, 2));
    let history = execution.history();
    let after = history.iter().position(|event| event.event_type() == "ExecutionRedriven").unwrap();
    let types: Vec<String> = history[after..].iter().map(|event| event.event_type()).collect();
    assert_eq!(
        types,
        [
            "ExecutionRedriven",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ParallelStateSucceeded",
            "ParallelStateExited",
            "SucceedStateEntered",
            "SucceedStateExited",
            "ExecutionSucceeded"
        ],
        "{:#?}",
        chain(&history)
    );
    assert_eq!(execution.redrives().count, 1);
    let (mut events, mut seen) = (execution.subscribe(), 0);
    while events.next().await.is_some() {
        seen += 1;
    }
    assert_eq!(seen, history.len(), "a stream goes on over the redrive");
}

#[tokio::test(start_paused = true)]
async fn iterations_that_ended_are_kept_and_those_that_never_began_begin() {
    let script = Script::new()
        .reply("Each", 0, Ok(json!("a")))
        .reply("Each", 0, Err(TaskError::new("E", "c")))
        .reply("Each", 0, Ok(json!("b")))
        .reply("Each", 0, Ok(json!("c")));
    let script = Arc::new(script);
    let states = json!({"Map": {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": flow("Each"), "End": true}});
    let execution = start(states, json!([1, 2, 3]), &script, &TokenBoard::new());
    assert_eq!(execution.wait().await.status, Status::Failed);
    execution.redrive().unwrap();
    assert_eq!(execution.wait().await.output, Some(json!(["a", "b", "c"])));
    assert_eq!(calls(&script, "Each"), 4);
    assert!(execution.redrive().unwrap_err().0.contains("SUCCEEDED"));
}

#[tokio::test(start_paused = true)]
async fn a_map_goes_on_with_the_items_that_it_began_with() {
    let script = Script::new()
        .reply("Each", 0, Ok(json!("a")))
        .reply("Each", 0, Err(TaskError::new("E", "c")))
        .reply("Each", 0, Ok(json!("b")))
        .reply("Each", 0, Ok(json!("c")));
    let script = Arc::new(script);
    let each = json!({"Type": "Task", "Resource": INVOKE, "Arguments": "{% $states.input %}", "End": true});
    let machine = json!({"QueryLanguage": "JSONata", "StartAt": "Map", "States": {"Map": {
        "Type": "Map", "MaxConcurrency": 1, "End": true,
        "Items": "{% ($id := $uuid(); $map([1..3], function($n){ $id & '/' & $n })) %}",
        "ItemProcessor": {"StartAt": "Each", "States": {"Each": each}}
    }}});
    let execution = start_machine(machine, json!({}), &script, &TokenBoard::new());
    assert_eq!(execution.wait().await.status, Status::Failed);
    execution.redrive().unwrap();
    assert_eq!(execution.wait().await.output, Some(json!(["a", "b", "c"])));
    let calls = script.calls.lock().unwrap();
    let items: Vec<&str> = calls.iter().map(|call| call.1.as_str().unwrap()).collect();
    let (id, _) = items[0].split_once('/').unwrap();
    assert_eq!(items, ["1", "2", "2", "3"].map(|item| format!("{id}/{item}")), "the items are computed once");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_execution_goes_on_and_its_retries_are_counted_from_zero() {
    let script = Script::new().fails("Work", "E").reply("Work", 100, Ok(json!(1))).fails("Work", "E").reply(
        "Work",
        0,
        Ok(json!(2)),
    );
    let script = Arc::new(script);
    let retry = json!({"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 1, "MaxAttempts": 1}], "End": true});
    let execution = start(json!({"Work": task(&retry)}), json!({}), &script, &TokenBoard::new());
    sleep(Duration::from_secs(10)).await;
    execution.stop(None, None);
    assert_eq!(execution.wait().await.status, Status::Aborted);
    assert!(execution.redrive().is_ok());
    assert!(execution.redrive().unwrap_err().0.contains("RUNNING"));
    assert_eq!(execution.wait().await.output, Some(json!(2)));
    let counts: Vec<u64> = script.calls.lock().unwrap().iter().map(|call| call.2).collect();
    assert_eq!(counts, [0, 1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_may_fail_and_be_redriven_again() {
    let script = Arc::new(Script::new().fails("Work", "E").fails("Work", "E").reply("Work", 0, Ok(json!(3))));
    let states =
        json!({"Before": {"Type": "Pass", "Result": [7], "Next": "Work"}, "Work": task(&json!({"End": true}))});
    let execution = start(states, json!({}), &script, &TokenBoard::new());
    for count in 1..=2 {
        assert_eq!(execution.wait().await.status, Status::Failed);
        execution.redrive().unwrap();
        assert_eq!(execution.redrives().count, count);
    }
    assert_eq!(execution.wait().await.output, Some(json!(3)));
    let entered = execution.history().iter().filter(|event| event.event_type() == "PassStateEntered").count();
    assert_eq!(entered, 1);
}
