//! The folder of a stage's project, described by its `stage.json`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;
use stagehost_runtime::World;

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
    /// What builds its component.
    pub builder: Builder,
    /// The state that runs it.
    pub state: String,
    /// The world of the contract that it must fit; by default the narrowest that it does.
    pub world: Option<World>,
    /// The file with the state's settings, limits and grants, as for `run --config`.
    pub settings: Option<PathBuf>,
}

/// What builds a project's component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builder {
    /// The tool of its language.
    Tool(Language),
    /// A command of the project's own, for any other language.
    Own {
        /// The program and its arguments, run in the project's folder.
        command: Vec<String>,
        /// The component that it makes, relative to the project's folder.
        component: PathBuf,
    },
}

impl Builder {
    /// Returns the language, if it is one that has a tool here.
    pub fn language(&self) -> Option<Language> {
        match self {
            Self::Tool(language) => Some(*language),
            Self::Own { .. } => None,
        }
    }
}

/// `stage.json`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Description {
    name: String,
    language: Option<Language>,
    /// The project's own command, in place of a language.
    build: Option<Vec<String>>,
    /// What that command makes.
    component: Option<PathBuf>,
    world: Option<World>,
    state: Option<String>,
    settings: Option<PathBuf>,
}

impl Project {
    /// Reads the project in a folder. A folder without `stage.json` is known by the files of its language's tool.
    ///
    /// # Errors
    /// If it is not a project, or its description cannot be read.
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
        let own = described.as_ref().map(|described| (described.build.clone(), described.component.clone()));
        let builder = match own.unwrap_or_default() {
            (Some(command), Some(component)) if !command.is_empty() => Builder::Own { command, component },
            (None, None) => {
                let found = described.as_ref().and_then(|described| described.language);
                Builder::Tool(found.or_else(|| Language::of_folder(folder)).ok_or_else(|| unknown(folder))?)
            }
            _ => {
                return Err(usage!(
                    "{}: \"build\", a list of a program and its arguments, and \"component\", the file that it makes, \
                     need each other",
                    file.display()
                ));
            }
        };
        let name = match &described {
            Some(described) => described.name.clone(),
            None => folder_name(folder),
        };
        let state = described.as_ref().and_then(|described| described.state.clone());
        Ok(Self {
            folder: folder.to_owned(),
            builder,
            state: state.unwrap_or_else(|| state_name(&name)),
            world: described.as_ref().and_then(|described| described.world),
            settings: described.and_then(|described| described.settings).map(|settings| folder.join(settings)),
            name,
        })
    }

    /// Checks that the project is described as it was when it was opened.
    ///
    /// # Errors
    /// If it is described otherwise now, or is not a project any more.
    pub fn ensure_unchanged(&self) -> Result<()> {
        if Self::open(&self.folder)? == *self {
            return Ok(());
        }
        Err(usage!("{} has changed; end the command and start it again", self.folder.join(DESCRIPTION).display()))
    }
}

fn unknown(folder: &Path) -> anyhow::Error {
    usage!(
        "{} is not the project of a stage: it has no {DESCRIPTION}, Cargo.toml, package.json or src/app.py; make one with \
         `stagehost stage new NAME --lang rust`",
        folder.display()
    )
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
        assert_eq!(Project::open(folder.path()).unwrap().builder, Builder::Tool(Language::Rust));

        let text = r#"{"name": "line-notes", "language": "python", "settings": "pipeline/settings.json"}"#;
        std::fs::write(folder.path().join(DESCRIPTION), text).unwrap();
        let project = Project::open(folder.path()).unwrap();
        assert_eq!(
            (project.builder.clone(), project.state.as_str()),
            (Builder::Tool(Language::Python), "RunLineNotes")
        );
        assert_eq!(project.settings, Some(folder.path().join("pipeline/settings.json")));
        project.ensure_unchanged().unwrap();

        std::fs::write(folder.path().join(DESCRIPTION), r#"{"name": "x", "language": "rust", "world": "zip"}"#)
            .unwrap();
        assert_eq!(Project::open(folder.path()).unwrap().world, Some(World::Zip));
        let error = project.ensure_unchanged().unwrap_err().to_string();
        assert!(error.contains("stage.json has changed"), "{error}");
        std::fs::write(folder.path().join(DESCRIPTION), r#"{"name": "x", "world": "all"}"#).unwrap();
        let error = Project::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("stage.json") && error.contains("`all`"), "{error}");

        let text = r#"{"name": "entropy", "build": ["make"], "component": "build/entropy.wasm"}"#;
        std::fs::write(folder.path().join(DESCRIPTION), text).unwrap();
        let own = Builder::Own { command: vec!["make".into()], component: "build/entropy.wasm".into() };
        assert_eq!(Project::open(folder.path()).unwrap().builder, own);
        std::fs::write(folder.path().join(DESCRIPTION), r#"{"name": "entropy", "build": ["make"]}"#).unwrap();
        let error = Project::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("stage.json") && error.contains("\"component\""), "{error}");
        std::fs::write(folder.path().join(DESCRIPTION), r#"{"name": "entropy", "component": "entropy.wasm"}"#).unwrap();
        let error = Project::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("stage.json") && error.contains("\"build\""), "{error}");

        std::fs::write(folder.path().join(DESCRIPTION), r#"{"name": "x", "langauge": "rust"}"#).unwrap();
        let error = Project::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("stage.json") && error.contains("langauge"), "{error}");
    }
}
