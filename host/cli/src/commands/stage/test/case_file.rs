//! A case: a folder with `case.json`, files, and what is expected.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};
use stagehost_batch::MediaType;
use stagehost_runtime::{Grants, Limits};
use stagehost_testing::{HttpAnswer, InjectedFault, MemoryHost};

use super::recorded::{RecordedCase, is_recorded};
use crate::authoring::defaults::defaults;
use crate::authoring::trial::{Trial, empty_batch, uploaded};
use crate::exit::{read_named, read_named_text, usage};
use crate::settings::file::StateSettings;

/// The file that describes a case.
pub const CASE: &str = "case.json";

/// How far two pictures may be apart if the case says nothing: the mean difference of their channels, of 255.
const TOLERANCE: f64 = 1.0;

/// A case.
#[derive(Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    file: CaseFile,
}

/// `case.json`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CaseFile {
    /// For people.
    #[serde(default, rename = "description")]
    _description: Option<String>,
    /// The batch's files.
    input: Vec<InputFile>,
    /// Objects that are there besides the uploads.
    #[serde(default)]
    stored: Vec<OtherObject>,
    config: Option<Map<String, Value>>,
    limits: Option<Limits>,
    grants: Option<Grants>,
    #[serde(default)]
    attempt: u32,
    /// Answers of other services.
    #[serde(default)]
    http: Vec<HttpAnswer>,
    /// Status codes of the backend.
    #[serde(default)]
    callbacks: Vec<u16>,
    #[serde(default)]
    faults: Vec<InjectedFault>,
    /// How far pictures may be apart.
    tolerance: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InputFile {
    /// Relative to the case's folder.
    file: PathBuf,
    /// As which it was uploaded; by default as its bytes say.
    #[serde(rename = "type")]
    media_type: Option<MediaType>,
    /// Its name in the bucket; by default the file's.
    name: Option<String>,
    title: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OtherObject {
    key: String,
    file: PathBuf,
    #[serde(default = "plain")]
    content_type: String,
    fingerprint: Option<String>,
}

fn plain() -> String {
    "application/octet-stream".to_owned()
}

/// A folder in `cases/`.
#[derive(Debug)]
pub enum CaseFolder {
    /// With a `case.json`.
    Written(Box<Case>),
    /// With the records of a run.
    Recorded(RecordedCase),
}

impl CaseFolder {
    /// Reads the cases in the folders of `cases`, in the order of their names; only those that are `wanted`, if any are.
    ///
    /// # Errors
    /// If there is none, or one cannot be read.
    pub fn all(cases: &Path, wanted: &[String]) -> Result<Vec<Self>> {
        let entries = std::fs::read_dir(cases).map_err(|error| {
            usage!("there are no cases: cannot read {}: {error}; make a folder there with a {CASE}", cases.display())
        })?;
        let is_case = |path: &PathBuf| path.join(CASE).is_file() || is_recorded(path);
        let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_case).collect();
        folders.sort();
        let name = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<_> = folders.iter().map(name).collect();
        if let Some(unknown) = wanted.iter().find(|wanted| !names.contains(wanted)) {
            return Err(usage!("there is no case {unknown:?} in {}; there are {}", cases.display(), names.join(", ")));
        }
        if folders.is_empty() {
            return Err(usage!("no folder in {} has a {CASE}", cases.display()));
        }
        let chosen = folders.into_iter().zip(names).filter(|(_, name)| wanted.is_empty() || wanted.contains(name));
        chosen
            .map(|(folder, name)| {
                let path = folder.join(CASE);
                if !path.is_file() {
                    return Ok(Self::Recorded(RecordedCase { name, folder }));
                }
                let text = read_named_text("", &path)?;
                let file = serde_json::from_str(&text).map_err(|error| usage!("{}: {error}", path.display()))?;
                Ok(Self::Written(Box::new(Case { name, folder, file })))
            })
            .collect()
    }
}

impl Case {
    /// Returns how far pictures may be apart.
    pub fn tolerance(&self) -> f64 {
        self.file.tolerance.unwrap_or(TOLERANCE)
    }

    /// Returns the trial. What the case leaves open is as in the project's settings, and then as in a local run.
    ///
    /// # Errors
    /// If a file cannot be read, or a grant is not valid.
    pub fn trial(&self, state: &str, settings: Option<&StateSettings>) -> Result<Trial> {
        let local = defaults(state, settings);
        let host = MemoryHost::default();
        let mut batch = empty_batch();
        for input in &self.file.input {
            let path = self.folder.join(&input.file);
            let bytes = read_named("", &path)?;
            let own = input.file.file_name().unwrap_or_default().to_string_lossy();
            let mut asset = uploaded(&host, input.name.as_deref().unwrap_or(&own), input.media_type, bytes);
            asset.title.clone_from(&input.title);
            asset.sequence = u32::try_from(batch.assets.len() + 1).ok();
            if batch.asset(&asset.key).is_some() {
                return Err(usage!("{}: two inputs have the key {}", self.folder.join(CASE).display(), asset.key));
            }
            batch.assets.push(asset);
        }
        for other in &self.file.stored {
            let bytes = read_named("", &self.folder.join(&other.file))?;
            host.put(&other.key, &other.content_type, other.fingerprint.clone(), bytes);
        }
        self.file.http.iter().cloned().for_each(|answer| host.answer(answer));
        self.file.faults.iter().cloned().for_each(|fault| host.inject(fault));
        host.callback_statuses(self.file.callbacks.iter().copied());
        let grants = self.file.grants.clone().unwrap_or(local.grants);
        grants.check().map_err(|error| usage!("{}: {error}", self.folder.join(CASE).display()))?;
        Ok(Trial {
            batch,
            config: self.file.config.clone().unwrap_or(local.config),
            limits: self.file.limits.unwrap_or(local.limits),
            grants,
            attempt: self.file.attempt,
            host,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(cases: Result<Vec<CaseFolder>>) -> Case {
        match cases.unwrap().remove(0) {
            CaseFolder::Written(case) => *case,
            recorded => panic!("{recorded:?}"),
        }
    }

    fn case(json: &str) -> (tempfile::TempDir, Result<Vec<CaseFolder>>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("one")).unwrap();
        std::fs::write(folder.path().join("one/a.txt"), "text").unwrap();
        std::fs::write(folder.path().join("one").join(CASE), json).unwrap();
        let cases = CaseFolder::all(folder.path(), &[]);
        (folder, cases)
    }

    #[test]
    fn a_case_says_what_differs_from_the_project_s_settings() {
        let (_folder, cases) = case(r#"{"input": [{"file": "a.txt", "name": "b.txt"}], "config": {"author": "Ada"}}"#);
        let settings: StateSettings =
            serde_json::from_str(r#"{"config": {"author": "Bob"}, "limits": {"memoryMib": 33}}"#).unwrap();
        let trial = written(cases).trial("RunIt", Some(&settings)).unwrap();
        assert_eq!((trial.config["author"].as_str(), trial.limits.memory_mib), (Some("Ada"), 33));
        assert_eq!(trial.grants, crate::settings::state_defaults::grants("RunIt"));
        assert_eq!(trial.batch.assets[0].key, "1/raw/photo/horizontal/2026-01-02/b.txt");
    }

    #[test]
    fn a_folder_with_records_is_a_case_too() {
        let (folder, _) = case(r#"{"input": []}"#);
        std::fs::create_dir_all(folder.path().join("a-run/records/2026-01-02")).unwrap();
        std::fs::create_dir_all(folder.path().join("other")).unwrap();
        let cases = CaseFolder::all(folder.path(), &[]).unwrap();
        assert!(matches!(&cases[0], CaseFolder::Recorded(recorded) if recorded.name == "a-run"), "{cases:?}");
        assert!(matches!(&cases[1], CaseFolder::Written(case) if case.name == "one") && cases.len() == 2, "{cases:?}");
    }

    #[test]
    fn what_is_wrong_in_a_case_is_named() {
        let (_folder, cases) = case(r#"{"input": [], "fault": []}"#);
        let error = cases.unwrap_err().to_string();
        assert!(error.contains("one/case.json") && error.contains("fault"), "{error}");

        let (_folder, cases) = case(r#"{"input": [{"file": "a.txt"}, {"file": "a.txt"}]}"#);
        let error = written(cases).trial("RunIt", None).err().unwrap().to_string();
        assert!(error.contains("two inputs"), "{error}");

        let (folder, _) = case(r#"{"input": []}"#);
        let error = CaseFolder::all(folder.path(), &["two".into()]).unwrap_err().to_string();
        assert!(error.contains("\"two\"") && error.contains("one"), "{error}");
    }
}
