//! Tests are skipped by this crate only, so that `STAGEHOST_REQUIRE` reaches all of them.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true if path.ends_with("target") || path.ends_with("tests/needs") => Vec::new(),
        true => rust_files(&path),
        false => vec![path],
    });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn no_other_code_skips_a_test_or_looks_for_the_media_collection() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let files: Vec<_> =
        ["host", "stages", "tests"].iter().flat_map(|part| rust_files(&repository.join(part))).collect();
    assert!(files.len() > 300, "{} files: the search no longer reaches everything", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for sign in ["\"skipped: ", "\"SKIPPED", "not tested, {", "var_os(\"STAGEHOST_MEDIA\"", "\"STAGEHOST_REQUIRE"] {
            assert!(!text.contains(sign), "{}: {sign:?}; use the crate stagehost-needs instead", file.display());
        }
    }
}

#[test]
fn the_readme_lists_every_name() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    for need in stagehost_needs::ALL {
        assert!(readme.contains(&format!("`{}`", need.name)), "tests/README.md does not have {}", need.name);
    }
}
