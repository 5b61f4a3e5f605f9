//! `statemachine/release` changes which release new executions begin with. A script stands in for the AWS CLI and notes what
//! it is asked for.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use stagehost_tests::file;

const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:listing-media-processing-sm-staging";

/// Answers the questions of the script. Version 3 of the state machine calls version 12 of the host.
const AWS: &str = r#"#!/bin/sh
echo "$*" >>"$ASKED"
case "$1 $2" in
  "stepfunctions list-state-machines") case "$*" in *-staging*) echo "MACHINE" ;; esac ;;
  "stepfunctions describe-state-machine-alias") printf 'MACHINE:4\t100\n' ;;
  "stepfunctions list-state-machine-versions") printf 'MACHINE:4\t2026-01-03\nMACHINE:3\t2026-01-02\n' ;;
  "stepfunctions describe-state-machine")
    echo '{"FunctionName": "arn:aws:lambda:eu-west-1:111122223333:function:listing-media-processing-host-staging:12"}' ;;
esac
"#;

/// Runs the script. Returns its result and what it asked the AWS CLI to change.
fn release(arguments: &[&str]) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (aws, asked) = (folder.path().join("aws"), folder.path().join("asked"));
    std::fs::write(&aws, AWS.replace("MACHINE", MACHINE)).unwrap();
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(file("statemachine/release"));
    let output = command.args(arguments).env("PATH", path).env("ASKED", &asked).output().unwrap();
    let asked = std::fs::read_to_string(asked).unwrap_or_default();
    (output, asked.lines().filter(|line| line.contains(" update-")).map(str::to_owned).collect())
}

#[test]
fn going_back_is_one_command_that_leads_new_executions_and_events_to_the_earlier_version() {
    let (output, changes) = release(&["staging", "3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [machine, host] = &changes[..] else { panic!("{changes:?}") };
    assert!(machine.contains(&format!("--state-machine-alias-arn {MACHINE}:live")), "{machine}");
    assert!(machine.ends_with(&format!("stateMachineVersionArn={MACHINE}:3,weight=100")), "{machine}");
    assert!(host.contains("--name live --function-version 12"), "{host}");
}

#[test]
fn a_share_of_new_executions_begins_with_a_canary_and_events_stay_where_they_are() {
    let (output, changes) = release(&["staging", "3", "10"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [machine] = &changes[..] else { panic!("{changes:?}") };
    let shares = format!("stateMachineVersionArn={MACHINE}:4,weight=90 stateMachineVersionArn={MACHINE}:3,weight=10");
    assert!(machine.ends_with(&shares), "{machine}");
}

#[test]
fn without_a_version_it_shows_and_changes_nothing() {
    let (output, changes) = release(&["staging"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains(":3\t2026-01-02") && said.contains(":4\t100"), "{said}");
    assert_eq!(changes, [""; 0]);
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let wrong: [(&[&str], &str); 5] = [
        (&["production", "3"], "no state machine of the environment production"),
        (&["staging", "4", "10"], "begin with version 4 already"),
        (&["staging", "three"], "release ENVIRONMENT VERSION"),
        (&["staging", "3", "0"], "release ENVIRONMENT VERSION"),
        (&[], "release ENVIRONMENT"),
    ];
    for (arguments, part) in wrong {
        let (output, changes) = release(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{arguments:?}: {said}");
        assert_eq!(changes, [""; 0], "{arguments:?}");
    }
}
