//! What every command's `--help` has to be: complete, narrow enough, and good to copy from.
#![allow(clippy::unwrap_used)]

use super::*;

/// Calls `check` with every command, and with its name as it is typed.
fn for_every_command(check: impl Fn(&str, &mut clap::Command)) {
    fn walk(name: &str, command: &mut clap::Command, check: &impl Fn(&str, &mut clap::Command)) {
        check(name, command);
        for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
            walk(&format!("{name} {}", inner.get_name()), inner, check);
        }
    }
    let mut command = Cli::command().term_width(terminal::NARROWEST_HELP);
    command.build();
    walk("stagehost", &mut command, &check);
}

/// Returns the lines under the heading `Examples`, without those of prose.
fn examples(command: &clap::Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = text.split_once("Examples").map(|(_, examples)| examples.to_owned()).unwrap_or_default();
    examples.lines().filter(|line| line.starts_with("  ")).map(str::to_owned).collect()
}

#[test]
fn every_command_has_an_example_that_begins_with_its_name() {
    for_every_command(|name, command| {
        assert!(examples(command).iter().any(|line| line.contains(name)), "{name} --help has no example of it");
    });
}

#[test]
fn an_example_can_be_pasted_from_the_narrowest_help() {
    for_every_command(|name, command| {
        let lines = examples(command);
        let help = command.render_long_help().to_string();
        for (at, line) in lines.iter().enumerate() {
            assert!(help.lines().any(|shown| shown == line), "{name}: {line:?} is broken in\n{help}");
            if line.starts_with("    ") {
                assert!(at > 0 && lines[at - 1].ends_with('\\'), "{name}: the line before {line:?} lacks a backslash");
            }
        }
    });
}

#[test]
fn help_fits_a_terminal_of_60_columns() {
    for_every_command(|name, command| {
        let help = command.render_long_help().to_string();
        for line in help.lines().filter(|line| !line.starts_with("Usage:")) {
            assert!(line.chars().count() <= terminal::NARROWEST_HELP, "{name} --help: {line:?}");
        }
    });
}
