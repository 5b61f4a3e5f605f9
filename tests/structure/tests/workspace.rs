//! The workspace's own files: no circle of imports, no file that is too long, no name for two things, no example that is
//! not compiled.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stagehost_structure::{Exported, Tree, circles, exported, graph};

/// The most lines of a file. Aim at 500.
const MOST_LINES: usize = 520;

/// Names that crates of the host share on purpose, and why. Keep it short: rename where you can.
const SHARED_NAMES: [(&str, &str); 13] = [
    ("Difference", "between two documents of pins, and between two calls"),
    ("Event", "what Step Functions calls an entry of a history, and Lambda an invocation's payload"),
    ("Execution", "what Step Functions calls it, on both sides of the API"),
    ("Finding", "about a component, and about a state machine"),
    ("JobStatus", "what MediaConvert calls it, on both sides of the API"),
    ("KeyError", "object keys and signing keys; each crate has errors of its own"),
    ("LoadError", "each crate has errors of its own"),
    ("Options", "each stand-in for an AWS service has its own"),
    ("Outcome", "of an execution, and of a recorded call"),
    ("Problem", "in a batch, and in the record of a call"),
    ("Shadow", "the entry in the pins, and the part of the host that carries it out"),
    ("Storage", "of documents, and of the MediaConvert stand-in, which depends on no other crate"),
    ("StorageError", "each crate has errors of its own"),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The roots of all crates below these folders, and the folders themselves.
fn crates(below: &[&str]) -> Vec<PathBuf> {
    let mut folders: Vec<_> = below.iter().map(|folder| repository().join(folder)).collect();
    let mut roots = Vec::new();
    while let Some(folder) = folders.pop() {
        if folder.join("Cargo.toml").is_file() {
            let found =
                ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root)).into_iter().filter(|root| root.is_file());
            roots.extend(found);
        }
        folders.extend(
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()),
        );
    }
    roots.sort();
    assert!(roots.len() >= below.len(), "{roots:?}");
    roots
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn imports_between_files_go_one_way() {
    let mut said = Vec::new();
    for root in crates(&["host", "stages"]) {
        let graph = graph(&Tree::read(&root).unwrap());
        let folder = root.parent().unwrap();
        let name = folder.strip_prefix(repository()).unwrap().display().to_string();
        said.extend(circles(&graph).iter().map(|circle| format!("{name}: {}", circle.describe(&graph, folder))));
    }
    assert!(
        said.is_empty(),
        "{} circles of imports. Move what is needed from both sides into a file of its own:\n{}",
        said.len(),
        said.join("\n")
    );
}

/// Returns whether rustdoc would compile a code block of a doc comment that begins on this line.
fn begins_an_example(line: &str) -> bool {
    let line = line.trim_start();
    let Some(info) = ["/// ```", "//! ```"].iter().find_map(|start| line.strip_prefix(start)) else { return false };
    let words = info.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.clone().all(|word| {
        ["rust", "no_run", "should_panic", "compile_fail"].contains(&word)
            || word.starts_with("edition")
            || word.starts_with("ignore")
    })
}

#[test]
fn examples_in_doc_comments_are_compiled_and_rustdoc_reads_no_crate_without_one() {
    let mut said = Vec::new();
    for root in crates(&["host", "stages", "tests"]).iter().filter(|root| root.ends_with("lib.rs")) {
        let source = root.parent().unwrap();
        let manifest = std::fs::read_to_string(source.with_file_name("Cargo.toml")).unwrap();
        if manifest.contains("\n[workspace]") {
            continue;
        }
        // Closing fences look like the first line of an example in Rust, so blocks are read whole.
        let examples = rust_files(source).iter().any(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let fences = text.lines().filter(|line| {
                let line = line.trim_start();
                line.starts_with("/// ```") || line.starts_with("//! ```")
            });
            fences.step_by(2).any(begins_an_example)
        });
        let compiled = !manifest.contains("\ndoctest = false\n");
        let name = source.parent().unwrap().strip_prefix(repository()).unwrap().display();
        match (examples, compiled) {
            (true, false) => said.push(format!("{name} has an example; take `doctest = false` out of its Cargo.toml")),
            (false, true) => said.push(format!("{name} has no example; put `doctest = false` under its [lib]")),
            _ => {}
        }
    }
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut long = Vec::new();
    for root in crates(&["host", "stages"]) {
        for file in rust_files(root.parent().unwrap()) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            if lines > MOST_LINES {
                long.push(format!("{}: {lines} lines", file.strip_prefix(repository()).unwrap().display()));
            }
        }
    }
    assert!(long.is_empty(), "more than {MOST_LINES} lines; split them:\n{}", long.join("\n"));
}

#[test]
fn no_two_crates_of_the_host_export_different_types_of_one_name() {
    let mut places: BTreeMap<String, Vec<Exported>> = BTreeMap::new();
    for root in crates(&["host"]).iter().filter(|root| root.ends_with("lib.rs")) {
        for (name, found) in exported(&Tree::read(root).unwrap()) {
            places.entry(name).or_default().extend(found);
        }
    }
    let place = |exported: &Exported| {
        format!("{}:{}", exported.file.strip_prefix(repository()).unwrap().display(), exported.line)
    };
    places.retain(|_, places| places.len() > 1);
    for (name, why) in SHARED_NAMES {
        assert!(places.remove(name).is_some(), "{name} is exported once only; take it off the list ({why})");
    }
    let said: Vec<_> = places
        .iter()
        .map(|(name, places)| format!("{name}: {}", places.iter().map(place).collect::<Vec<_>>().join(", ")))
        .collect();
    assert!(said.is_empty(), "one name for two things; rename all but one:\n{}", said.join("\n"));
}
