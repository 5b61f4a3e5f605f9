//! Which definitions are refused when a machine is loaded, and with which findings.

#![allow(clippy::unwrap_used)]

mod maps;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Code, Finding, Resource, Resources, Severity, StateMachine, TaskCall, TaskError, Unsupported};

fn findings(definition: &Value) -> Vec<Finding> {
    StateMachine::parse(&definition.to_string()).map_or_else(|error| error.findings, |machine| machine.warnings)
}

/// Returns the findings of a machine with this state, named `S`, and a state `T`.
fn of_state(state: Value) -> Vec<Finding> {
    let mut state = state;
    let next = ["Choice", "Succeed", "Fail"].contains(&state["Type"].as_str().unwrap_or_default());
    if !next && state.get("Next").is_none() && state.get("End").is_none() {
        state["Next"] = "T".into();
    }
    findings(&json!({
        "StartAt": "Ask",
        "States": {
            "Ask": {
                "Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": true, "Next": "T"}], "Default": "S"
            },
            "S": state, "T": {"Type": "Succeed"}
        }
    }))
}

/// Checks that there is exactly one finding, with this code, place, state and part of the message.
fn one(state: Value, code: Code, location: &str, part: &str) {
    let found = of_state(state.clone());
    assert_eq!(found.len(), 1, "{state}: {found:#?}");
    assert_eq!((found[0].code, found[0].location.as_str()), (code, format!("/States/S{location}").as_str()), "{state}");
    assert!(found[0].message.contains(part), "{state}: {}", found[0].message);
    assert_eq!(found[0].state.as_deref(), Some("S"));
}

const TASK: &str = "arn:aws:states:::lambda:invoke";

#[test]
fn a_definition_must_be_an_object_with_states_and_a_start() {
    let parse = |text: &str| StateMachine::parse(text).unwrap_err().findings;
    assert_eq!(parse("").first().unwrap().code, Code::NotAnObject);
    assert_eq!(parse("not a definition").first().unwrap().code, Code::InvalidJson);
    assert_eq!(parse("[]").first().unwrap().message, "Definition must be a valid JSON object");
    let twice = r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Succeed"}}}"#;
    assert!(parse(twice)[0].message.contains("'A' occurs twice"));
    let found = parse("{}");
    assert_eq!(
        (found[0].location.as_str(), found[0].message.as_str()),
        ("/", "These fields are required: [States, StartAt]")
    );
}

#[test]
fn a_machine_with_every_state_type_is_accepted() {
    let machine = StateMachine::parse(
        &json!({
            "Comment": "all", "Version": "1.0", "TimeoutSeconds": 60, "QueryLanguage": "JSONPath", "StartAt": "Task",
            "States": {
                "Task": {
                    "Type": "Task", "Resource": TASK, "Parameters": {"a.$": "$"}, "ResultSelector": {"b.$": "$.Payload"},
                    "ResultPath": "$.c", "InputPath": "$", "OutputPath": "$.c", "TimeoutSeconds": 9,
                    "HeartbeatSecondsPath": "$.h", "Next": "Pass",
                    "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 0}, {
                        "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1.5, "MaxDelaySeconds": 5,
                        "JitterStrategy": "FULL"
                    }],
                    "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "Fail"}]
                },
                "Pass": {"Type": "Pass", "Result": null, "Next": "Wait"},
                "Wait": {"Type": "Wait", "TimestampPath": "$.t", "Next": "Parallel"},
                "Parallel": {
                    "Type": "Parallel", "Next": "Map",
                    "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}}]
                },
                "Map": {
                    "Type": "Map", "ItemsPath": "$.list", "MaxConcurrencyPath": "$.n", "Next": "Choice",
                    "ItemSelector": {"i.$": "$$.Map.Item.Index"},
                    "ItemProcessor": {
                        "ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "I",
                        "States": {"I": {"Type": "Succeed"}}
                    }
                },
                "Choice": {
                    "Type": "Choice", "Default": "Succeed",
                    "Choices": [{"Not": {"Variable": "$.x", "StringMatches": "a*"}, "Next": "Fail"}]
                },
                "Succeed": {"Type": "Succeed"},
                "Fail": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{}', $.c)"}
            }
        })
        .to_string(),
    )
    .unwrap();
    assert_eq!(machine.warnings(), []);
    assert_eq!(machine.states().len(), 10);
    assert_eq!(machine.resources().len(), 1);
}

#[test]
fn transitions_to_unknown_states_and_unreachable_states_are_named() {
    let found = findings(&json!({
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Next": "Gone"},
            "B": {"Type": "Task", "Resource": TASK, "End": true, "Catch": [{"ErrorEquals": ["X"], "Next": "Lost"}]}
        }
    }));
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:#?}");
    assert!(texts[0].starts_with("state 'A': Missing 'Next' target: Gone (at /States/A/Next)"), "{}", texts[0]);
    assert!(texts[1].starts_with("state 'B': Missing 'Next' target: Lost (at /States/B/Catch/0/Next)"), "{}", texts[1]);
    assert!(texts[2].starts_with("state 'B': State \"B\" is not reachable."), "{}", texts[2]);

    let found = findings(&json!({"StartAt": "Nope", "States": {"A": {"Type": "Succeed"}}}));
    assert!(found[0].message.contains("target: Nope"));
    assert_eq!((found[0].code, found[0].location.as_str()), (Code::Transition, "/StartAt"));
}

#[test]
fn a_transition_cannot_leave_its_branch_and_names_are_unique_in_the_machine() {
    let found = of_state(json!({
        "Type": "Parallel",
        "Branches": [
            {"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "T"}}},
            {"StartAt": "S", "States": {"S": {"Type": "Pass", "End": true}}}
        ]
    }));
    assert_eq!(found[0].code, Code::Transition);
    assert_eq!(found[0].location, "/States/S/Branches/0/States/B/Next");
    assert!(found.iter().any(|finding| finding.code == Code::DuplicateStateName), "{found:#?}");
}

#[test]
fn unknown_types_fields_and_resources_are_refused_by_name() {
    one(json!({"Type": "Loop"}), Code::Schema, "/Type", "Value should be one of the following: [Task, Pass, ");
    one(json!({"Type": "Pass", "Timeout": 5}), Code::Schema, "/Timeout", "Field 'Timeout' is not supported");
    one(json!({"Type": "Pass", "Retry": []}), Code::Schema, "/Retry", "Field 'Retry' is not supported");
    one(json!({"Type": "Succeed", "Next": "T"}), Code::Schema, "/Next", "Field 'Next' is not supported");
    let role = "The field 'RoleArn' is required but was missing";
    one(json!({"Type": "Task", "Resource": TASK, "Credentials": {}}), Code::Schema, "/Credentials", role);
    let activity = "arn:aws:states:eu-west-1:111122223333:activity:a";
    let assumed = json!({"Type": "Task", "Resource": activity, "Credentials": {"RoleArn": "arn:aws:iam::1:role/r"}});
    one(assumed, Code::Schema, "/Credentials", "The field 'Credentials' is not supported for activities");
    one(json!({"Type": "Task", "Resource": "${F}"}), Code::Unsupported, "/Resource", "placeholder");
    one(json!({"Type": "Task", "Resource": "lambda"}), Code::Schema, "/Resource", "Value is not a valid resource ARN");
    let sync = json!({"Type": "Task", "Resource": format!("{TASK}.sync")});
    one(
        sync,
        Code::Schema,
        "/Resource",
        "The resource provided arn:aws:states:::lambda:invoke.sync is not recognized.",
    );
}

#[test]
fn missing_and_contradictory_fields_are_named() {
    let processor = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    for (state, message) in [
        (json!({"Type": "Task"}), "These fields are required: [Resource]"),
        (json!({"Type": "Parallel"}), "These fields are required: [Branches]"),
        (json!({"Type": "Map"}), "This object should have only one of the following fields: [ItemProcessor, Iterator]"),
        (
            json!({"Type": "Map", "ItemProcessor": processor, "Iterator": processor}),
            "There should only be one of the following fields: [ItemProcessor, Iterator]",
        ),
        (
            json!({"Type": "Wait"}),
            "This object should have only one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp]",
        ),
        (
            json!({"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s"}),
            "There should only be one of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp]",
        ),
        (
            json!({"Type": "Pass", "Next": "T", "End": true}),
            "There should only be one of the following fields: [Next, End]",
        ),
        (json!({"Type": "Pass", "End": false}), "'End' must be true, or 'Next' given instead"),
        (
            json!({"Type": "Fail", "Error": "A", "ErrorPath": "$.e"}),
            "There should only be one of the following fields: [Error, ErrorPath]",
        ),
    ] {
        one(state, Code::Schema, "", message);
    }
    let found = findings(&json!({"StartAt": "A", "States": {"A": {"Type": "Pass"}}}));
    assert_eq!(found[0].message, "This object should have only one of the following fields: [Next, End]");
    let found = findings(&json!({"StartAt": "A", "States": {"A": {}}}));
    assert_eq!(found[0].message, "These fields are required: [Type]");
    let found = findings(&json!({"StartAt": "A", "Version": "2.0", "States": {"A": {"Type": "Succeed"}}}));
    assert_eq!(found[0].message, "Value should be one of the following: [1.0]");
}

#[test]
fn malformed_paths_and_calls_are_refused_with_their_place() {
    one(json!({"Type": "Pass", "InputPath": "$.a["}), Code::InvalidPath, "/InputPath", "not closed");
    one(json!({"Type": "Pass", "ResultPath": "$.a[*]"}), Code::InvalidPath, "/ResultPath", "reference path");
    one(json!({"Type": "Pass", "ResultPath": "$$.Task"}), Code::InvalidPath, "/ResultPath", "cannot be written");
    one(json!({"Type": "Wait", "SecondsPath": "$..s"}), Code::InvalidPath, "/SecondsPath", "reference path");
    one(
        json!({"Type": "Pass", "Parameters": {"deep": [{"x.$": "States.Nothing()"}]}}),
        Code::InvalidPath,
        "/Parameters/deep/0/x.$",
        "'States.Nothing'",
    );
    one(
        json!({"Type": "Fail", "CausePath": "States.ArrayLength($.a)"}),
        Code::InvalidPath,
        "/CausePath",
        "does not return a string",
    );
}

#[test]
fn retries_are_checked_value_by_value() {
    let retry = |entry: Value| json!({"Type": "Task", "Resource": TASK, "Retry": [entry]});
    for (field, value, part) in [
        ("IntervalSeconds", json!(0), "from 1 to 99999999"),
        ("MaxAttempts", json!(-1), "from 0 to 99999999"),
        ("MaxAttempts", json!(1.5), "whole number"),
        ("BackoffRate", json!(0.9), "at least 1.0"),
        ("MaxDelaySeconds", json!(1), "greater than 'IntervalSeconds'"),
        ("JitterStrategy", json!("HALF"), "Value should be one of the following: [NONE, FULL]"),
        ("Jitter", json!("FULL"), "Field 'Jitter' is not supported"),
    ] {
        let mut entry = json!({"ErrorEquals": ["X"]});
        entry[field] = value;
        one(retry(entry), Code::Schema, &format!("/Retry/0/{field}"), part);
    }
    one(retry(json!({})), Code::Schema, "/Retry/0", "These fields are required: [ErrorEquals]");
    one(retry(json!({"ErrorEquals": []})), Code::Schema, "/Retry/0/ErrorEquals", "Value cannot be empty");
}

#[test]
fn states_all_must_be_alone_and_last() {
    for field in ["Retry", "Catch"] {
        let entry = |names: Value| match field {
            "Catch" => json!({"ErrorEquals": names, "Next": "T"}),
            _ => json!({"ErrorEquals": names}),
        };
        let mut state = json!({"Type": "Task", "Resource": TASK});
        state[field] = json!([entry(json!(["States.ALL"])), entry(json!(["X"]))]);
        let message = "States.ALL must appear alone and at end of list";
        one(state.clone(), Code::Schema, &format!("/{field}/0/ErrorEquals"), message);
        state[field] = json!([entry(json!(["X", "States.ALL"]))]);
        one(state, Code::Schema, &format!("/{field}/0/ErrorEquals"), message);
    }
}

#[test]
fn timeouts_are_within_bounds_and_the_heartbeat_is_shorter_than_the_timeout() {
    let task = |field: &str, value: Value| json!({"Type": "Task", "Resource": TASK, (field): value});
    one(task("TimeoutSeconds", json!(0)), Code::Schema, "/TimeoutSeconds", "from 1 to 99999999");
    one(task("HeartbeatSeconds", json!("5")), Code::Schema, "/HeartbeatSeconds", "whole number");
    let mut state = task("TimeoutSeconds", json!(5));
    state["HeartbeatSeconds"] = json!(5);
    one(state, Code::Schema, "", "must be smaller than 'TimeoutSeconds'");
}

#[test]
fn rules_have_one_comparison_of_the_right_type() {
    let choice = |rule: Value| json!({"Type": "Choice", "Default": "T", "Choices": [rule]});
    for (rule, place, part) in [
        (json!({"Next": "T"}), "", "The object must have only one of the following fields, [And, Or, Not, Variable, "),
        (
            json!({"Variable": "$.a", "And": [], "Next": "T"}),
            "",
            "The object must have only one of the following fields",
        ),
        (json!({"Variable": "$.a", "Next": "T"}), "", "needs a comparison"),
        (json!({"Variable": "$.a", "IsNull": true}), "", "These fields are required: [Next]"),
        (json!({"IsNull": true, "Next": "T"}), "", "needs 'Variable'"),
        (
            json!({"Variable": "$.a", "IsNull": true, "IsString": true, "Next": "T"}),
            "",
            "There should only be one of the following fields: [IsNull, IsString]",
        ),
        (json!({"Variable": "$.a", "StringStartsWith": "x", "Next": "T"}), "/StringStartsWith", "'StringStartsWith'"),
        (json!({"Variable": "$.a", "NumericEquals": "5", "Next": "T"}), "/NumericEquals", "does not have the type"),
        (
            json!({"Variable": "$.a", "TimestampEquals": "noon", "Next": "T"}),
            "/TimestampEquals",
            "does not have the type",
        ),
        (json!({"Variable": "$.a", "IsNull": "yes", "Next": "T"}), "/IsNull", "true or false"),
        (json!({"Variable": "$.a", "StringMatches": "a\\b", "Next": "T"}), "/StringMatches", "backslash"),
        (json!({"And": [], "Next": "T"}), "/And", "Value cannot be empty"),
        (
            json!({"Not": {"Variable": "$.a", "IsNull": true, "Next": "T"}, "Next": "T"}),
            "/Not/Next",
            "Field 'Next' is not supported",
        ),
    ] {
        one(choice(rule), Code::Schema, &format!("/Choices/0{place}"), part);
    }
    one(json!({"Type": "Choice", "Default": "T", "Choices": []}), Code::Schema, "/Choices", "Value cannot be empty");
}

#[test]
fn a_choice_without_default_and_a_machine_without_end_are_noted_but_run() {
    let found = of_state(json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "T"}]}));
    assert_eq!((found[0].severity, found[0].code), (Severity::Warning, Code::NoDefault));
    assert_eq!(found[0].state.as_deref(), Some("S"));
    let found = findings(&json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}));
    assert_eq!((found[0].severity, found[0].code), (Severity::Warning, Code::NoEnd));
}

#[test]
fn an_unsupported_resource_is_refused_with_its_state() {
    struct OnlyLambda;
    #[async_trait::async_trait]
    impl Resources for OnlyLambda {
        fn supports(&self, resource: &Resource) -> Result<(), Unsupported> {
            match resource.resource_type() {
                "lambda" => Ok(()),
                other => Err(Unsupported { reason: format!("there is no '{other}' here") }),
            }
        }
        async fn call(&self, _: TaskCall) -> Result<Value, TaskError> {
            Ok(Value::Null)
        }
    }
    let machine = json!({
        "StartAt": "P",
        "States": {"P": {
            "Type": "Parallel", "End": true,
            "Branches": [{"StartAt": "Send", "States": {
                "Send": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true}
            }}]
        }}
    });
    let error = StateMachine::load(&machine.to_string(), &OnlyLambda).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the state machine is refused: state 'Send': the resource 'arn:aws:states:::sns:publish' is not supported: \
         there is no 'sns' here (at /States/P/Branches/0/States/Send/Resource)"
    );
}

#[test]
fn all_findings_are_reported_at_once_up_to_a_limit() {
    let states: serde_json::Map<String, Value> =
        (0..500).map(|at| (format!("S{at}"), json!({"Type": "Nope"}))).collect();
    assert_eq!(findings(&json!({"StartAt": "S0", "States": states})).len(), 100);
}

#[test]
fn a_definition_that_is_too_large_is_refused_without_parsing() {
    let text = format!("{{\"Comment\": \"{}\"", "a".repeat(crate::limits::DEFINITION_BYTES));
    assert!(StateMachine::parse(&text).unwrap_err().findings[0].message.contains("longer than"));
}

/// Generates documents that resemble definitions: known fields with values of any type.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..100_000_000_000).prop_map(Value::from),
        prop::sample::select(vec![
            "Task",
            "Pass",
            "Map",
            "Parallel",
            "Choice",
            "Wait",
            "Fail",
            "S",
            "States.ALL",
            "$",
            "$.a[*]",
            "$$.x",
            "States.Format('{}', $.a)",
            TASK,
            "2026-01-01T00:00:00Z",
            "\\",
            "",
        ])
        .prop_map(Value::from),
    ];
    let names = vec![
        "Type",
        "Next",
        "End",
        "StartAt",
        "States",
        "S",
        "Branches",
        "ItemProcessor",
        "Choices",
        "Variable",
        "And",
        "Not",
        "StringEquals",
        "IsPresent",
        "Retry",
        "Catch",
        "ErrorEquals",
        "MaxAttempts",
        "BackoffRate",
        "Seconds",
        "Resource",
        "Parameters",
        "x.$",
        "ResultPath",
        "InputPath",
        "Default",
        "Result",
        "TimeoutSeconds",
        "ProcessorConfig",
        "Mode",
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.clone()), inner), 0..8).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_the_parser_panic(document in anything()) {
        let _ = StateMachine::parse(&document.to_string());
        let machine = json!({"StartAt": "S", "States": {"S": document, "T": {"Type": "Succeed"}}});
        let _ = StateMachine::parse(&machine.to_string());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        prop_assert!(StateMachine::parse(&text).is_err());
    }
}
