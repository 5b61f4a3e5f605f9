//! `check`, `cost` and `env` as scripts use them: exit codes, JSON, what is said of a mistake.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../statemachine").join(file)
}

fn stagehost(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagehost"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn what_is_shipped_passes_the_check() {
    let output = stagehost(&["check"], "");
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("✓ they fit together"));
    let document = json_of(&stagehost(&["check", "--json"], ""));
    assert_eq!((&document["fits"], &document["pinned"]), (&json!(true), &json!(7)));
}

#[test]
fn a_field_renamed_in_the_schema_alone_is_found_with_its_state_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("batch.schema.json");
    let text = std::fs::read_to_string(shipped("schemas/batch.schema.json")).unwrap();
    std::fs::write(&schema, text.replace("\"valid\"", "\"good\"")).unwrap();
    let arguments = ["check", "--json", "--schema", schema.to_str().unwrap()];
    let output = stagehost(&arguments, "");
    assert_eq!(code(&output), 1);
    let found = &json_of(&output)["findings"];
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(found[0]["kind"], "path");
    assert_eq!(found[0]["state"], "CheckValidation");
    assert_eq!(found[0]["place"], "/States/CheckValidation/Choices/0/Variable");
    assert!(found[0]["fix"].as_str().unwrap().contains("good"), "{found:#}");
}

#[test]
fn pins_of_a_file_are_compared_with_the_state_machine() {
    let folder = tempfile::tempdir().unwrap();
    let pins = folder.path().join("pins.json");
    let digest = format!("sha256:{}", "0".repeat(64));
    let pin = json!({"stage": "x", "version": "1.0.0", "world": "custom", "digest": digest});
    std::fs::write(&pins, json!({"revision": 1, "states": {"Watermark": pin}}).to_string()).unwrap();
    let output = stagehost(&["check", "--pins", pins.to_str().unwrap()], "");
    assert_eq!(code(&output), 1);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("✗ Watermark: Watermark (pin)") && text.contains("at pins:/states/Watermark"), "{text}");
    assert!(text.contains("pin a stage to ValidateRawAssets"), "{text}");
}

#[test]
fn what_cannot_be_read_is_wrong_usage() {
    for arguments in [
        &["check", "--state-machine", "/no/machine.json"][..],
        &["check", "--pins", "/no/pins.json"],
        &["cost", "--prices", "/no/prices.json"],
        &["cost", "--cold", "1.5"],
        &["env", "--stack-outputs", "/no/stack.json"],
    ] {
        let output = stagehost(arguments, "");
        assert_eq!(code(&output), 2, "{arguments:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("/no/") || said.contains("a share from 0 to 1"), "{said}");
    }
}

#[test]
fn prices_and_durations_of_one_answer_can_be_given_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let first = json_of(&stagehost(&["cost", "--json"], ""));
    let file = |name: &str, document: &Value| {
        let file = folder.path().join(name);
        std::fs::write(&file, document.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (prices, measured) = (file("prices.json", &first["prices"]), file("measured.json", &first["measured"]));
    let again = json_of(&stagehost(&["cost", "--json", "--prices", &prices, "--measured", &measured], ""));
    assert_eq!(first, again);
    let lines = first["lines"].as_array().unwrap();
    let sum: f64 = lines.iter().map(|line| line["designs"]["hostArm64"]["usd"].as_f64().unwrap()).sum();
    assert!((sum - first["total"]["hostArm64"].as_f64().unwrap()).abs() < 1e-9);
}

#[test]
fn the_backends_settings_come_from_standard_input_and_a_missing_output_is_named() {
    let output = |name: &str, value: &str| json!({"OutputKey": name, "OutputValue": value});
    let mut outputs = vec![
        output("MediaBucketName", "toq-listing-medias"),
        output("KeyArn", "arn:aws:kms:eu-west-1:111122223333:key/k"),
        output("QueueUrl", "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs"),
        output("StateMachineArn", "arn:aws:states:eu-west-1:111122223333:stateMachine:m"),
        output("BackendRoleArn", "arn:aws:iam::111122223333:role/backend"),
        output("BackendInstanceProfileName", "backend"),
        output("CallbackTraceHeader", "traceparent"),
        output("DeadLetterQueueUrl", "https://sqs.eu-west-1.amazonaws.com/111122223333/dead"),
    ];
    let answer = |outputs: &[Value]| json!({"Stacks": [{"StackName": "s", "Outputs": outputs}]}).to_string();
    let settings = json_of(&stagehost(&["env", "--json"], &answer(&outputs)));
    assert_eq!(settings["mediaProcessing"]["region"], "eu-west-1");
    assert_eq!(settings["mediaProcessing"]["mediaBucket"], "toq-listing-medias");
    outputs.remove(2);
    let output = stagehost(&["env"], &answer(&outputs));
    assert_eq!(code(&output), 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("has no output QueueUrl") && output.stdout.is_empty(), "{said}");
}
