//! Definitions of a few lines that once ended the process or filled its memory: each must end as a failed execution.

use super::*;
use crate::Status;
use crate::limits::{HISTORY_BYTES, HISTORY_EVENTS};

/// Runs a machine of these states to its end and returns its cause. Its history must be within the limits.
async fn cause(states: Value, input: Value) -> String {
    let execution = start(states, input, &Arc::new(Script::new()), &TokenBoard::new());
    let outcome = execution.wait().await;
    assert_eq!(outcome.status, Status::Failed);
    assert_eq!(outcome.error.as_deref(), Some("States.Runtime"));
    assert!(execution.history().len() <= HISTORY_EVENTS);
    // The state that passes the limit may still add its own texts.
    assert!(execution.history_bytes() < HISTORY_BYTES + 2 * 1024 * 1024);
    outcome.cause.unwrap()
}

fn repeat(parameters: Value) -> Value {
    json!({"Again": {"Type": "Pass", "Parameters": parameters, "Next": "Again"}})
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_nests_its_document_ends_at_the_deepest_nesting() {
    for parameters in [
        json!({"a.$": format!("{}$.a{}", "States.Array(".repeat(9), ")".repeat(9))}),
        json!({"a.$": "$"}),
        (0..10).fold(json!({"a.$": "$"}), |inner, _| json!({"a": inner})),
    ] {
        let cause = cause(repeat(parameters), json!({"a": 1})).await;
        assert!(cause.contains("nested more than 127 levels deep"), "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_states_that_each_nest_the_document_end_as_a_loop_does() {
    let nest = (0..10).fold(json!({"a.$": "$"}), |inner, _| json!({"a": inner}));
    let mut states = serde_json::Map::new();
    for at in 0..430 {
        let state = json!({"Type": "Pass", "Parameters": nest, "Next": format!("S{}", at + 1)});
        states.insert(format!("S{at}"), state);
    }
    states.insert("S430".into(), json!({"Type": "Succeed"}));
    assert!(cause(states.into(), json!({})).await.contains("nested more than 127 levels deep"));
}

#[tokio::test(start_paused = true)]
async fn a_result_path_that_nests_ends_as_well() {
    let path = format!("${}", ".a".repeat(400));
    let states = json!({"S": {"Type": "Pass", "Result": 1, "ResultPath": path, "End": true}});
    assert!(cause(states, json!({})).await.contains("nested more than 127 levels deep"));
}

#[tokio::test(start_paused = true)]
async fn a_path_that_visits_everything_again_and_again_ends_at_the_limit_of_paths() {
    let nested = (0..120).fold(json!([]), |inner, _| json!([inner]));
    for path in ["$..*..*..*..*", "$..*..*..*..*..*..*..*..*"] {
        let states = json!({"S": {"Type": "Pass", "InputPath": path, "End": true}});
        let cause = cause(states, nested.clone()).await;
        assert!(cause.contains("visits or returns too many values"), "{path}: {cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_reads_of_a_large_value_end_at_the_same_limit() {
    let calls: serde_json::Map<String, Value> =
        (0..2_000).map(|at| (format!("v{at}.$"), json!("States.ArrayContains($.list, 'x')"))).collect();
    let rules: Vec<Value> =
        (0..2_000).map(|_| json!({"Variable": "$.text", "StringLessThanPath": "$.text", "Next": "End"})).collect();
    let filter = json!({"x.$": "$.list[?($.text =~ /.*z/)]"});
    let input = json!({"list": (0..10_000).collect::<Vec<_>>(), "text": "x".repeat(100_000)});
    for state in [
        json!({"Type": "Pass", "Parameters": calls, "Next": "End"}),
        json!({"Type": "Choice", "Choices": rules, "Default": "End"}),
        json!({"Type": "Pass", "Parameters": filter, "Next": "End"}),
    ] {
        let cause = cause(json!({"S": state, "End": {"Type": "Succeed"}}), input.clone()).await;
        assert!(cause.contains("visits or returns too many values"), "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_ends_at_the_memory_it_holds() {
    // Every state makes another large text.
    let states = json!({
        "Add": {
            "Type": "Pass", "Next": "Add",
            "Parameters": {"n.$": "States.MathAdd($.n, 1)", "text.$": "$.text"}
        }
    });
    let cause = cause(states, json!({"n": 0, "text": "x".repeat(250_000)})).await;
    assert!(cause.contains("bytes of memory"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn outputs_that_are_too_large_together_are_not_kept() {
    let map = json!({"M": {
        "Type": "Map", "ItemsPath": "$.items", "End": true, "ItemSelector": {"t.$": "$.text"},
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}
    }});
    let input = json!({"items": (0..200).collect::<Vec<_>>(), "text": "x".repeat(200_000)});
    let outcome = run(map, input, &Arc::new(Script::new())).await;
    assert_eq!(outcome.error.as_deref(), Some("States.DataLimitExceeded"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_wins_over_states_that_compute_without_a_pause() {
    let wide = json!((0..20_000).collect::<Vec<_>>());
    let branch = |at: usize| {
        let (again, choice, end) = (format!("Again{at}"), format!("Choice{at}"), format!("End{at}"));
        json!({"StartAt": again, "States": {
            again.clone(): {"Type": "Pass", "Parameters": {"n.$": "$..*"}, "ResultPath": null, "Next": choice},
            choice: {
                "Type": "Choice", "Choices": [{"Variable": "$.gone", "IsPresent": true, "Next": end}], "Default": again
            },
            end: {"Type": "Succeed"}
        }})
    };
    let branches: Vec<Value> = (0..20).map(branch).collect();
    let states = json!({"P": {"Type": "Parallel", "Branches": branches, "End": true}});
    let execution = start(states, wide, &Arc::new(Script::new()), &TokenBoard::new());
    // The worker of the execution is the only one, so this continues only if the execution lets it.
    tokio::spawn(async {}).await.unwrap();
    assert!(execution.stop(None, None));
    assert_eq!(execution.wait().await.status, Status::Aborted);
}
