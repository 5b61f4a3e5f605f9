//! What a state may use if nothing else is said: as the project's settings say, and then as in a local run.

use anyhow::Result;
use serde_json::{Map, Value};
use stagehost_runtime::{Grants, Limits};

use super::project::Project;
use crate::exit::{read_named_text, usage};
use crate::settings::file::{ConfigFile, StateSettings};
use crate::settings::schema::schema;
use crate::settings::state_defaults;

/// Settings, limits and grants of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// The stage's own settings.
    pub config: Map<String, Value>,
    /// Memory, time and quotas of a call.
    pub limits: Limits,
    /// Keys, hosts and tags.
    pub grants: Grants,
}

/// Returns what a state may use.
pub fn defaults(state: &str, settings: Option<&StateSettings>) -> Defaults {
    let own = |settings: &StateSettings| (settings.config.clone(), settings.limits, settings.grants.clone());
    let (config, limits, grants) = settings.map(own).unwrap_or_default();
    Defaults {
        config: config.unwrap_or_default(),
        limits: limits.unwrap_or_else(|| state_defaults::limits(state)),
        grants: grants.unwrap_or_else(|| state_defaults::grants(state)),
    }
}

/// Reads the settings of a project's state.
///
/// # Errors
/// If its file cannot be read, or does not fit.
pub fn project_settings(project: &Project) -> Result<Option<StateSettings>> {
    let Some(path) = project.settings.as_ref() else { return Ok(None) };
    if !path.is_file() {
        return Err(usage!("{} is named by stage.json and is not there", path.display()));
    }
    let text = read_named_text("", path)?;
    let schema = schema(std::slice::from_ref(&project.state), &[])?;
    let mut file = ConfigFile::of_text(path, text, &schema)?;
    Ok(file.settings.states.remove(&project.state))
}
