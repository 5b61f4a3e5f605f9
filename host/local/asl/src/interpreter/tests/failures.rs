//! Errors, retries, catches, timeouts.

use super::*;
use crate::Status;
use crate::limits::PAYLOAD_BYTES;

fn task(more: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": INVOKE, "End": true});
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    state
}

#[tokio::test(start_paused = true)]
async fn a_path_that_finds_no_value_fails_the_machine_and_names_path_field_input_and_state() {
    let states = json!({
        "First": {"Type": "Pass", "Next": "Check"},
        "Check": task(json!({"Parameters": {"address.$": "$.application.address"}, "Catch": [
            {"ErrorEquals": ["States.ALL"], "Next": "Caught"}
        ]})),
        "Caught": {"Type": "Pass", "End": true}
    });
    assert_eq!(
        failure(states, json!({"flagged": false})).await,
        (
            "States.Runtime".into(),
            "An error occurred while executing the state 'Check' (entered at the event id #4). The JSONPath \
             '$.application.address' specified for the field 'address.$' could not be found in the input \
             '{\"flagged\":false}'"
                .into()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_catch_can_name_a_missing_parameter_by_its_documented_name() {
    let states = json!({
        "S": task(json!({"Parameters": {"x.$": "$.x"}, "Catch": [
            {"ErrorEquals": ["States.ParameterPathFailure"], "Next": "C"}
        ]})),
        "C": {"Type": "Pass", "End": true}
    });
    let caught = output(states, json!({})).await;
    assert_eq!(caught["Error"], "States.ParameterPathFailure");
    assert!(caught["Cause"].as_str().unwrap().contains("'$.x'"));
}

#[tokio::test(start_paused = true)]
async fn each_field_with_a_path_has_its_own_error_text() {
    for (state, error, part) in [
        (
            json!({"Type": "Pass", "InputPath": "$.x", "End": true}),
            "States.Runtime",
            "Invalid path '$.x' : No results for path: $['x']",
        ),
        (
            json!({"Type": "Succeed", "OutputPath": "$.x"}),
            "States.Runtime",
            "Invalid path '$.x' : No results for path: $['x']",
        ),
        (
            json!({"Type": "Wait", "SecondsPath": "$.x", "End": true}),
            "States.Runtime",
            "The SecondsPath parameter does not reference an input value: $.x",
        ),
        (
            json!({"Type": "Wait", "SecondsPath": "$.text", "End": true}),
            "States.Runtime",
            "The SecondsPath parameter cannot be parsed as a long value: $.text == later",
        ),
        (
            json!({"Type": "Wait", "TimestampPath": "$.text", "End": true}),
            "States.Runtime",
            "does not reference a valid ISO-8601 extended offset date-time format string: $.text == later",
        ),
        (
            json!({"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.text, 1)"}, "End": true}),
            "States.IntrinsicFailure",
            "The function 'States.MathAdd($.text, 1)' had the following error: expected an integer",
        ),
        (
            json!({"Type": "Pass", "InputPath": "$.x.y", "End": true}),
            "States.Runtime",
            "Invalid path '$.x.y' : Missing property in path $['x']",
        ),
        (
            json!({"Type": "Pass", "InputPath": "$.text[0]", "End": true}),
            "States.Runtime",
            "Filter: [0] can only be applied to arrays. Current context is: \"later\"",
        ),
        (
            json!({"Type": "Pass", "Parameters": {"v.$": "States.Format('{}', States.Format('{}',$.nope))"}, "End": true}),
            "States.Runtime",
            "The function 'States.Format('{}', States.Format('{}',$.nope))' had the following error: The JsonPath \
             argument for the field '$.nope' could not be found in the input '{\"text\":\"later\"}'",
        ),
        (
            json!({"Type": "Pass", "Parameters": {"v.$": "States.Format('{}', $$.Nope.Deep)"}, "End": true}),
            "States.Runtime",
            "The JsonPath argument for the field '$.Nope.Deep' could not be found in the input '{\"text\":\"later\"}'",
        ),
        (
            json!({"Type": "Wait", "Timestamp": "2926-01-01T00:00:00Z", "End": true}),
            "States.Runtime",
            "Wait state delay is too long.",
        ),
        (
            json!({
                "Type": "Map", "ItemsPath": "$.text", "End": true,
                "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}
            }),
            "States.Runtime",
            "Reference path \"$.text\" must point to array",
        ),
        (task(json!({"TimeoutSecondsPath": "$.text"})), "States.Runtime", "The TimeoutSecondsPath parameter"),
        (
            task(json!({"HeartbeatSecondsPath": "$.x"})),
            "States.Runtime",
            "Invalid path '$.x' : No results for path: $['x']",
        ),
    ] {
        let (found, cause) = failure(json!({"S": state}), json!({"text": "later"})).await;
        assert_eq!(found, error, "{state}");
        assert!(cause.starts_with("An error occurred while executing the state 'S' (entered at the event id #2). "));
        assert!(cause.contains(part), "{state}: {cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_path_that_does_not_fit_the_input_conflicts_with_it_and_its_documented_name_catches_that() {
    let pass = json!({"S": {"Type": "Pass", "Result": 1, "ResultPath": "$.sum", "End": true}});
    let conflict = |cause: &str| ("States.ReferencePathConflict".to_owned(), cause.to_owned());
    assert_eq!(failure(pass.clone(), json!([1])).await, conflict("Unable to apply step \"sum\" to input [1]"));
    assert_eq!(failure(pass, json!("x")).await, conflict("Unable to apply ReferencePath $.sum to input \"x\""));
    let branch = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    for name in ["States.ReferencePathConflict", "States.ResultPathMatchFailure", "States.ALL"] {
        let states = json!({
            "S": {
                "Type": "Parallel", "Branches": [branch], "ResultPath": "$.sum", "End": true,
                "Catch": [{"ErrorEquals": [name], "Next": "Caught"}]
            },
            "Caught": {"Type": "Pass", "End": true}
        });
        assert_eq!(output(states, json!([1])).await["Cause"], "Unable to apply step \"sum\" to input [1]", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_choice_without_a_match_fails_the_machine_and_only_its_documented_name_catches_that() {
    let choice = json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "P"}]});
    let flow = json!({"C": choice, "P": {"Type": "Succeed"}});
    let (error, cause) = failure(flow.clone(), json!({"a": 2})).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.ends_with("Failed to transition out of the state. The state does not point to a next state."));
    let states = |name: &str| {
        json!({
            "Par": {
                "Type": "Parallel", "Branches": [{"StartAt": "C", "States": flow}], "End": true,
                "Catch": [{"ErrorEquals": [name], "Next": "Caught"}]
            },
            "Caught": {"Type": "Pass", "End": true}
        })
    };
    assert_eq!(failure(states("States.ALL"), json!({"a": 2})).await.0, "States.Runtime");
    assert_eq!(output(states("States.NoChoiceMatched"), json!({"a": 2})).await["Error"], "States.NoChoiceMatched");
}

#[tokio::test(start_paused = true)]
async fn retries_wait_longer_each_time_and_the_context_has_their_number() {
    let script =
        Arc::new(Script::new().fails("S", "A").fails("S", "A").fails("S", "B").reply("S", 0, Ok(json!("done"))));
    let states = json!({"S": task(json!({
        "Parameters": {"retries.$": "$$.State.RetryCount"},
        "Retry": [
            {"ErrorEquals": ["A"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2},
            {"ErrorEquals": ["B"], "IntervalSeconds": 10}
        ]
    }))});
    let outcome = run(states, json!({}), &script).await;
    assert_eq!(outcome.output.unwrap(), "done");
    assert_eq!(script.times("S"), [0, 2, 8, 18]);
    let seen: Vec<_> = script.calls.lock().unwrap().iter().map(|call| (call.1["retries"].clone(), call.2)).collect();
    assert_eq!(seen, [(json!(0), 0), (json!(1), 1), (json!(2), 2), (json!(3), 3)]);
}

#[tokio::test(start_paused = true)]
async fn when_the_retries_are_used_up_the_catch_gets_the_error_and_the_input() {
    let script = Arc::new(Script::new().fails("S", "Stage.Transient"));
    let states = json!({
        "S": task(json!({
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
            "Catch": [
                {"ErrorEquals": ["Other"], "Next": "Wrong"},
                {"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.failure", "Next": "Caught"}
            ]
        })),
        "Wrong": {"Type": "Fail"},
        "Caught": {"Type": "Pass", "End": true}
    });
    let outcome = run(states, json!({"jobId": 4}), &script).await;
    assert_eq!(
        outcome.output.unwrap(),
        json!({"jobId": 4, "failure": {"Error": "Stage.Transient", "Cause": "because"}})
    );
    assert_eq!(script.times("S"), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_new_visit_to_a_state_has_all_its_retries_again() {
    let script =
        Arc::new(Script::new().fails("S", "A").fails("S", "A").fails("S", "A").reply("S", 0, Ok(json!({"n": 9}))));
    let states = json!({
        "S": {
            "Type": "Task", "Resource": INVOKE, "Next": "Done",
            "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["A"], "Next": "Again"}]
        },
        "Again": {"Type": "Pass", "Next": "S"},
        "Done": {"Type": "Succeed"}
    });
    let outcome = run(states, json!({}), &script).await;
    assert_eq!(outcome.output.unwrap(), json!({"n": 9}));
    assert_eq!(script.calls.lock().unwrap().iter().map(|call| call.2).collect::<Vec<_>>(), [0, 1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_too_long_is_dropped_and_times_out() {
    let script = Arc::new(Script::new().reply("S", 60, Ok(json!(1))));
    let outcome = run(json!({"S": task(json!({"TimeoutSeconds": 5}))}), json!({}), &script).await;
    assert_eq!(
        (outcome.status, outcome.error.as_deref(), outcome.cause),
        (Status::Failed, Some("States.Timeout"), None)
    );
    assert_eq!(*script.dropped.lock().unwrap(), ["S"]);

    let states = json!({
        "S": task(json!({"TimeoutSecondsPath": "$.limit", "Catch": [
            {"ErrorEquals": ["States.TaskFailed"], "Next": "Wrong"}, {"ErrorEquals": ["States.Timeout"], "Next": "C"}
        ]})),
        "Wrong": {"Type": "Fail"},
        "C": {"Type": "Pass", "End": true}
    });
    let before = Instant::now();
    let outcome = run(states, json!({"limit": 7}), &Arc::new(Script::new().reply("S", 60, Ok(json!(1))))).await;
    assert_eq!(outcome.output.unwrap(), json!({"Error": "States.Timeout", "Cause": ""}));
    assert_eq!(before.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_takes_too_long_times_out_as_a_whole() {
    let script = Arc::new(Script::new().reply("S", 60, Ok(json!(1))));
    let machine = json!({"TimeoutSeconds": 10, "StartAt": "S", "States": {"S": task(json!({
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
    })), "C": {"Type": "Succeed"}}});
    let execution = start_machine(machine, json!({}), &script, &TokenBoard::new());
    assert_eq!(execution.wait().await.status, Status::TimedOut);
    assert_eq!(*script.dropped.lock().unwrap(), ["S"]);
    assert_eq!(chain(&execution.history())[4..], ["5 4 ExecutionTimedOut"]);
}

#[tokio::test(start_paused = true)]
async fn stopping_drops_running_tasks_and_records_error_and_cause() {
    let script = Arc::new(Script::new().reply("S", 60, Ok(json!(1))));
    let execution = start(json!({"S": task(json!({}))}), json!({}), &script, &TokenBoard::new());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(execution.status(), Status::Running);
    assert!(execution.stop(Some("Operator".into()), Some("Enough.".into())));
    let outcome = execution.wait().await;
    assert_eq!(outcome.status, Status::Aborted);
    assert_eq!((outcome.error.as_deref(), outcome.cause.as_deref()), (Some("Operator"), Some("Enough.")));
    assert_eq!(*script.dropped.lock().unwrap(), ["S"]);
    assert!(!execution.stop(None, None), "it can be stopped only once");
}

#[tokio::test(start_paused = true)]
async fn results_beyond_the_payload_limit_fail_and_their_own_name_or_all_catches_that() {
    let large = json!("a".repeat(PAYLOAD_BYTES));
    for (name, caught) in [("States.ALL", true), ("States.TaskFailed", false), ("States.DataLimitExceeded", true)] {
        let script = Arc::new(Script::new().reply("S", 0, Ok(large.clone())));
        let states = json!({
            "S": task(json!({"Catch": [{"ErrorEquals": [name], "Next": "C"}]})),
            "C": {"Type": "Pass", "End": true}
        });
        let outcome = run(states, json!({}), &script).await;
        assert_eq!(outcome.output.is_some(), caught, "{name}");
        let cause = "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.";
        match outcome.output {
            Some(output) => assert_eq!(output, json!({"Error": "States.DataLimitExceeded", "Cause": cause})),
            None => assert_eq!(outcome.cause.as_deref(), Some(cause)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_beyond_the_payload_limit_names_the_state() {
    let half = "a".repeat(PAYLOAD_BYTES / 2);
    let states = json!({"Join": {"Type": "Pass", "Parameters": {"x.$": "$.a", "y.$": "$.a"}, "End": true}});
    let (error, cause) = failure(states, json!({"a": half})).await;
    assert_eq!(error, "States.DataLimitExceeded");
    assert!(cause.contains("'Join'"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_loops_forever_ends_at_the_history_limit() {
    let states = json!({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}});
    let execution = start(states, json!({}), &Arc::new(Script::new()), &TokenBoard::new());
    let outcome = execution.wait().await;
    assert!(outcome.cause.unwrap().contains("maximum number of history events (25000)"));
    assert!(execution.history().len() <= 25_000);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_panics_fails_the_execution_and_nothing_else() {
    struct Panics;
    #[async_trait]
    impl Resources for Panics {
        fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
            Ok(())
        }
        async fn call(&self, _: TaskCall) -> Result<Value, TaskError> {
            panic!("on purpose")
        }
    }
    let machine = json!({"StartAt": "S", "States": {"S": task(json!({}))}});
    let machine = Arc::new(StateMachine::parse(&machine.to_string()).unwrap());
    let execution = Execution::start(machine, StartRequest::default(), Arc::new(Panics), TokenBoard::new());
    let outcome = execution.wait().await;
    assert_eq!((outcome.status, outcome.error.as_deref()), (Status::Failed, Some("States.Runtime")));
}

#[tokio::test(start_paused = true)]
async fn nothing_catches_a_failure_of_the_output_path() {
    let states = json!({
        "S": task(json!({"OutputPath": "$.no.such", "Catch": [{"ErrorEquals": ["States.Runtime"], "Next": "C"}]})),
        "C": {"Type": "Pass", "End": true}
    });
    let (error, cause) = failure(states, json!({})).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.ends_with("Invalid path '$.no.such' : Missing property in path $['no']"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn an_index_after_the_end_is_null_in_a_template_and_missing_elsewhere() {
    let states = json!({"P": {"Type": "Pass", "Parameters": {"x.$": "$.a[5]", "all.$": "$.gone[*].n"}, "End": true}});
    assert_eq!(output(states, json!({"a": [1]})).await, json!({"x": null, "all": []}));
    let states = json!({"P": {"Type": "Pass", "Parameters": {"x.$": "States.ArrayLength($.a[5])"}, "End": true}});
    assert!(failure(states, json!({"a": [1]})).await.1.contains("the field '$.a[5]' could not be found"));
    let states = json!({"P": {"Type": "Pass", "InputPath": "$.a[5]", "End": true}});
    assert!(failure(states, json!({"a": [1]})).await.1.contains("No results for path: $['a'][5]"));
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_that_is_not_a_number_has_the_services_cause() {
    for (most, part) in [
        (json!({}), "The MaxConcurrencyPath field refers to value \"{}\" which is not a valid integer: $.most"),
        (json!("NoNumber"), "refers to value \"NoNumber\" which is not a valid integer: $.most"),
        (json!(-1), "Expected non-negative integer for MaxConcurrency, got '-1' instead."),
    ] {
        let states = json!({"M": {
            "Type": "Map", "ItemsPath": "$.items", "MaxConcurrencyPath": "$.most", "End": true,
            "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}
        }});
        let (_, cause) = failure(states, json!({"items": [1], "most": most})).await;
        assert!(cause.contains(part), "{cause}");
    }
}
