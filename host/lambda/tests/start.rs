//! The error messages of a function that cannot start. (Because of this test cargo builds `bootstrap`, which tests of other
//! crates use as well.)

#![allow(clippy::unwrap_used, missing_docs)]

use std::process::{Command, Output};

fn start(variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bootstrap")).env_clear().envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn without_a_bucket_it_does_not_start_and_names_the_variable() {
    let output = start(&[("LAMBDA_TASK_ROOT", "/nowhere")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("MEDIA_BUCKET"), "{output:?}");
}

#[test]
fn without_precompiled_stages_it_does_not_start_and_names_the_command_that_makes_them() {
    let output = start(&[("LAMBDA_TASK_ROOT", "/nowhere"), ("MEDIA_BUCKET", "medias")]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("/nowhere/stages/index.json") && message.contains("stagehost package"), "{message}");
}
