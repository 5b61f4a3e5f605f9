//! Variables: `Assign`, scopes and references. Results are those that the service recorded for the same machines.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{INVOKE, Script, failure, output, run, start};
use crate::{StateMachine, TaskError, TokenBoard};

/// Returns `assignedVariables` of every state that assigned some.
async fn assigned(states: Value, input: Value) -> Vec<Value> {
    let execution = start(states, input, &Arc::new(Script::new()), &TokenBoard::new());
    let outcome = execution.wait().await;
    assert!(outcome.output.is_some(), "{outcome:?}");
    let events = execution.history();
    let of = |event: &Arc<crate::Event>| event.to_json(true)["stateExitedEventDetails"]["assignedVariables"].clone();
    events.iter().map(of).filter(|value| !value.is_null()).collect()
}

#[tokio::test(start_paused = true)]
async fn literals_are_assigned_as_they_are_and_shown_as_json_texts() {
    let values = json!({
        "lst": [null, 0, 0.1, true, "$.no.such.path", "$$", [], {"constant": 0}], "null": null, "obj": {"a": "$"},
        "str": "{% $x %}"
    });
    assert_eq!(
        assigned(json!({"S": {"Type": "Pass", "Assign": values, "End": true}}), json!({})).await,
        [json!({
            "lst": "[null,0,0.1,true,\"$.no.such.path\",\"$$\",[],{\"constant\":0}]", "null": "null",
            "obj": "{\"a\":\"$\"}", "str": "\"{% $x %}\""
        })]
    );
    assert_eq!(assigned(json!({"S": {"Type": "Pass", "Assign": {}, "End": true}}), json!({})).await, [] as [Value; 0]);
}

#[tokio::test(start_paused = true)]
async fn every_reference_reads_the_values_at_the_entry_of_the_state() {
    let states = json!({
        "A": {"Type": "Pass", "Assign": {"x": 3, "a": 6}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x.$": "$a", "next.$": "$x"}, "Parameters": {"seen.$": "$x"}, "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"before.$": "$.seen", "x.$": "$x", "next.$": "$next"}, "End": true}
    });
    assert_eq!(output(states, json!({})).await, json!({"before": 3, "x": 6, "next": 3}));
}

#[tokio::test(start_paused = true)]
async fn the_dollar_of_an_assignment_is_the_result() {
    let states = json!({
        "A": {"Type": "Pass", "Result": {"answer": 42}, "ResultPath": "$.r", "Assign": {"a.$": "$.answer"}, "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"p": 1}, "Assign": {"b.$": "$.p"}, "ResultPath": null, "Next": "C"},
        "C": {"Type": "Wait", "Seconds": 0, "InputPath": "$.r", "Assign": {"c.$": "$.answer"}, "Next": "D"},
        "D": {"Type": "Task", "Resource": INVOKE, "Assign": {"d.$": "$.answer"}, "ResultSelector": {"x": 1}, "Next": "E"},
        "E": {"Type": "Pass", "Parameters": {"all.$": "States.Array($a, $b, $c, $d)"}, "End": true}
    });
    assert_eq!(output(states, json!({})).await, json!({"all": [42, 1, 42, 42]}));
}

#[tokio::test(start_paused = true)]
async fn a_choice_assigns_by_its_rule_or_by_itself() {
    let states = json!({
        "C": {
            "Type": "Choice", "Default": "E", "Assign": {"by": "default"},
            "Choices": [{"Variable": "$.x", "NumericEquals": 1, "Next": "E", "Assign": {"by": "rule", "x.$": "$.x"}}]
        },
        "E": {"Type": "Pass", "Parameters": {"by.$": "$by"}, "End": true}
    });
    assert_eq!(output(states.clone(), json!({"x": 1})).await, json!({"by": "rule"}));
    assert_eq!(output(states, json!({"x": 2})).await, json!({"by": "default"}));
}

#[tokio::test(start_paused = true)]
async fn a_catch_assigns_from_the_error() {
    let script = Arc::new(Script::new().reply("T", 0, Err(TaskError::new("Boom", "why"))));
    let states = json!({
        "T": {
            "Type": "Task", "Resource": INVOKE, "End": true, "Assign": {"never": 1},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "F", "ResultPath": null, "Assign": {"e.$": "$.Error"}}]
        },
        "F": {"Type": "Pass", "Parameters": {"e.$": "$e", "in.$": "$"}, "End": true}
    });
    assert_eq!(run(states, json!({"a": 1}), &script).await.output.unwrap(), json!({"e": "Boom", "in": {"a": 1}}));
}

#[tokio::test(start_paused = true)]
async fn branches_and_iterations_read_the_variables_around_them_and_keep_their_own() {
    let states = json!({
        "A": {"Type": "Pass", "Assign": {"bias": 4, "items": [1, 2]}, "Next": "M"},
        "M": {
            "Type": "Map", "ItemsPath": "$items", "MaxConcurrency": 1, "Next": "P",
            "ItemProcessor": {"StartAt": "I", "States": {
                "I": {"Type": "Pass", "Assign": {"own.$": "States.MathAdd($, $bias)"}, "Next": "J"},
                "J": {"Type": "Pass", "Parameters": {"own.$": "$own"}, "End": true}
            }}
        },
        "P": {
            "Type": "Parallel", "Next": "E",
            "Branches": [
                {"StartAt": "B1", "States": {"B1": {"Type": "Pass", "Assign": {"v.$": "$bias"}, "End": true}}},
                {"StartAt": "B2", "States": {"B2": {"Type": "Pass", "Assign": {"v": 0}, "Next": "B3"},
                                             "B3": {"Type": "Pass", "Parameters": {"v.$": "$v"}, "End": true}}}
            ]
        },
        "E": {"Type": "Pass", "Parameters": {"in.$": "$", "bias.$": "$bias"}, "End": true}
    });
    assert_eq!(output(states, json!({})).await, json!({"in": [[{"own": 5}, {"own": 6}], {"v": 0}], "bias": 4}));
}

#[tokio::test(start_paused = true)]
async fn a_variable_is_read_by_every_field_that_takes_a_path() {
    let states = json!({
        "A": {"Type": "Pass", "Assign": {"n": 1, "at": "2020-01-01T00:00:00Z", "o": {"x": [7]}}, "Next": "W"},
        "W": {"Type": "Wait", "SecondsPath": "$n", "Next": "X"},
        "X": {"Type": "Wait", "TimestampPath": "$at", "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$n", "NumericEqualsPath": "$o.missing", "Next": "F"},
                                            {"Variable": "$n", "NumericEqualsPath": "$n", "Next": "P"}]},
        "P": {"Type": "Pass", "InputPath": "$o", "OutputPath": "$o.x[0]", "End": true},
        "F": {"Type": "Fail"}
    });
    let mut without = states.clone();
    without["C"]["Choices"].as_array_mut().unwrap().remove(0);
    without.as_object_mut().unwrap().remove("F");
    assert_eq!(output(without, json!({})).await, json!(7));
    assert_eq!(failure(states, json!({})).await.0, "States.Runtime");
    let fail = json!({
        "A": {"Type": "Pass", "Assign": {"e": "Exception", "c": "why"}, "Next": "F"},
        "F": {"Type": "Fail", "ErrorPath": "$e", "CausePath": "$c"}
    });
    assert_eq!(failure(fail, json!({})).await, ("Exception".to_owned(), "why".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn both_languages_share_the_variables() {
    let states = json!({
        "A": {"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"n": "{% 42 %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"n": 18, "old.$": "$n"}, "Next": "C"},
        "C": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% [$n, $old] %}", "End": true}
    });
    assert_eq!(output(states, json!({})).await, json!([18, 42]));
}

#[tokio::test(start_paused = true)]
async fn variables_that_are_too_large_fail_the_state() {
    let big = "x".repeat(200_000);
    let two = json!({"S": {"Type": "Pass", "Assign": {"a.$": "$.big", "b.$": "$.big"}, "End": true}});
    let (error, cause) = failure(two, json!({"big": big})).await;
    assert_eq!(error, "States.DataLimitExceeded");
    assert!(cause.contains("262144"), "{cause}");
    let mut states = json!({});
    for at in 0..60 {
        let (name, next) = (format!("S{at}"), format!("S{}", at + 1));
        states[name] = json!({"Type": "Pass", "Assign": {format!("v{at}.$"): "$.big"}, "Next": next});
    }
    states["S60"] = json!({"Type": "Succeed"});
    let (error, cause) = failure(states, json!({"big": big})).await;
    assert_eq!(error, "States.DataLimitExceeded");
    assert!(cause.contains("10485760"), "{cause}");
}

#[test]
fn the_references_of_each_state_are_listed() {
    let machine = json!({
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Parameters": {"x": "$literal"}, "Assign": {"guess": 1, "answer": 2}, "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Variable": "$guess", "NumericEqualsPath": "$answer.a", "Next": "M"}], "Default": "J"},
            "M": {"Type": "Map", "ItemsPath": "$list", "Next": "J", "ItemProcessor": {"StartAt": "I", "States": {
                "I": {"Type": "Pass", "Assign": {"s.$": "States.MathAdd(States.MathAdd($y, $x), $bias)"}, "End": true}
            }}},
            "J": {"Type": "Pass", "QueryLanguage": "JSONata", "End": true,
                  "Output": "{% ($own := $guess; $f := function($p){ $p + $own + $q }; $f($states.input.x)) %}"}
        }
    });
    let machine = StateMachine::parse(&machine.to_string()).unwrap();
    let found = serde_json::to_value(machine.variable_references()).unwrap();
    assert_eq!(found, json!({"C": ["answer", "guess"], "I": ["bias", "x", "y"], "J": ["guess", "q"], "M": ["list"]}));
}
