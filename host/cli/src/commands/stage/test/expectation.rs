//! What a case is expected to do: `expected.json`, and the pictures in `expected/`.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::differences::differences;
use super::picture::difference;
use super::snapshot::Snapshot;
use crate::exit::{read_named, read_named_text, usage};

const DOCUMENT: &str = "expected.json";
const PICTURES: &str = "expected";

/// Compares what a case did with what it is expected to do. Returns a line for every difference.
///
/// # Errors
/// If the expectation cannot be read.
pub fn compare(case: &Path, found: &Snapshot, tolerance: f64) -> Result<Vec<String>> {
    let path = case.join(DOCUMENT);
    if !path.is_file() {
        let how = "`stagehost stage test --update` writes what the case did; read it before you keep it";
        return Ok(vec![format!("nothing is expected yet: there is no {}; {how}", path.display())]);
    }
    let text = read_named_text("", &path)?;
    let expected: Value = serde_json::from_str(&text).map_err(|error| usage!("{}: {error}", path.display()))?;
    let mut lines = differences(&expected, &found.document);
    for (name, bytes) in &found.pictures {
        let file = case.join(PICTURES).join(name);
        if !file.is_file() {
            lines.push(format!("{PICTURES}/{name}: there is no picture to compare with; --update writes it"));
            continue;
        }
        let differs = difference(&read_named("", &file)?, bytes, tolerance);
        lines.extend(differs.map(|differs| format!("{PICTURES}/{name}: {differs}")));
    }
    Ok(lines)
}

/// Writes what a case did as what it is expected to do.
///
/// # Errors
/// If it cannot be written.
pub fn update(case: &Path, found: &Snapshot) -> Result<()> {
    let write = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    let mut text = serde_json::to_string_pretty(&found.document)?;
    text.push('\n');
    write(&case.join(DOCUMENT), text.as_bytes())?;
    let folder = case.join(PICTURES);
    if folder.is_dir() {
        // Pictures that are not made any more are not kept. Nothing else belongs into this folder.
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    if !found.pictures.is_empty() {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    found.pictures.iter().try_for_each(|(name, bytes)| write(&folder.join(name), bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_is_what_is_expected() {
        let case = tempfile::tempdir().unwrap();
        let mut found = Snapshot { document: json!({"effects": []}), pictures: Vec::new() };
        let first = compare(case.path(), &found, 1.0).unwrap();
        assert!(first.len() == 1 && first[0].contains("--update"), "{first:?}");
        update(case.path(), &found).unwrap();
        assert_eq!(compare(case.path(), &found, 1.0).unwrap(), Vec::<String>::new());
        found.document = json!({"effects": [1]});
        assert_eq!(compare(case.path(), &found, 1.0).unwrap(), ["effects[0]: found 1, expected nothing"]);
        found.pictures.push(("1-a.jpg".into(), b"no picture".to_vec()));
        assert_eq!(compare(case.path(), &found, 1.0).unwrap().len(), 2);
    }
}
