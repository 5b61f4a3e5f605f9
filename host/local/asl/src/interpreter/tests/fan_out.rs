//! Parallel and Map.

use super::*;
use crate::Status;

fn branch(name: &str, state: Value) -> Value {
    json!({"StartAt": name, "States": {name: state}})
}

fn call() -> Value {
    json!({"Type": "Task", "Resource": INVOKE, "End": true})
}

#[tokio::test(start_paused = true)]
async fn branches_run_at_once_and_their_outputs_are_in_the_order_of_the_branches() {
    let script = Arc::new(Script::new().reply("Slow", 9, Ok(json!("slow"))).reply("Fast", 1, Ok(json!("fast"))));
    let before = Instant::now();
    let states = json!({"P": {
        "Type": "Parallel", "Parameters": {"x.$": "$.a"}, "ResultSelector": {"all.$": "$", "first.$": "$[0]"},
        "ResultPath": "$.r", "End": true,
        "Branches": [branch("Slow", call()), branch("Fast", call()), branch("Same", json!({"Type": "Pass", "End": true}))]
    }});
    let outcome = run(states, json!({"a": 1}), &script).await;
    assert_eq!(outcome.output.unwrap(), json!({"a": 1, "r": {"all": ["slow", "fast", {"x": 1}], "first": "slow"}}));
    assert_eq!(before.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn the_first_branch_to_fail_drops_the_others_and_the_state_can_catch_it() {
    for name in ["Stage.Corrupt", "States.BranchFailed", "States.TaskFailed", "States.ALL"] {
        let script = Arc::new(Script::new().reply("Slow", 60, Ok(json!(1))).reply(
            "Bad",
            2,
            Err(TaskError::new("Stage.Corrupt", "x")),
        ));
        let states = json!({
            "P": {
                "Type": "Parallel", "Branches": [branch("Slow", call()), branch("Bad", call())], "Next": "After",
                "Catch": [{"ErrorEquals": [name], "ResultPath": "$.failure", "Next": "Caught"}]
            },
            "After": {"Type": "Fail"},
            "Caught": {"Type": "Pass", "End": true}
        });
        let outcome = run(states, json!({"a": 1}), &script).await;
        assert_eq!(
            outcome.output.unwrap(),
            json!({"a": 1, "failure": {"Error": "Stage.Corrupt", "Cause": "x"}}),
            "{name}"
        );
        assert_eq!(*script.dropped.lock().unwrap(), ["Slow"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_parallel_state_retries_all_of_its_branches() {
    let script = Arc::new(Script::new().fails("Bad", "A").reply("Bad", 0, Ok(json!("good"))));
    let states = json!({"P": {
        "Type": "Parallel", "Branches": [branch("Bad", call()), branch("Other", call())], "End": true,
        "Retry": [{"ErrorEquals": ["A"], "IntervalSeconds": 3}]
    }});
    assert_eq!(run(states, json!(1), &script).await.output.unwrap(), json!(["good", 1]));
    assert_eq!(script.times("Bad"), [0, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_machine_in_a_branch_is_not_caught_by_states_all() {
    let states = json!({
        "P": {
            "Type": "Parallel", "End": true,
            "Branches": [branch("In", json!({"Type": "Pass", "InputPath": "$.gone", "End": true}))],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
        },
        "Caught": {"Type": "Pass", "End": true}
    });
    let (error, cause) = failure(states, json!({})).await;
    assert_eq!(error, "States.Runtime");
    assert!(
        cause.starts_with("An error occurred while executing the state 'In' (entered at the event id #4). "),
        "{cause}"
    );
}

fn each(more: Value) -> Value {
    let mut state = json!({
        "Type": "Map", "End": true,
        "ItemProcessor": branch("Item", json!({"Type": "Task", "Resource": INVOKE, "End": true}))
    });
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"M": state})
}

#[tokio::test(start_paused = true)]
async fn a_map_runs_its_processor_for_each_item() {
    let script = Arc::new(Script::new());
    assert_eq!(run(each(json!({})), json!([1, "a", null]), &script).await.output.unwrap(), json!([1, "a", null]));
    let states = each(json!({
        "InputPath": "$.in", "ItemsPath": "$.list", "ResultPath": "$.out",
        "ItemSelector": {
            "v.$": "$$.Map.Item.Value.v", "i.$": "$$.Map.Item.Index", "common.$": "$.common", "run.$": "$$.Execution.Name",
            "from.$": "$$.Map.Item.Source"
        }
    }));
    let outcome = run(states, json!({"in": {"list": [{"v": 7}, {"v": 8}], "common": true}}), &script).await;
    assert_eq!(
        outcome.output.unwrap()["out"],
        json!([
            {"v": 7, "i": 0, "common": true, "run": "run-1", "from": "STATE_DATA"},
            {"v": 8, "i": 1, "common": true, "run": "run-1", "from": "STATE_DATA"}
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn the_older_names_of_a_maps_fields_still_work() {
    let states = json!({"M": {
        "Type": "Map", "End": true, "Parameters": {"v.$": "$$.Map.Item.Value"},
        "Iterator": branch("I", json!({"Type": "Pass", "End": true}))
    }});
    assert_eq!(output(states, json!([1])).await, json!([{"v": 1}]));
}

#[tokio::test(start_paused = true)]
async fn a_map_of_an_empty_array_returns_one_and_a_map_of_another_type_fails() {
    assert_eq!(output(each(json!({})), json!([])).await, json!([]));
    let (error, cause) = failure(each(json!({"ItemsPath": "$.list"})), json!({"list": "x"})).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("Reference path \"$.list\" must point to array"), "{cause}");
    let (_, cause) = failure(each(json!({"ItemsPath": "$$.gone"})), json!({})).await;
    assert!(cause.contains("The JSONPath '$$.gone' specified for the field 'ItemsPath' could not be found"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_map_whose_items_are_absent_conflicts_with_its_input_and_can_catch_that() {
    let expected =
        ("States.ReferencePathConflict".to_owned(), "Unable to apply step \"gone\" to input {\"a\":1}".to_owned());
    assert_eq!(failure(each(json!({"ItemsPath": "$.gone"})), json!({"a": 1})).await, expected);
    let mut states = each(json!({"ItemsPath": "$.gone", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}));
    states["Caught"] = json!({"Type": "Pass", "End": true});
    assert_eq!(output(states, json!({"a": 1})).await, json!({"Error": expected.0, "Cause": expected.1}));
}

#[tokio::test(start_paused = true)]
async fn no_more_iterations_run_at_once_than_allowed() {
    let items: Vec<u32> = (0..100).collect();
    for (more, seconds) in [
        (json!({"MaxConcurrency": 1}), 100),
        (json!({"MaxConcurrency": 10}), 10),
        (json!({"MaxConcurrencyPath": "$.most"}), 50),
        // The service's limit is 40.
        (json!({"MaxConcurrency": 0}), 3),
        (json!({}), 3),
    ] {
        let script = Arc::new(Script::new().reply("Item", 1, Ok(json!(1))));
        let mut states = each(more.clone());
        states["M"]["ItemsPath"] = "$.items".into();
        let before = Instant::now();
        run(states, json!({"items": items, "most": 2}), &script).await.output.unwrap();
        assert_eq!(before.elapsed().as_secs(), seconds, "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_iteration_to_fail_fails_the_map() {
    let script = Arc::new(Script::new().reply("Item", 9, Ok(json!(1))).reply(
        "Item",
        1,
        Err(TaskError::new("Stage.Corrupt", "x")),
    ));
    let outcome = run(each(json!({})), json!([1, 2]), &script).await;
    assert_eq!((outcome.status, outcome.error.as_deref()), (Status::Failed, Some("Stage.Corrupt")));
    assert_eq!(*script.dropped.lock().unwrap(), ["Item"]);
}

#[tokio::test(start_paused = true)]
async fn in_nested_maps_the_item_is_that_of_the_inner_map() {
    let inner = json!({
        "Type": "Map", "ItemsPath": "$.list", "End": true,
        "ItemSelector": {"inner.$": "$$.Map.Item.Value", "outer.$": "$.name"},
        "ItemProcessor": branch("Leaf", json!({"Type": "Pass", "Parameters": {
            "all.$": "States.Format('{}{}{}', $.outer, $.inner, $$.Map.Item.Index)"
        }, "OutputPath": "$.all", "End": true}))
    });
    let states = json!({"Outer": {"Type": "Map", "End": true, "ItemProcessor": branch("Inner", inner)}});
    let input = json!([{"name": "a", "list": [1, 2]}, {"name": "b", "list": [3]}]);
    assert_eq!(output(states, input).await, json!([["a10", "a21"], ["b30"]]));
}
