//! Each kind of mistake, made on purpose in what is shipped.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::all_checks::findings;
use super::finding::{Finding, Kind};
use super::machine::Pinned;

const MACHINE: &str = include_str!("../../../../statemachine/media-processing.asl.json");
const SCHEMA: &str = include_str!("../../../../statemachine/schemas/batch.schema.json");

fn pins() -> BTreeMap<String, Pinned> {
    let pin = |(name, world, seconds): (&str, &str, u64)| {
        (name.to_owned(), Pinned { world: world.to_owned(), deadline_ms: seconds * 1000 })
    };
    [
        ("ValidateRawAssets", "validate", 120),
        ("GenerateThumbnails", "thumbnails", 60),
        ("ProcessVideos", "transcode", 120),
        ("CreateZipBundle", "zip", 600),
        ("FinalizeAndCallback", "callback", 60),
        ("ReportValidationFailed", "callback", 60),
        ("ReportProcessingFailed", "callback", 60),
    ]
    .map(pin)
    .into()
}

/// What is shipped, before somebody makes a mistake.
struct Shipped {
    machine: Value,
    schema: Value,
    pins: BTreeMap<String, Pinned>,
}

impl Shipped {
    fn new() -> Self {
        let read = |text| serde_json::from_str(text).unwrap();
        Self { machine: read(MACHINE), schema: read(SCHEMA), pins: pins() }
    }

    fn at(&mut self, pointer: &str) -> &mut Value {
        self.machine.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"))
    }

    fn set(&mut self, pointer: &str, field: &str, value: Value) {
        self.at(pointer)[field] = value;
    }

    fn drop(&mut self, pointer: &str, field: &str) {
        self.at(pointer).as_object_mut().unwrap().remove(field).unwrap();
    }

    fn findings(&self) -> Vec<Finding> {
        let dispatched: BTreeSet<String> = pins().into_keys().collect();
        findings(&self.machine.to_string(), &self.schema.to_string(), &self.pins, dispatched).unwrap()
    }
}

const VALIDATE: &str = "/States/ValidateRawAssets";
const ZIP: &str = "/States/CreateZipBundle";
const PARALLEL: &str = "/States/ParallelProcessing";
const THUMBNAILS: &str = "/States/ParallelProcessing/Branches/0/States/GenerateThumbnails";
const VIDEOS: &str = "/States/ParallelProcessing/Branches/1/States/ProcessVideos";
const CHECK: &str = "/States/CheckValidation";

#[test]
fn what_is_shipped_has_no_finding() {
    assert_eq!(Shipped::new().findings(), []);
}

/// A mistake, and all that is found then: kind, end of the place, subject, part of the problem.
type Case = (&'static str, fn(&mut Shipped), &'static [(Kind, &'static str, &'static str, &'static str)]);

const CASES: &[Case] = &[
    (
        "a field renamed in the schema",
        |s| {
            let counts = &mut s.schema["$defs"]["counts"];
            let field = counts["properties"].as_object_mut().unwrap().remove("valid").unwrap();
            counts["properties"]["good"] = field;
            counts["required"] = json!(["assets", "good", "failed", "videos", "problems"]);
        },
        &[(Kind::Path, "CheckValidation/Choices/0/Variable", "$.counts.valid", "has no field `valid`")],
    ),
    (
        "a field renamed in the state machine",
        |s| s.set(&format!("{CHECK}/Choices/0"), "Variable", json!("$.counts.validAssets")),
        &[(Kind::Path, "CheckValidation/Choices/0/Variable", "$.counts.validAssets", "ValidateRawAssets")],
    ),
    (
        "a field that the schema does not require",
        |s| s.set(&format!("{CHECK}/Choices/0"), "Variable", json!("$.revision")),
        &[(Kind::Path, "CheckValidation/Choices/0/Variable", "$.revision", "does not always have")],
    ),
    (
        "a list that a large document leaves behind",
        |s| s.set(&format!("{CHECK}/Choices/0"), "Variable", json!("$.assets")),
        &[
            (Kind::Path, "CheckValidation/Choices/0/Variable", "$.assets", "the head of a large batch document"),
            (Kind::Type, "CheckValidation/Choices/0/Variable", "$.assets", "is a list"),
        ],
    ),
    (
        "the answer is looked for elsewhere",
        |s| s.set(THUMBNAILS, "OutputPath", json!("$.Result")),
        &[(Kind::Path, "GenerateThumbnails/OutputPath", "$.Result", "the answer of lambda:invoke")],
    ),
    (
        "a path of the context object that is not there",
        |s| {
            s.set(
                "/States/KeepUndeliveredResult/Parameters/MessageAttributes/ExecutionArn",
                "StringValue.$",
                json!("$$.Execution.Arn"),
            )
        },
        &[(Kind::Path, "StringValue.$", "$$.Execution.Arn", "`Execution` of the context object")],
    ),
    (
        "an argument of an intrinsic function that is not there",
        |s| {
            s.set(
                "/States/KeepUndeliveredResult/Parameters",
                "MessageBody.$",
                json!("States.JsonToString($.undeliverable)"),
            )
        },
        &[(Kind::Path, "KeepUndeliveredResult/Parameters/MessageBody.$", "$.undeliverable", "need not have")],
    ),
    (
        "a ResultSelector of something that no branch gives",
        |s| s.set(PARALLEL, "ResultSelector", json!({"branches.$": "$", "third.$": "$[2]"})),
        &[
            (Kind::Document, "CreateZipBundle/Parameters/Payload/batch.$", "$", "$.third is not known"),
            (Kind::Path, "ParallelProcessing/ResultSelector/third.$", "$[2]", "the list has 2 items"),
            (Kind::Document, "ReportProcessingFailed/Parameters/Payload/batch.$", "$", "$.third is not known"),
        ],
    ),
    (
        "a text compared as a number",
        |s| s.set(&format!("{CHECK}/Choices/0"), "Variable", json!("$.counts")),
        &[(Kind::Type, "CheckValidation/Choices/0/Variable", "$.counts", "needs a number")],
    ),
    (
        "a number compared as a text",
        |s| {
            *s.at(&format!("{CHECK}/Choices/0")) =
                json!({"Variable": "$.counts.valid", "StringEquals": "0", "Next": "ParallelProcessing"})
        },
        &[(Kind::Type, "CheckValidation/Choices/0/Variable", "$.counts.valid", "needs a text")],
    ),
    (
        "a caught error at another place than the next rule looks",
        |s| {
            for state in ["0/States/GenerateThumbnails", "1/States/ProcessVideos"] {
                s.set(&format!("{PARALLEL}/Branches/{state}/Catch/0"), "ResultPath", json!("$.problem"));
            }
            for state in ["0/States/NoteThumbnailsError", "1/States/NoteVideosError"] {
                s.set(&format!("{PARALLEL}/Branches/{state}"), "ResultPath", json!("$.problem.state"));
            }
        },
        &[
            (Kind::NeverPresent, "Choices/0/Or/0/Variable", "$.branches[0].error", "no state before writes it"),
            (Kind::NeverPresent, "Choices/0/Or/1/Variable", "$.branches[1].error", "no state before writes it"),
            (Kind::Document, "CreateZipBundle/Parameters/Payload/batch.$", "$", "$.branches[0].problem is not known"),
            (
                Kind::Document,
                "ReportProcessingFailed/Parameters/Payload/batch.$",
                "$",
                "$.branches[0].problem is not known",
            ),
        ],
    ),
    (
        "a Catch that replaces the document",
        |s| s.drop(&format!("{ZIP}/Catch/0"), "ResultPath"),
        &[(Kind::Document, "ReportProcessingFailed/Parameters/Payload/batch.$", "$", "$.Cause is not known")],
    ),
    (
        "a result put into a number",
        |s| s.set(&format!("{ZIP}/Catch/0"), "ResultPath", json!("$.branches[0].retry.error")),
        &[(
            Kind::Path,
            "CreateZipBundle/Catch/0/ResultPath",
            "$.branches[0].retry.error",
            "cannot be put into a number",
        )],
    ),
    (
        "a state renamed without its pin",
        |s| {
            let state = s.machine["States"].as_object_mut().unwrap().remove("CreateZipBundle").unwrap();
            s.machine["States"]["MakeZipBundle"] = state;
            s.set("/States/CheckBranches", "Default", json!("MakeZipBundle"));
        },
        &[
            (Kind::Pin, "/States/MakeZipBundle", "MakeZipBundle", "no stage is pinned"),
            (Kind::Pin, "pins:/states/CreateZipBundle", "CreateZipBundle", "never used"),
        ],
    ),
    (
        "a pin of a state that is not there",
        |s| drop(s.pins.insert("Watermark".into(), Pinned { world: "custom".into(), deadline_ms: 1 })),
        &[(Kind::Pin, "pins:/states/Watermark", "Watermark", "no state of this name")],
    ),
    (
        "a state's name written out",
        |s| {
            s.drop(&format!("{VALIDATE}/Parameters/Payload"), "state.$");
            s.set(&format!("{VALIDATE}/Parameters/Payload"), "state", json!("ValidateRawAssets"));
        },
        &[(Kind::Envelope, "ValidateRawAssets/Parameters/Payload/state.$", "state.$", "is missing")],
    ),
    (
        "an execution's name in the place of its ARN",
        |s| s.set(&format!("{ZIP}/Parameters/Payload/execution"), "arn.$", json!("$$.Execution.Name")),
        &[(Kind::Envelope, "Payload/execution/arn.$", "execution/arn.$", "not $$.Execution.Id")],
    ),
    (
        "no token where one is waited for",
        |s| s.drop(&format!("{VIDEOS}/Parameters/Payload"), "taskToken.$"),
        &[(Kind::Token, "ProcessVideos/Parameters/Payload/taskToken.$", "taskToken.$", "does not pass one on")],
    ),
    (
        "a token where none is waited for",
        |s| s.set(&format!("{ZIP}/Parameters/Payload"), "taskToken.$", json!("$$.Task.Token")),
        &[(Kind::Token, "CreateZipBundle/Parameters/Payload/taskToken.$", "taskToken.$", "does not wait")],
    ),
    (
        "a transcoding state that does not wait",
        |s| {
            s.set(VIDEOS, "Resource", json!("arn:aws:states:::lambda:invoke"));
            s.set(VIDEOS, "OutputPath", json!("$.Payload"));
            s.drop(VIDEOS, "HeartbeatSeconds");
            s.drop(&format!("{VIDEOS}/Parameters/Payload"), "taskToken.$");
        },
        &[(Kind::Token, "ProcessVideos/Resource", "Resource", "only submits jobs")],
    ),
    (
        "a task that gives up before its stage",
        |s| s.set(ZIP, "TimeoutSeconds", json!(600)),
        &[(Kind::Timeout, "CreateZipBundle/TimeoutSeconds", "TimeoutSeconds", "gives up after 600 s")],
    ),
    (
        "a task without a timeout",
        |s| s.drop(ZIP, "TimeoutSeconds"),
        &[(Kind::Timeout, "CreateZipBundle/TimeoutSeconds", "TimeoutSeconds", "without a timeout")],
    ),
    (
        "a corrupt file tried again",
        |s| s.set(&format!("{THUMBNAILS}/Retry/2"), "ErrorEquals", json!(["Stage.Transient", "Stage.Corrupt"])),
        &[(Kind::Retry, "GenerateThumbnails/Retry/2/ErrorEquals", "ErrorEquals", "Stage.Corrupt")],
    ),
    (
        "everything tried again, by the state around",
        |s| s.set(PARALLEL, "Retry", json!([{"ErrorEquals": ["States.ALL"]}])),
        &[(Kind::Retry, "ParallelProcessing/Retry/0/ErrorEquals", "ErrorEquals", "Stage.InvalidInput, Stage.Missing")],
    ),
    (
        "a Catch that names only some errors",
        |s| s.set(&format!("{PARALLEL}/Catch/0"), "ErrorEquals", json!(["States.TaskFailed"])),
        &[(Kind::Catch, "ParallelProcessing/Catch", "Catch", "a failure that no entry names")],
    ),
    (
        "a last resort that nothing catches",
        |s| s.drop("/States/KeepUndeliveredResult", "Catch"),
        &[(Kind::Catch, "KeepUndeliveredResult/Catch", "Catch", "a failure that no entry names")],
    ),
    (
        "a Catch that leads straight to the end",
        |s| {
            s.set(&format!("{ZIP}/Catch/0"), "Next", json!("ProcessingFailed"));
            s.drop("/States", "NoteBundleError");
        },
        &[(Kind::Untold, "CreateZipBundle/Catch/0/Next", "ProcessingFailed", "on the way ProcessingFailed")],
    ),
    (
        "a transition that leads nowhere",
        |s| s.set(ZIP, "Next", json!("Finalize")),
        &[
            (Kind::Definition, "/States/CreateZipBundle/Next", "MISSING_TRANSITION_TARGET", "target: Finalize"),
            (Kind::Definition, "/States/FinalizeAndCallback", "MISSING_TRANSITION_TARGET", "is not reachable"),
            (Kind::Definition, "/States/ProcessingSucceeded", "MISSING_TRANSITION_TARGET", "is not reachable"),
        ],
    ),
    (
        "an end of which nobody is told",
        |s| {
            s.set(CHECK, "Default", json!("ValidationFailed"));
            s.drop("/States", "ReportValidationFailed");
            s.pins.remove("ReportValidationFailed");
        },
        &[(Kind::Untold, "/StartAt", "ValidationFailed", "ValidateRawAssets → CheckValidation → ValidationFailed")],
    ),
    (
        "a report whose stage tells nobody",
        |s| s.pins.get_mut("ReportValidationFailed").unwrap().world = "custom-batch".into(),
        &[(
            Kind::Untold,
            "/StartAt",
            "ValidationFailed",
            "CheckValidation → ReportValidationFailed → ValidationFailed",
        )],
    ),
];

#[test]
fn every_kind_of_mistake_gives_its_findings_and_no_others() {
    let mut wrong = Vec::new();
    for (mistake, make, expected) in CASES {
        let mut shipped = Shipped::new();
        make(&mut shipped);
        let found = shipped.findings();
        let is_found = |(kind, place, subject, problem): &(Kind, &str, &str, &str)| {
            found.iter().any(|f| {
                f.kind == *kind && f.place.ends_with(place) && f.subject == *subject && f.problem.contains(problem)
            })
        };
        if found.len() != expected.len() || !expected.iter().all(is_found) {
            let text: Vec<String> = found.iter().map(ToString::to_string).collect();
            wrong.push(format!("{mistake}: expected {expected:#?}, found\n{}", text.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_kind_of_finding_has_a_mistake_that_gives_it() {
    let made: BTreeSet<Kind> = CASES.iter().flat_map(|(_, _, expected)| expected.iter().map(|e| e.0)).collect();
    for kind in [
        Kind::Definition,
        Kind::Pin,
        Kind::Envelope,
        Kind::Token,
        Kind::Path,
        Kind::Type,
        Kind::NeverPresent,
        Kind::Document,
        Kind::Timeout,
        Kind::Retry,
        Kind::Catch,
        Kind::Untold,
    ] {
        assert!(made.contains(&kind), "{kind}");
    }
}

/// What is found of a rule that is put before the one of CheckValidation.
fn of_rule(mut rule: Value) -> Vec<(Kind, String)> {
    let mut shipped = Shipped::new();
    rule["Next"] = json!("ReportValidationFailed");
    shipped.at(&format!("{CHECK}/Choices")).as_array_mut().unwrap().insert(0, rule);
    shipped.findings().into_iter().map(|finding| (finding.kind, finding.subject)).collect()
}

#[test]
fn a_test_before_makes_a_path_safe_to_read_and_nothing_else_does() {
    let present = |is: bool| json!({"Variable": "$.traceparent", "IsPresent": is});
    let matches = json!({"Variable": "$.traceparent", "StringMatches": "00-*"});
    assert_eq!(of_rule(json!({"And": [present(true), matches]})), []);
    assert_eq!(of_rule(json!({"And": [{"Not": present(false)}, matches]})), []);
    assert_eq!(of_rule(json!({"Or": [present(false), matches]})), []);
    assert_eq!(of_rule(json!({"Not": {"Or": [present(false), matches]}})), []);
    let unsafe_to_read = [(Kind::Path, "$.traceparent".to_owned())];
    assert_eq!(of_rule(matches.clone()), unsafe_to_read);
    assert_eq!(of_rule(json!({"Or": [present(true), matches]})), unsafe_to_read, "read only where it is absent");
    assert_eq!(of_rule(json!({"And": [matches, present(true)]})), unsafe_to_read);
    assert_eq!(of_rule(json!({"And": [present(false), matches]})), unsafe_to_read);
}

#[test]
fn an_id_is_a_number_or_a_text_until_it_is_asked_which() {
    let present = json!({"Variable": "$.jobId", "IsPresent": true});
    let compared = json!({"Variable": "$.jobId", "NumericLessThan": 5});
    let is_number = json!({"Variable": "$.jobId", "IsNumeric": true});
    assert_eq!(of_rule(json!({"And": [present, compared]})), [(Kind::Type, "$.jobId".to_owned())]);
    assert_eq!(of_rule(json!({"And": [present, is_number, compared]})), []);
}

/// Returns a machine without any host, of which only paths and types are of interest here.
fn of_states(states: Value) -> Vec<(Kind, String, String)> {
    let start = states.as_object().unwrap().keys().next().unwrap().clone();
    let definition = json!({"StartAt": start, "States": states}).to_string();
    let found = findings(&definition, SCHEMA, &BTreeMap::new(), BTreeSet::new()).unwrap();
    let of_data = |f: &Finding| !matches!(f.kind, Kind::Untold | Kind::Catch);
    found.into_iter().filter(of_data).map(|f| (f.kind, f.place, f.subject)).collect()
}

#[test]
fn what_a_jsonata_expression_computes_may_be_anything() {
    let states = json!({
        "A": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.x %}", "Next": "B"},
        "B": {
            "Type": "Choice", "QueryLanguage": "JSONata", "Default": "C",
            "Choices": [{"Condition": "{% $states.input.y > 1 %}", "Next": "D"}]
        },
        "C": {"Type": "Wait", "QueryLanguage": "JSONata", "Timestamp": "{% $states.input.at %}", "Next": "E"},
        "D": {
            "Type": "Map", "QueryLanguage": "JSONata", "Items": "{% $states.input.list %}", "Next": "E",
            "ItemProcessor": {"StartAt": "F", "States": {"F": {"Type": "Pass", "InputPath": "$.z", "End": true}}}
        },
        "E": {"Type": "Pass", "Parameters": {"a.$": "$.z", "b.$": "$v.w"}, "End": true}
    });
    let untold = |found: &(Kind, String, String)| found.0 == Kind::Untold;
    assert_eq!(of_states(states).into_iter().filter(|found| !untold(found)).collect::<Vec<_>>(), []);
}

#[test]
fn a_map_state_reads_items_and_gives_a_list() {
    let machine = |selected: &str, read: &str| {
        json!({
            "Make": {"Type": "Pass", "Result": {"list": [{"n": 1}, {"n": 2}], "seconds": 5}, "Next": "Each"},
            "Each": {
                "Type": "Map", "ItemsPath": "$.list", "ResultPath": "$.made", "Next": "Wait",
                "ItemSelector": {"value.$": selected, "all.$": "$.seconds"},
                "ItemProcessor": {"StartAt": "One", "States": {"One": {
                    "Type": "Pass", "Parameters": {"twice.$": "States.MathAdd($.value, $.value)", "at.$": "$$.Map.Item.Index"}, "End": true
                }}}
            },
            "Wait": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Last"},
            "Last": {"Type": "Pass", "Parameters": {"x.$": read}, "End": true}
        })
    };
    assert_eq!(of_states(machine("$$.Map.Item.Value.n", "$.made[*].twice")), []);
    let wrong = of_states(machine("$$.Map.Item.Value.m", "$.made[*].thrice"));
    assert_eq!(
        wrong,
        [
            (Kind::Path, "/States/Each/ItemSelector/value.$".into(), "$$.Map.Item.Value.m".into()),
            (Kind::Path, "/States/Last/Parameters/x.$".into(), "$.made[*].thrice".into()),
        ]
    );
}

#[test]
fn paths_of_every_field_and_types_of_functions_are_looked_at() {
    let found = of_states(json!({
        "Make": {"Type": "Pass", "Result": {"n": 1, "t": "x", "l": [1]}, "Next": "Use"},
        "Use": {
            "Type": "Pass", "InputPath": "$.input", "Next": "Shape", "ResultPath": "$.t.deep"
        },
        "Shape": {"Type": "Pass", "Next": "Again", "Result": {"n": 1, "t": "x", "l": [1]}},
        "Again": {
            "Type": "Pass", "Next": "Wait", "ResultPath": "$.made", "Parameters": {
                "a.$": "States.ArrayLength($.n)", "b.$": "States.MathAdd($.n, $.t)", "c.$": "States.ArrayGetItem($.l, 0)",
                "d.$": "States.Format('{}', States.Hash($.gone, 'MD5'))", "e": {"f": [{"g.$": "$$.State.Nome"}]}
            }
        },
        "Wait": {"Type": "Wait", "TimestampPath": "$.n", "Next": "Fail"},
        "Fail": {"Type": "Fail", "ErrorPath": "$.made.a", "CausePath": "$.cause"}
    }));
    let expected = [
        (Kind::Type, "/States/Again/Parameters/a.$", "$.n"),
        (Kind::Type, "/States/Again/Parameters/b.$", "$.t"),
        (Kind::Path, "/States/Again/Parameters/d.$", "$.gone"),
        (Kind::Path, "/States/Again/Parameters/e/f/0/g.$", "$$.State.Nome"),
        (Kind::Path, "/States/Fail/CausePath", "$.cause"),
        (Kind::Type, "/States/Fail/ErrorPath", "$.made.a"),
        (Kind::Path, "/States/Use/InputPath", "$.input"),
        (Kind::Path, "/States/Use/ResultPath", "$.t.deep"),
        (Kind::Type, "/States/Wait/TimestampPath", "$.n"),
    ];
    assert_eq!(found, expected.map(|(kind, place, subject)| (kind, place.to_owned(), subject.to_owned())));
}

#[test]
fn a_loop_that_lets_its_document_grow_comes_to_an_end() {
    let found = of_states(json!({
        "Wrap": {"Type": "Pass", "Parameters": {"inner.$": "$", "twice.$": "$"}, "Next": "Again"},
        "Again": {
            "Type": "Choice", "Default": "Wrap",
            "Choices": [{"Variable": "$.inner", "IsNull": true, "Next": "Done"}]
        },
        "Done": {"Type": "Succeed"}
    }));
    assert_eq!(found, []);
}
