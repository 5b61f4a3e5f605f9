//! `--config FILE`: read, and checked before anything is built or started.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use stagehost_local::ForeignFunction;
use stagehost_pins::BatchLimits;
use stagehost_runtime::{Grants, Limits};

use crate::exit::{read_named, usage};
use crate::settings::finding::{findings, nearest};
use crate::settings::schema::schema;
use crate::settings::stage_override::StageOverride;

/// A configuration that fits the state machine and its stages.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// Where it is; `None` if no file is named.
    pub path: Option<PathBuf>,
    /// As it is written.
    pub text: String,
    /// As JSON.
    pub document: Value,
    /// What it says.
    pub settings: Settings,
}

/// What the file says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// For editors only.
    #[serde(rename = "$schema")]
    _schema: Option<IgnoredAny>,
    /// What a batch may hold.
    pub batch: Option<BatchLimits>,
    /// Functions that are not the host's, and where their calls go. Only `run` and `serve` read it.
    pub functions: BTreeMap<String, ForeignFunction>,
    /// By state; what is absent keeps its default.
    pub states: BTreeMap<String, StateSettings>,
}

/// What the file says of one state. What is absent keeps its default.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StateSettings {
    /// The stage's own settings.
    pub config: Option<Map<String, Value>>,
    /// Memory and time of one call.
    pub limits: Option<Limits>,
    /// Keys and hosts.
    pub grants: Option<Grants>,
}

impl ConfigFile {
    /// Reads the file, if one is named, and checks it and the `--stage` options against the states of the state machine
    /// that call the host. Nothing has to be built for that.
    ///
    /// # Errors
    /// If the file or a named component cannot be read, or for everything in the file that does not fit: each with its place and
    /// what was expected.
    pub fn read(file: Option<&Path>, states: &[String], overrides: &[StageOverride]) -> Result<Self> {
        if let Some(named) = overrides.iter().map(|named| &named.state).find(|named| !states.contains(named)) {
            return Err(unknown_state(named, states));
        }
        for named in overrides {
            read_named(&format!("--stage {}", named.state), &named.file)?;
        }
        let Some(path) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).map_err(|e| usage!("cannot read --config {}: {e}", path.display()))?;
        Self::of_text(path, text, &schema(states, overrides)?)
    }

    /// Checks a text against the schema of the whole file; `path` is for the errors.
    ///
    /// # Errors
    /// For everything that does not fit.
    pub fn of_text(path: &Path, text: String, schema: &Value) -> Result<Self> {
        let wrong = |e: serde_json::Error| usage!("--config {}: {e}", path.display());
        let document: Value = serde_json::from_str(&text).map_err(wrong)?;
        let found = findings(&text, &document, schema)?;
        if !found.is_empty() {
            let mut list = String::new();
            for finding in &found {
                let _ = write!(list, "\n  {}:{finding}", path.display());
            }
            return Err(usage!("--config {} cannot be used; correct this and run again:{list}", path.display()));
        }
        let settings = serde_json::from_str(&text).map_err(wrong)?;
        Ok(Self { path: Some(path.to_owned()), text, document, settings })
    }
}

/// Returns the refusal of a state that the state machine does not have.
pub fn unknown_state(state: &str, states: &[String]) -> anyhow::Error {
    let known: Vec<&str> = states.iter().map(String::as_str).collect();
    let hint = match nearest(state, &known) {
        Some(meant) => format!("did you mean {meant:?}? It"),
        None => "it".to_owned(),
    };
    usage!("the state machine has no state {state:?} that calls the host; {hint} has {}", states.join(", "))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
