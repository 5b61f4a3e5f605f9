//! What a person meets who asks for help, or asks wrongly.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn stagehost(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stagehost")).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_names_the_commands_the_exit_codes_and_shows_examples() {
    let help = stagehost(&["--help"]);
    assert!(help.status.success());
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for command in ["run", "serve", "stage"] {
        assert!(text.contains(command), "{text}");
    }
    let run = String::from_utf8_lossy(&stagehost(&["run", "--help"]).stdout).into_owned();
    assert!(run.contains("Exit codes: 0") && run.contains("stagehost run samples/listing"), "{run}");
}

#[test]
fn wrong_usage_ends_with_2_and_names_what_is_wrong() {
    for (arguments, says) in [
        (&["run", "/does/not/exist"][..], "/does/not/exist"),
        (&["run"][..], "<INPUT>"),
        (&["frobnicate"][..], "frobnicate"),
        (&["run", ".", "--stage", "GenerateThumbnails"][..], "STATE=FILE"),
        (&["stage", "check", "x.wasm", "--world", "nonsense"][..], "callback, validate, thumbnails"),
    ] {
        let output = stagehost(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_file_that_is_not_a_component_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("module.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let output = stagehost(&["stage", "check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("core WebAssembly module"));
}
