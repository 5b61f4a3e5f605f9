//! The data flow of each type of state.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_fields_of_a_task_are_applied_in_order() {
    let script = Arc::new(Script::new().reply("S", 0, Ok(json!({"Payload": {"n": 2}, "StatusCode": 200}))));
    let states = json!({"S": {
        "Type": "Task", "Resource": INVOKE, "End": true,
        "InputPath": "$.inner",
        "Parameters": {"x.$": "$.a", "state.$": "$$.State.Name", "id.$": "$$.Execution.Input.id"},
        "ResultSelector": {"n.$": "$.Payload.n", "code.$": "$.StatusCode"},
        "ResultPath": "$.result",
        "OutputPath": "$"
    }});
    let outcome = run(states, json!({"id": 4, "inner": {"a": [1]}}), &script).await;
    assert_eq!(script.calls.lock().unwrap()[0].1, json!({"x": [1], "state": "S", "id": 4}));
    assert_eq!(outcome.output.unwrap(), json!({"id": 4, "inner": {"a": [1]}, "result": {"n": 2, "code": 200}}));
}

#[tokio::test(start_paused = true)]
async fn null_paths_yield_an_empty_object_or_keep_the_input() {
    let input = json!({"a": 1});
    for (field, value, wanted) in [
        ("InputPath", json!(null), json!({})),
        ("OutputPath", json!(null), json!({})),
        ("ResultPath", json!(null), json!({"a": 1})),
        ("OutputPath", json!("$.a"), json!(1)),
        ("InputPath", json!("$$.State.Name"), json!("S")),
    ] {
        let mut state = json!({"Type": "Pass", "End": true});
        state[field] = value;
        assert_eq!(output(json!({"S": state}), input.clone()).await, wanted, "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_state_returns_its_result_its_parameters_or_its_input() {
    let input = json!({"a": 1});
    for (more, wanted) in [
        (json!({}), json!({"a": 1})),
        (json!({"Result": {"b.$": "$.a"}}), json!({"b.$": "$.a"})),
        (json!({"Result": null}), json!(null)),
        (json!({"Parameters": {"b.$": "$.a"}}), json!({"b": 1})),
        (json!({"Result": [7], "ResultPath": "$.deep.er"}), json!({"a": 1, "deep": {"er": [7]}})),
    ] {
        let mut state = json!({"Type": "Pass", "End": true});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(output(json!({"S": state}), input.clone()).await, wanted, "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_context_object_describes_the_execution_the_machine_and_the_state() {
    let states = json!({"S": {"Type": "Pass", "Parameters": {"c.$": "$$"}, "End": true}});
    let context = output(states, json!({"in": 1})).await["c"].clone();
    assert_eq!(context["Execution"]["Id"], "arn:aws:states:eu-west-1:111122223333:execution:machine:run-1");
    assert_eq!(context["Execution"]["Name"], "run-1");
    assert_eq!(context["Execution"]["Input"], json!({"in": 1}));
    assert_eq!(context["Execution"]["RoleArn"], "arn:aws:iam::111122223333:role/r");
    assert_eq!(context["Execution"]["RedriveCount"], 0);
    assert_eq!(context["State"]["Name"], "S");
    // Only a state with retries has a count of them.
    assert_eq!(context["State"].get("RetryCount"), None);
    assert_eq!(context["StateMachine"]["Name"], "machine");
    for date in [&context["Execution"]["StartTime"], &context["State"]["EnteredTime"]] {
        assert!(crate::clock::parse(date.as_str().unwrap()).is_some(), "{date}");
    }
    assert!(context.get("Task").is_none() && context.get("Map").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_choice_takes_the_first_rule_that_is_true_or_the_default() {
    let states = |value: Value| {
        json!({
            "C": {
                "Type": "Choice", "InputPath": "$.in", "OutputPath": "$.n", "Default": "Other",
                "Choices": [
                    {"Variable": "$.n", "NumericGreaterThan": value, "Next": "First"},
                    {"Variable": "$.n", "NumericGreaterThan": 1, "Next": "Second"}
                ]
            },
            "First": {"Type": "Pass", "Result": "first", "End": true},
            "Second": {"Type": "Pass", "End": true},
            "Other": {"Type": "Pass", "Result": "other", "End": true}
        })
    };
    let input = json!({"in": {"n": 5}});
    assert_eq!(output(states(json!(4)), input.clone()).await, "first");
    assert_eq!(output(states(json!(9)), input).await, 5);
    assert_eq!(output(states(json!(9)), json!({"in": {"n": 0}})).await, "other");
}

#[tokio::test(start_paused = true)]
async fn a_wait_state_waits_for_its_time() {
    for (field, value, input, seconds) in [
        ("Seconds", json!(30), json!({}), 30),
        ("Seconds", json!(0), json!({}), 0),
        ("SecondsPath", json!("$.s"), json!({"s": 90}), 90),
        ("Timestamp", json!("2001-01-01T00:00:00Z"), json!({}), 0),
        ("TimestampPath", json!("$$.Execution.StartTime"), json!({}), 0),
    ] {
        let before = Instant::now();
        let mut state = json!({"Type": "Wait", "End": true});
        state[field] = value;
        assert_eq!(output(json!({"W": state}), input.clone()).await, input);
        assert_eq!(before.elapsed().as_secs(), seconds, "{field}");
    }
    let later = crate::clock::text(crate::clock::Clock::new().now() + time::Duration::seconds(3600));
    let before = Instant::now();
    output(json!({"W": {"Type": "Wait", "TimestampPath": "$.t", "End": true}}), json!({"t": later})).await;
    assert!((3598..=3600).contains(&before.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn the_error_and_cause_of_a_fail_state_may_be_literal_or_computed() {
    let states = json!({"F": {"Type": "Fail", "Error": "Stage.Corrupt", "Cause": "It is."}});
    assert_eq!(failure(states, json!({})).await, ("Stage.Corrupt".into(), "It is.".into()));
    let states = json!({"F": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{} of {}', $.n, $$.Execution.Name)"}});
    assert_eq!(failure(states, json!({"e": "E", "n": 3})).await, ("E".into(), "3 of run-1".into()));
    let (error, cause) = failure(json!({"F": {"Type": "Fail", "ErrorPath": "$.e"}}), json!({"e": 1})).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("'ErrorPath' field must give a string"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_succeed_state_ends_a_branch_early() {
    let states = json!({
        "C": {"Type": "Choice", "Choices": [{"Variable": "$", "IsPresent": true, "Next": "S"}], "Default": "P"},
        "S": {"Type": "Succeed", "OutputPath": "$.a"},
        "P": {"Type": "Pass", "End": true}
    });
    assert_eq!(output(states, json!({"a": 1})).await, 1);
}

#[tokio::test(start_paused = true)]
async fn intrinsics_nest_within_a_template() {
    let states = json!({"S": {"Type": "Pass", "End": true, "Parameters": {
        "key.$": "States.Format('{}/raw/{}', $.id, States.ArrayGetItem(States.StringSplit($.name, '/'), 1))",
        "id.$": "$.id"
    }}});
    assert_eq!(output(states, json!({"id": 51, "name": "a/b.jpg"})).await, json!({"key": "51/raw/b.jpg", "id": 51}));
}

#[tokio::test(start_paused = true)]
async fn a_template_cannot_read_an_input_that_is_null() {
    for path in ["$", "$.a"] {
        let states = json!({"S": {"Type": "Pass", "Parameters": {"x.$": path}, "End": true}});
        assert_eq!(
            failure(states, json!(null)).await,
            (
                "States.Runtime".to_owned(),
                "An error occurred while executing the state 'S' (entered at the event id #2). Unable to apply Path \
                 transformation to null or empty input."
                    .to_owned()
            )
        );
    }
    let states = json!({"S": {"Type": "Pass", "Parameters": {"x.$": "$$.State.Name"}, "End": true}});
    assert_eq!(output(states, json!(null)).await, json!({"x": "S"}));
}
