//! JSONata states. Outputs, causes and histories are those that the service recorded for the same machines.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{INVOKE, Script, chain, start_machine};
use crate::{Event, Outcome, Status, TaskError, TokenBoard};

/// Runs a JSONata machine of these states, beginning with the first.
async fn run(states: Value, input: Value, script: &Arc<Script>) -> (Outcome, Vec<Arc<Event>>) {
    let start_at = states.as_object().unwrap().keys().next().unwrap().clone();
    let machine = json!({"QueryLanguage": "JSONata", "StartAt": start_at, "States": states});
    let execution = start_machine(machine, input, script, &TokenBoard::new());
    (execution.wait().await, execution.history())
}

async fn output(states: Value, input: Value) -> Value {
    let (outcome, _) = run(states, input, &Arc::new(Script::new())).await;
    outcome.output.clone().unwrap_or_else(|| panic!("{outcome:?}"))
}

/// Returns the cause of a machine that must fail with `States.QueryEvaluationError`, without its first sentence.
async fn cause(states: Value, input: Value) -> String {
    let (outcome, _) = run(states, input, &Arc::new(Script::new())).await;
    assert_eq!(outcome.error.as_deref(), Some("States.QueryEvaluationError"), "{outcome:?}");
    let cause = outcome.cause.unwrap();
    cause.split_once("). ").unwrap().1.to_owned()
}

/// Returns the output of a Pass state with this `Output`.
async fn pass(output: Value) -> Value {
    self::output(json!({"S": {"Type": "Pass", "Output": output, "End": true}}), json!({"a": {"b": [1, 2, 3]}})).await
}

#[tokio::test(start_paused = true)]
async fn only_a_text_that_is_one_expression_is_evaluated() {
    let literals = json!({
        "null": null, "number": 0.1, "spaces": " {% states.input %} ", "path": "$.a", "variable": "$no.such",
        "function": "States.Format('{}', 1)", "field.$": "$", "part": "Hello {% $states.input %}!", "list": [[], {}]
    });
    assert_eq!(pass(literals.clone()).await, literals);
    let output = json!({"sum": "{% $sum($states.input.a.b) + 1 %}", "deep": [{"x": "{%$states.input.a%}"}]});
    assert_eq!(pass(output).await, json!({"sum": 7, "deep": [{"x": {"b": [1, 2, 3]}}]}));
    assert_eq!(pass(json!("{% 'a' & 'b' %}")).await, json!("ab"));
}

#[tokio::test(start_paused = true)]
async fn null_is_a_value_and_numbers_keep_their_digits() {
    assert_eq!(pass(json!({"a": "{% null %}", "b": ["{% null %}", 1]})).await, json!({"a": null, "b": [null, 1]}));
    assert_eq!(
        pass(json!(["{% 1/0 %}", "{% [1/0] %}", "{% -1/0 %}"])).await,
        json!(["Infinity", ["Infinity"], "-Infinity"])
    );
    let states = json!({"S": {"Type": "Pass", "Output": "{% $states.input.n %}", "End": true}});
    for (given, found) in [
        ("9223372036854775807", "9223372036854775807"),
        ("1.0", "1"),
        ("1.5", "1.5"),
        ("[1.0,{\"a\":2.0}]", "[1,{\"a\":2}]"),
    ] {
        let input: Value = serde_json::from_str(&format!("{{\"n\":{given}}}")).unwrap();
        assert_eq!(output(states.clone(), input).await.to_string(), found);
    }
}

#[tokio::test(start_paused = true)]
async fn the_functions_of_the_service_are_there() {
    for (query, found) in [
        ("$partition([1,2,3,4,5], 2)", json!([[1, 2], [3, 4], [5]])),
        ("$partition([1,2,3])", json!([[1, 2, 3]])),
        ("$partition([1,2,3,4,5], 2.9)", json!([[1, 2], [3, 4], [5]])),
        ("$range(0, 10, 2)", json!([0, 2, 4, 6, 8, 10])),
        ("$range(10, 0, -2)", json!([10, 8, 6, 4, 2, 0])),
        ("$range(-1.7, 2, 1)", json!([-1, 0, 1, 2])),
        ("$range(3, 3, 1)", json!(3)),
        ("$count($range(1, 360145, 1))", json!(360_145)),
        ("$hash('Hello', 'MD5')", json!("8b1a9953c4611296a827abf8c47804d7")),
        ("$hash('Hello', 'SHA-1')", json!("f7ff9e8b7bb2e09b70935a5d785e0cc5d9d0abf0")),
        ("$random(42)", json!(0.727_563_680_032_868_1)),
        ("$random() = $random()", json!(false)),
        ("$length($uuid())", json!(36)),
        ("$parse('{\"b\":1,\"a\":[2]}')", json!({"b": 1, "a": [2]})),
        ("$exists($parse('null'))", json!(true)),
        ("$map(['{\"a\":1}', '{\"a\":2}'], $parse).a", json!([1, 2])),
        ("$pad('x', -3, '#')", json!("##x")),
        ("$pad('x', 5, 'ab')", json!("xabab")),
        ("$parseInteger('abc', '0')", json!("NaN")),
        ("$string(1e20)", json!("100000000000000000000")),
        ("$string(1e21)", json!("1e+21")),
    ] {
        assert_eq!(pass(json!(format!("{{% {query} %}}"))).await, found, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_evaluation_says_what_the_service_says() {
    let deep = format!("1{}", "+1".repeat(100));
    let nothing = "returned nothing (undefined).";
    let thrown = "threw an error during evaluation";
    let memory = "threw an error during evaluation: Expression evaluation memory limit exceeded: Check for excessive memory usage";
    for (query, problem) in [
        ("$states.input.missing", nothing.to_owned()),
        ("$range(5, 1, 1)", nothing.to_owned()),
        ("$partition([], 2)", nothing.to_owned()),
        ("$hash('a')", nothing.to_owned()),
        ("$parse()", nothing.to_owned()),
        ("function($x){$x}", "returned an unsupported result type.".to_owned()),
        ("$partition([1,2,3], -1)", format!("{thrown}. D3137: Second argument must be zero or greater")),
        ("$parse('{\"a\":1}{}')", format!("{thrown}. D3137: Invalid JSON")),
        ("$parse('{\"a\":1,\"a\":2}')", format!("{thrown}. D3137: Invalid JSON")),
        (
            "$parse(null)",
            format!("{thrown}. T0410: Argument 1 of function \"parse\" does not match function signature"),
        ),
        ("$eval('1+1')", format!("{thrown}. T1006: Attempted to invoke a non-function")),
        ("1 + {}", format!("{thrown}. T2002: The right side of the \"+\" operator must evaluate to a number")),
        ("$sqrt(-1)", format!("{thrown}. D3060: The sqrt function cannot be applied to a negative number: -1")),
        (
            "true and $states.input.missing",
            format!("{thrown}. T0410: Argument 2 of function \"and\" does not match function signature"),
        ),
        ("$range(1, 360146, 1)", memory.to_owned()),
        ("[1..873783] ~> $count()", memory.to_owned()),
        ("($f := function($s, $n){ $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f('x', 31)))", memory.to_owned()),
        ("$pad('x', 1000000000)", memory.to_owned()),
        ("($s := $pad('x', 4000000); $join([$s, $s, $s]))", memory.to_owned()),
        (
            "($f := function($a, $n){ $n = 0 ? $a : $f([$a, $a], $n - 1) }; $f(['xxxxxxxxxxxxxxxxxxxx'], 22))",
            memory.to_owned(),
        ),
        (
            &deep,
            format!(
                "{thrown}: Stack overflow error: Check for non-terminating recursive function. Consider rewriting as \
                 tail-recursive"
            ),
        ),
    ] {
        let states = json!({"S": {"Type": "Pass", "Output": {"v": format!("{{% {query} %}}")}, "End": true}});
        let expected = format!("The JSONata expression '{query}' specified for the field 'Output/v' {problem}");
        assert_eq!(cause(states, json!({})).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_field_is_named_by_its_place() {
    let nothing = "{% $states.input.missing %}";
    let task = |fields: Value| {
        let mut state = json!({"Type": "Task", "Resource": INVOKE, "End": true});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        state
    };
    let map = |fields: Value| {
        let mut state = json!({
            "Type": "Map", "End": true, "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}
        });
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        state
    };
    let choice = |rules: Value| json!({"Type": "Choice", "Choices": rules, "Default": "E"});
    let end = json!({"Type": "Succeed"});
    for (state, place) in [
        (json!({"Type": "Pass", "Output": {"a": {"b": [[1, nothing]]}}, "Next": "E"}), "Output/a/b[0][1]"),
        (json!({"Type": "Pass", "Output": nothing, "Next": "E"}), "Output"),
        (json!({"Type": "Pass", "Assign": {"x": {"y": nothing}}, "Next": "E"}), "Assign/x/y"),
        (task(json!({"Arguments": {"FunctionName": nothing}})), "Arguments/FunctionName"),
        (task(json!({"TimeoutSeconds": nothing})), "TimeoutSeconds"),
        (map(json!({"Items": nothing})), "Items"),
        (map(json!({"Items": [1], "MaxConcurrency": nothing})), "MaxConcurrency"),
        (map(json!({"Items": [1], "ItemSelector": {"a": nothing}})), "ItemSelector/a"),
        (json!({"Type": "Wait", "Seconds": nothing, "Next": "E"}), "Seconds"),
        (json!({"Type": "Fail", "Error": nothing}), "Error"),
        (json!({"Type": "Fail", "Cause": nothing}), "Cause"),
        (json!({"Type": "Succeed", "Output": {"v": nothing}}), "Output/v"),
        (
            choice(json!([{"Condition": false, "Next": "E"}, {"Condition": nothing, "Next": "E"}])),
            "Choices[1]/Condition",
        ),
        (choice(json!([{"Condition": "{% true %}", "Output": {"v": nothing}, "Next": "E"}])), "Choices[0]/Output/v"),
        (choice(json!([{"Condition": "{% true %}", "Assign": {"x": nothing}, "Next": "E"}])), "Choices[0]/Assign/x"),
    ] {
        let mut states = json!({"S": state});
        let ends = state["Type"] == "Fail" || state["Type"] == "Succeed" || state.get("End").is_some();
        if !ends {
            states["E"] = end.clone();
        }
        let expected = format!(
            "The JSONata expression '$states.input.missing' specified for the field '{place}' returned nothing (undefined)."
        );
        assert_eq!(cause(states, json!({})).await, expected, "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_is_true_decides_and_needs_a_boolean() {
    let states = |condition: &str| {
        json!({
            "C": {
                "Type": "Choice", "Default": "D", "Assign": {"by": "default"}, "Output": "{% 'default' %}",
                "Choices": [
                    {"Condition": false, "Next": "T"},
                    {"Condition": condition, "Next": "T", "Assign": {"by": "rule"}, "Output": {"rule": true}},
                    {"Condition": "{% $error('not reached') %}", "Next": "T"}
                ]
            },
            "T": {"Type": "Pass", "Output": ["{% $states.input %}", "{% $by %}"], "End": true},
            "D": {"Type": "Pass", "Output": ["{% $states.input %}", "{% $by %}"], "End": true}
        })
    };
    assert_eq!(output(states("{% $states.input.x > 1 %}"), json!({"x": 2})).await, json!([{"rule": true}, "rule"]));
    let mut two = states("{% $states.input.x > 1 %}");
    two["C"]["Choices"].as_array_mut().unwrap().truncate(2);
    assert_eq!(output(two, json!({"x": 1})).await, json!(["default", "default"]));
    assert_eq!(
        cause(states("{% $states.input.x %}"), json!({"x": "yes"})).await,
        "The JSONata expression '$states.input.x' specified for the field 'Choices[1]/Condition' returned an unexpected \
         result type. Expected 'boolean', but was 'string' for value: \"yes\""
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_gets_its_arguments_and_its_result_becomes_the_output() {
    let script = Arc::new(Script::new());
    let states = json!({
        "T": {
            "Type": "Task", "Resource": INVOKE, "TimeoutSeconds": "{% $states.input.seconds %}",
            "Arguments": {"Payload": {"n": "{% $states.input.seconds * 2 %}", "name": "{% $states.context.State.Name %}"}},
            "Output": {"got": "{% $states.result.Payload.n %}", "had": "{% $states.input.seconds %}"},
            "Assign": {"all": "{% $states.result %}"}, "Next": "P"
        },
        "P": {"Type": "Pass", "Output": ["{% $states.input %}", "{% $all.Payload.name %}"], "End": true}
    });
    let (outcome, events) = run(states, json!({"seconds": 3}), &script).await;
    assert_eq!(outcome.output.unwrap(), json!([{"got": 6, "had": 3}, "T"]));
    assert_eq!(script.calls.lock().unwrap()[0].1, json!({"Payload": {"n": 6, "name": "T"}}));
    assert_eq!(events[2].to_json(true)["taskScheduledEventDetails"]["timeoutInSeconds"], 3);
    assert_eq!(
        events[5].to_json(true)["stateExitedEventDetails"]["assignedVariables"],
        json!({"all": "{\"Payload\":{\"n\":6,\"name\":\"T\"}}"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_catch_reads_the_error_and_can_assign() {
    let states = |output: Value| {
        json!({
            "T": {
                "Type": "Task", "Resource": INVOKE, "End": true,
                "Catch": [
                    {"ErrorEquals": ["States.Timeout"], "Next": "F"},
                    {"ErrorEquals": ["States.ALL"], "Next": "F", "Output": output,
                     "Assign": {"error": "{% $states.errorOutput.Error %}"}}
                ]
            },
            "F": {"Type": "Pass", "Output": {"in": "{% $states.input %}", "error": "{% $error %}"}, "End": true}
        })
    };
    let script = || Arc::new(Script::new().reply("T", 0, Err(TaskError::new("Boom", "why"))));
    let both = json!({"error": "{% $states.errorOutput %}", "input": "{% $states.input %}"});
    let (outcome, _) = run(states(both), json!({"a": 1}), &script()).await;
    let error = json!({"Error": "Boom", "Cause": "why"});
    assert_eq!(outcome.output.unwrap(), json!({"in": {"error": error, "input": {"a": 1}}, "error": "Boom"}));

    let (outcome, events) = run(states(json!("{% $states.input.missing %}")), json!({}), &script()).await;
    assert!(outcome.cause.unwrap().contains("specified for the field 'Catch[1]/Output' returned nothing"));
    assert_eq!(chain(&events)[4..], ["5 4 TaskFailed", "6 5 EvaluationFailed", "7 6 ExecutionFailed"]);
}

#[tokio::test(start_paused = true)]
async fn a_catch_of_branches_that_fails_lets_the_state_fail_again() {
    let states = json!({
        "P": {
            "Type": "Parallel", "End": true,
            "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Fail", "Error": "E", "Cause": "c"}}}],
            "Catch": [
                {"ErrorEquals": ["Other"], "Next": "D"},
                {"ErrorEquals": ["States.ALL"], "Output": {"v": "{% $states.input.missing %}"}, "Next": "D"}
            ]
        },
        "D": {"Type": "Pass", "End": true}
    });
    let (outcome, events) = run(states, json!({}), &Arc::new(Script::new())).await;
    assert_eq!(
        chain(&events)[2..],
        [
            "3 2 ParallelStateStarted",
            "4 3 FailStateEntered",
            "5 4 ParallelStateFailed",
            "6 4 EvaluationFailed",
            "7 6 ParallelStateFailed",
            "8 7 ExecutionFailed",
        ]
    );
    assert_eq!(
        outcome.cause.unwrap(),
        "An error occurred while executing the state 'P' (entered at the event id #2). The JSONata expression \
         '$states.input.missing' specified for the field 'Catch[1]/Output/v' returned nothing (undefined)."
    );
}

#[tokio::test(start_paused = true)]
async fn an_item_selector_that_fails_begins_no_iteration() {
    let states = json!({"M": {
        "Type": "Map", "Items": "{% $states.input %}", "End": true,
        "ItemSelector": {"v": "{% $states.context.Map.Item.Value.v %}"},
        "ItemProcessor": {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 20, "End": true}}}
    }});
    let (outcome, events) = run(states, json!([{"v": 1}, {}]), &Arc::new(Script::new())).await;
    assert_eq!(outcome.error.as_deref(), Some("States.QueryEvaluationError"));
    assert_eq!(
        chain(&events)[2..],
        [
            "3 2 MapStateStarted",
            "4 3 MapIterationStarted",
            "5 3 MapIterationAborted",
            "6 3 EvaluationFailed",
            "7 6 MapStateFailed",
            "8 7 ExecutionFailed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_role_of_a_task_is_shown_in_its_event() {
    let task = |more: Value| {
        let mut task = json!({"Type": "Task", "Resource": INVOKE, "End": true});
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"T": task})
    };
    let input = || json!({"role": "arn:aws:iam::111122223333:role/other"});
    let queried = task(json!({"Credentials": {"RoleArn": "{% $states.input.role %}"}}));
    let (_, events) = run(queried, input(), &Arc::new(Script::new())).await;
    let details =
        |events: &[Arc<Event>]| events[2].to_json(true)["taskScheduledEventDetails"]["taskCredentials"].clone();
    assert_eq!(details(&events), json!({"roleArn": "arn:aws:iam::111122223333:role/other"}));
    let read = task(json!({"QueryLanguage": "JSONPath", "Credentials": {"RoleArn.$": "$.role"}}));
    let machine = json!({"StartAt": "T", "States": read});
    let execution = start_machine(machine, input(), &Arc::new(Script::new()), &TokenBoard::new());
    execution.wait().await;
    assert_eq!(details(&execution.history()), json!({"roleArn": "arn:aws:iam::111122223333:role/other"}));
}

#[tokio::test(start_paused = true)]
async fn the_error_of_an_evaluation_can_be_caught_and_retried() {
    let states = json!({
        "T": {
            "Type": "Task", "Resource": INVOKE, "Arguments": {"x": "{% $number('x') %}"}, "End": true,
            "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1, "IntervalSeconds": 1}],
            "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "F"}]
        },
        "F": {"Type": "Pass", "Output": "{% $states.input.Error %}", "End": true}
    });
    let (outcome, events) = run(states, json!({}), &Arc::new(Script::new())).await;
    assert_eq!(outcome.output.unwrap(), json!("States.QueryEvaluationError"));
    let failed = events.iter().filter(|event| event.event_type() == "EvaluationFailed").count();
    assert_eq!(failed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_map_goes_over_its_items() {
    let processor =
        json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Output": "{% $states.input %}", "End": true}}});
    let map = |items: Value| json!({"M": {"Type": "Map", "Items": items, "ItemProcessor": processor, "End": true}});
    assert_eq!(output(map(json!("{% [1, 'two', 3] %}")), json!({})).await, json!([1, "two", 3]));
    assert_eq!(output(map(json!([])), json!({})).await, json!([]));
    assert_eq!(output(map(json!(["{% $states.input %}", 2])), json!({"a": 1})).await, json!([{"a": 1}, 2]));
    let selected = json!({"M": {
        "Type": "Map", "Items": "{% $states.input.list %}", "MaxConcurrency": "{% 1 %}", "ItemProcessor": processor,
        "ItemSelector": {
            "value": "{% $states.context.Map.Item.Value %}", "index": "{% $states.context.Map.Item.Index %}",
            "all": "{% $count($states.input.list) %}"
        },
        "Output": {"results": "{% $states.result %}"}, "End": true
    }});
    let item = |index: u64, value: &str| json!({"value": value, "index": index, "all": 2});
    let fields = [("Items", json!([1, "{% $number('2') %}", 3])), ("MaxConcurrency", json!("{% $variable := 1 %}"))];
    let tolerated = ["ToleratedFailureCount", "ToleratedFailurePercentage"];
    for (name, value) in fields.into_iter().chain(tolerated.map(|name| (name, json!("{% $variable := 1 %}")))) {
        let mut state = map(json!([1, 2, 3]));
        state["M"][name] = value;
        assert_eq!(output(state, json!({})).await, json!([1, 2, 3]), "{name}");
    }
    assert_eq!(output(selected, json!({"list": ["a", "b"]})).await, json!({"results": [item(0, "a"), item(1, "b")]}));
}

#[tokio::test(start_paused = true)]
async fn items_that_are_not_an_array_fail_the_map_with_the_recorded_history() {
    let processor = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    for (items, problem) in [
        ("1", "returned an unexpected result type. Expected 'array', but was 'number' for value: 1"),
        ("'string'", "returned an unexpected result type. Expected 'array', but was 'string' for value: \"string\""),
        ("true", "returned an unexpected result type. Expected 'array', but was 'boolean' for value: true"),
        (
            "{'foo':'bar'}",
            "returned an unexpected result type. Expected 'array', but was 'object' for value: {\"foo\":\"bar\"}",
        ),
        ("null", "returned an unexpected result type. Expected 'array', but was 'null' for value: null"),
        ("$fn := function($x){$x}", "returned an unsupported result type."),
    ] {
        let states = json!({
            "Start": {"Type": "Pass", "Next": "M"},
            "M": {"Type": "Map", "Items": format!("{{% {items} %}}"), "ItemProcessor": processor, "End": true}
        });
        let (outcome, events) = run(states, json!({}), &Arc::new(Script::new())).await;
        let cause = format!(
            "An error occurred while executing the state 'M' (entered at the event id #4). The JSONata expression \
             '{items}' specified for the field 'Items' {problem}"
        );
        assert_eq!(outcome.cause.as_deref(), Some(cause.as_str()));
        assert_eq!(
            chain(&events)[3..],
            ["4 3 MapStateEntered", "5 3 EvaluationFailed", "6 5 MapStateFailed", "7 6 ExecutionFailed"]
        );
        assert_eq!(
            events[4].to_json(true)["evaluationFailedEventDetails"],
            json!({"error": "States.QueryEvaluationError", "cause": cause, "location": "Items", "state": "M"})
        );
    }
    let states = json!({"M": {"Type": "Map", "ItemProcessor": processor, "End": true}});
    let (_, events) = run(states, json!({"foo": "bar"}), &Arc::new(Script::new())).await;
    let cause = "An error occurred while executing the state 'M' (entered at the event id #2). Map state input must be an \
                 array but was: {\"foo\":\"bar\"}";
    assert_eq!(
        events[2].to_json(true)["evaluationFailedEventDetails"],
        json!({"error": "States.QueryEvaluationError", "cause": cause, "state": "M"})
    );
}

#[tokio::test(start_paused = true)]
async fn histories_of_failed_evaluations_are_those_that_were_recorded() {
    let pass = json!({"S": {"Type": "Pass", "Output": "{% $doesNotExist %}", "End": true}});
    let (_, events) = run(pass, json!({}), &Arc::new(Script::new())).await;
    assert_eq!(chain(&events)[1..], ["2 0 PassStateEntered", "3 0 EvaluationFailed", "4 3 ExecutionFailed"]);
    let wait = json!({"W": {"Type": "Wait", "Timestamp": "{% $states.input.at %}", "End": true}});
    let (outcome, events) = run(wait, json!({"at": "2016-12-05 21:29:29Z"}), &Arc::new(Script::new())).await;
    assert_eq!(chain(&events)[1..], ["2 0 WaitStateEntered", "3 2 EvaluationFailed", "4 3 ExecutionFailed"]);
    assert_eq!(
        outcome.cause.unwrap(),
        "An error occurred while executing the state 'W' (entered at the event id #2). The Timestamp field cannot be \
         parsed as an ISO-8601 extended offset date-time format string: 2016-12-05 21:29:29Z"
    );
}

#[tokio::test]
async fn an_evaluation_without_end_is_stopped_with_its_execution() {
    let machine = json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {
        "S": {"Type": "Pass", "Output": "{% ($f := function($x){ $f($x+1) }; $f(1)) %}", "End": true}
    }});
    let execution = start_machine(machine, json!({}), &Arc::new(Script::new()), &TokenBoard::new());
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(execution.stop(None, None));
    assert_eq!(execution.wait().await.status, Status::Aborted);
}
