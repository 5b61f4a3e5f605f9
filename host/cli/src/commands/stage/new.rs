//! `stagehost stage new`: a project to begin a stage with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::templates::{File, files};
use crate::authoring::kind::StageKind;
use crate::authoring::language::Language;
use crate::authoring::project::state_name;
use crate::exit::{Exit, usage};
use crate::output::printer::Printer;

/// The longest name.
const LONGEST: usize = 40;

/// Names that are words of Rust or of its libraries, so that no crate can have them.
const TAKEN: [&str; 12] =
    ["alloc", "build", "core", "crate", "deps", "examples", "fn", "proc-macro", "self", "std", "super", "test"];

#[derive(Args)]
#[command(after_help = "\
The project already builds and passes its tests. It has a component, a unit test that runs natively, cases with a \
photo, the contract in wit/, the state to add to a state machine with its grants, and a CI workflow. Its README.md \
describes the files.

Exit codes: 0 it is made, 1 failure, 2 wrong usage: an invalid name, a folder that is not empty.

Examples:

  stagehost stage new line-notes --lang rust
  stagehost stage new batch-totals --lang python \\
    --kind batch")]
pub struct NewArgs {
    /// The stage's name: lower-case letters and digits, with hyphens between words
    name: String,

    /// The language
    #[arg(long, value_enum)]
    lang: Language,

    /// What a call gets: one file, or the whole batch
    #[arg(long, value_enum, default_value_t = StageKind::Asset)]
    kind: StageKind,

    /// The folder to make [default: the name]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the name is invalid, the folder is not empty, or something cannot be written.
pub fn new(args: NewArgs, printer: &Printer) -> Result<Exit> {
    check_name(&args.name)?;
    let folder = args.path.unwrap_or_else(|| args.name.clone().into());
    let in_use = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    if in_use || folder.is_file() {
        return Err(usage!(
            "{} exists and is not empty; choose another name, or another folder with --path",
            folder.display()
        ));
    }
    let made = files(&args.name, args.lang, args.kind);
    for file in &made {
        write(&folder, file)?;
    }
    if args.json {
        let names: Vec<_> = made.iter().map(|file| file.path.as_str()).collect();
        printer.document(&json!({
            "stage": args.name, "language": args.lang, "state": state_name(&args.name), "folder": folder, "files": names,
        }));
    } else {
        printer.line(format_args!("{} is a stage in {}; README.md describes its files.", folder.display(), args.lang));
        printer.line(format_args!("\nNext:\n\n  cd {}", folder.display()));
        for command in next(args.lang) {
            printer.line(format_args!("  {command}"));
        }
    }
    Ok(Exit::Success)
}

/// Returns the commands that come next.
fn next(language: Language) -> Vec<&'static str> {
    let tool = match language {
        Language::Rust => "rustup target add wasm32-wasip2   # if it is not installed yet",
        Language::Python => "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
        Language::Javascript => "npm install",
    };
    vec![tool, "stagehost stage build", "stagehost stage test"]
}

fn check_name(name: &str) -> Result<()> {
    let word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if name.len() > LONGEST || !name.split('-').all(word) {
        return Err(usage!(
            "{name:?} cannot be a stage's name; use at most {LONGEST} lower-case letters and digits, words with hyphens \
             between them, each beginning with a letter, such as line-notes"
        ));
    }
    if TAKEN.contains(&name) {
        return Err(usage!("{name:?} cannot be a stage's name, because cargo and Rust use it; try {name}-stage"));
    }
    Ok(())
}

fn write(folder: &Path, file: &File) -> Result<()> {
    let path = folder.join(&file.path);
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    std::fs::write(&path, &file.bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_words_with_hyphens() {
        for good in ["notes", "line-notes", "a1-b2"] {
            check_name(good).unwrap();
        }
        for bad in
            ["", "Notes", "line_notes", "-notes", "notes-", "a--b", "1st", "a-1", "ö", "../x", "x".repeat(41).as_str()]
        {
            let error = check_name(bad).unwrap_err().to_string();
            assert!(error.contains("line-notes"), "{bad}: {error}");
        }
        assert!(check_name("std").unwrap_err().to_string().contains("std-stage"));
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine"), "").unwrap();
        let args = || NewArgs {
            name: "notes".into(),
            lang: Language::Rust,
            kind: StageKind::Asset,
            path: Some(folder.path().to_owned()),
            json: false,
        };
        let error = new(args(), &Printer::Silent).unwrap_err().to_string();
        assert!(error.contains("not empty"), "{error}");
        std::fs::remove_file(folder.path().join("mine")).unwrap();
        assert_eq!(new(args(), &Printer::Silent).unwrap(), Exit::Success);
    }
}
