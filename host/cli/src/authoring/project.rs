//! The folder of a stage's project, described by its `stage.json`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

use super::language::Language;
use crate::exit::{read_named_text, usage};

/// The file that describes a project.
pub const DESCRIPTION: &str = "stage.json";

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// The stage's name.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// The state that runs it.
    pub state: String,
    /// The file with the state's settings, limits and grants, as for `run --config`.
    pub settings: Option<PathBuf>,
}

/// `stage.json`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Description {
    name: String,
    language: Option<Language>,
    /// For people; what counts is in `wit/world.wit`.
    #[serde(rename = "world")]
    _world: Option<String>,
    state: Option<String>,
    settings: Option<PathBuf>,
}

impl Project {
    /// Reads the project in a folder. A folder without `stage.json` is known by the files of its language's tool.
    ///
    /// # Errors
    /// If it is no project, or its description cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(usage!("{} is not a folder; name that of a stage's project", folder.display()));
        }
        let file = folder.join(DESCRIPTION);
        let described: Option<Description> = if file.is_file() {
            let text = read_named_text("", &file)?;
            Some(serde_json::from_str(&text).map_err(|error| usage!("{}: {error}", file.display()))?)
        } else {
            None
        };
        let found = described.as_ref().and_then(|described| described.language).or_else(|| Language::of_folder(folder));
        let language = found.ok_or_else(|| {
            usage!(
                "{} is no project of a stage: it has no {DESCRIPTION}, Cargo.toml, package.json or src/app.py; make one \
                 with `stagehost stage new NAME --lang rust`",
                folder.display()
            )
        })?;
        let name = match &described {
            Some(described) => described.name.clone(),
            None => folder_name(folder),
        };
        let state = described.as_ref().and_then(|described| described.state.clone());
        Ok(Self {
            folder: folder.to_owned(),
            language,
            state: state.unwrap_or_else(|| state_name(&name)),
            settings: described.and_then(|described| described.settings).map(|settings| folder.join(settings)),
            name,
        })
    }
}

fn folder_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| "stage".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Returns the name of the state that a stage gets if no other is given: `line-notes` becomes `RunLineNotes`.
pub fn state_name(stage: &str) -> String {
    let words = stage.split(['-', '_']).map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    format!("Run{}", words.collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_a_project_by_its_description_or_by_the_files_of_its_tool() {
        let folder = tempfile::tempdir().unwrap();
        let error = Project::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("stage new NAME"), "{error}");

        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(Project::open(folder.path()).unwrap().language, Language::Rust);

        let text = r#"{"name": "line-notes", "language": "python", "settings": "pipeline/settings.json"}"#;
        std::fs::write(folder.path().join(DESCRIPTION), text).unwrap();
        let project = Project::open(folder.path()).unwrap();
        assert_eq!((project.language, project.state.as_str()), (Language::Python, "RunLineNotes"));
        assert_eq!(project.settings, Some(folder.path().join("pipeline/settings.json")));

        std::fs::write(folder.path().join(DESCRIPTION), r#"{"name": "x", "langauge": "rust"}"#).unwrap();
        let error = Project::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("stage.json") && error.contains("langauge"), "{error}");
    }
}
