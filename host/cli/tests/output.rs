//! What a person sees, and where: closed pipes, full disks, narrow terminals, colours.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::process::{Command, Output, Stdio};

use stagehost_needs::{SCRIPT, program};

fn stagehost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagehost"));
    command.args(arguments).env_remove("COLUMNS").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the output of a command on a terminal. `None` if the test is skipped without `script`.
fn on_terminal(arguments: &[&str], environment: &[(&str, &str)]) -> Option<String> {
    let command = [&[env!("CARGO_BIN_EXE_stagehost")], arguments].concat().join(" ");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::null());
    script.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
    program(&SCRIPT).then(|| String::from_utf8_lossy(&script.output().unwrap().stdout).into_owned())
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    for arguments in [&["cost"][..], &["cost", "--json"], &["check"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = stagehost(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_reader_of_standard_error_that_goes_away_changes_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = stagehost(&["cost", "--prices", "/no/such/file"]).stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_sentence_and_exit_code_1() {
    for arguments in [&["cost"][..], &["cost", "--json"], &["check"], &["--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = stagehost(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let sentence = "stagehost: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), sentence), "{arguments:?}");
    }
}

#[test]
fn tables_fit_60_columns() {
    let output = stagehost(&["cost"]).env("COLUMNS", "60").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let tables: Vec<&str> = text.split("\n\n").skip(1).take(3).collect();
    for (table, design) in tables.iter().zip(["four", "one host", "one host"]) {
        let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 60, "{widest} columns:\n{table}");
        assert!(table.contains(design) && table.contains("Lambda GB-seconds"), "{table}");
        // A line per row: no figure is cut in two.
        let rows = table.lines().filter(|line| line.ends_with(|last: char| last.is_ascii_digit()));
        assert!(
            rows.clone().count() > 10 && rows.clone().all(|row| row.trim_start().starts_with(char::is_alphabetic)),
            "{table}"
        );
    }
    let wide = stagehost(&["cost"]).output().unwrap().stdout;
    assert!(String::from_utf8(wide).unwrap().lines().any(|line| line.chars().count() > 60), "a file has no width");
}

#[test]
fn no_escape_sequence_reaches_a_file_or_a_terminal_without_colours() {
    let mistake = &["run", "--no-such-option"][..];
    let piped = stagehost(mistake).output().unwrap();
    assert!(!stderr(&piped).contains('\x1b'), "{}", stderr(&piped));
    if let Some(coloured) = on_terminal(mistake, &[]) {
        assert!(coloured.contains("--no-such-option"), "{coloured:?}");
        for plain in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let text = on_terminal(mistake, &[plain]).unwrap();
            assert!(text.contains("--no-such-option") && !text.contains('\x1b'), "{plain:?}: {text:?}");
        }
    }
}

#[test]
fn a_missing_file_is_wrong_usage_in_every_command() {
    let missing = "/no/such/file";
    for arguments in [
        &["run", missing][..],
        &["run", ".", "--state-machine", missing, "--stages", "."],
        &["run", ".", "--stage", "GenerateThumbnails=/no/such/file"],
        &["package", "--stage", "GenerateThumbnails=/no/such/file"],
        &["serve", "--port", "0", "--state-machine", missing, "--stages", "."],
        &["package", "--bootstrap", missing],
        &["replay", missing],
        &["check", "--pins", missing],
        &["check", "--state-machine", missing],
        &["cost", "--prices", missing],
        &["env", "--stack-outputs", missing],
        &["smoke", "--stack-outputs", missing],
        &["pins", "init", "--from", missing, "--pins", ".", "--why", "x"],
        &["stage", "check", missing],
        &["stage", "inspect", "/no/such/file.wasm"],
    ] {
        let output = stagehost(arguments).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.starts_with("stagehost: ") && text.contains(missing), "{arguments:?}: {text}");
    }
}

#[test]
fn a_store_that_is_not_named_is_asked_for_with_its_option_and_variable() {
    for (arguments, option, variable) in
        [(&["pins", "show"][..], "--pins", "STAGEHOST_PINS"), (&["stage", "list"], "--registry", "STAGEHOST_REGISTRY")]
    {
        let output = stagehost(arguments).env_remove(variable).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(option) && text.contains(variable), "{text}");
    }
}

#[test]
fn other_machines_are_let_in_only_with_allow_remote() {
    let output = stagehost(&["serve", "--bind", "0.0.0.0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--allow-remote"), "{}", stderr(&output));
}

#[test]
fn more_memory_than_a_function_can_have_is_refused() {
    let output = stagehost(&["pins", "set", "X", "--memory-mib", "99999999", "--why", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("10240"), "{}", stderr(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_is_not_a_bootstrap_is_not_packaged() {
    let output = stagehost(&["package", "--bootstrap", "/bin/ls"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("not a bootstrap") || stderr(&output).contains("/bin/ls is"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_empty_list_is_not_a_batch() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[]").unwrap();
    let output = stagehost(&["run", file.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is an empty list"), "{}", stderr(&output));
}
