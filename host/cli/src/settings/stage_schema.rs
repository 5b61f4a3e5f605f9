//! The JSON Schema of a stage's own settings.
//!
//! The schema is a file beside the stage's source, `stages/NAME/config.schema.json`. The command holds those of this
//! release; every component carries its own in a custom section, so the settings of a stage from elsewhere are checked
//! in the same way if it has such a section.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::exit::{read_named, usage};
use crate::settings::stage_override::StageOverride;
use crate::settings::state_defaults;

/// The name of the custom section.
pub const SECTION: &str = "stagehost:config-schema";

/// The release's own stages.
const SCHEMAS: [(&str, &str); 5] = [
    ("validate", include_str!("../../../../stages/validate/config.schema.json")),
    ("thumbnails", include_str!("../../../../stages/thumbnails/config.schema.json")),
    ("transcode", include_str!("../../../../stages/transcode/config.schema.json")),
    ("zip", include_str!("../../../../stages/zip/config.schema.json")),
    ("callback", include_str!("../../../../stages/callback/config.schema.json")),
];

/// What is known of the settings of a state's stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSettings {
    /// The stage that runs for the state.
    pub source: StageSource,
    /// The JSON Schema of its settings; `None` if the stage comes without one.
    pub schema: Option<Value>,
}

/// Where a state's stage comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageSource {
    /// A stage of this release.
    Release(&'static str),
    /// A component named by `--stage`.
    File(PathBuf),
    /// The state belongs to another state machine, and no component is named for it.
    Missing,
}

/// Returns what is known of the settings of the stage that runs for a state.
///
/// # Errors
/// If a component cannot be read, or carries a schema that is not JSON.
pub fn of_state(state: &str, overrides: &[StageOverride]) -> Result<StageSettings> {
    if let Some(named) = StageOverride::of(state, overrides) {
        let bytes = read_named(&format!("--stage {state}"), &named.file)?;
        let schema = embedded(&bytes, &named.file)?;
        return Ok(StageSettings { source: StageSource::File(named.file.clone()), schema });
    }
    Ok(match state_defaults::of(state) {
        Some(release) => {
            StageSettings { source: StageSource::Release(release.stage), schema: of_release(release.stage)? }
        }
        None => StageSettings { source: StageSource::Missing, schema: None },
    })
}

/// Returns the schema of one of the release's own stages.
fn of_release(stage: &str) -> Result<Option<Value>> {
    let found = SCHEMAS.iter().find(|(name, _)| *name == stage);
    Ok(found.map(|(_, text)| serde_json::from_str(text)).transpose()?)
}

/// Returns the schema that a component carries; `None` if it has no such section.
///
/// # Errors
/// If the section is not JSON.
pub fn embedded(component: &[u8], file: &Path) -> Result<Option<Value>> {
    // A file that is not WebAssembly carries no schema; what it is instead is explained where it is loaded.
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        if let Payload::CustomSection(section) = payload
            && section.name() == SECTION
        {
            let schema: Value = serde_json::from_slice(section.data()).map_err(|e| {
                usage!("the section {SECTION} of {} is not JSON: {e}; build the component again", file.display())
            })?;
            return Ok(Some(schema));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Returns a component without anything but a custom section.
    fn component(section: &str, data: &str) -> Vec<u8> {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        let length = 1 + section.len() + data.len();
        bytes.extend([0, length.try_into().unwrap(), section.len().try_into().unwrap()]);
        bytes.extend(section.bytes().chain(data.bytes()));
        bytes
    }

    #[test]
    fn every_stage_of_the_release_has_a_valid_schema_with_titles_and_descriptions() {
        for defaults in &state_defaults::RELEASE {
            let schema = of_release(defaults.stage).unwrap().unwrap();
            jsonschema::draft202012::meta::validate(&schema).unwrap();
            for (name, setting) in schema["properties"].as_object().unwrap() {
                for word in ["title", "description"] {
                    assert!(setting[word].is_string(), "{}: {name} has no {word}", defaults.stage);
                }
            }
        }
    }

    #[test]
    fn a_component_s_own_schema_counts_and_one_without_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let of = |bytes: Vec<u8>| {
            let file = folder.path().join("stage.wasm");
            std::fs::write(&file, bytes).unwrap();
            of_state("GenerateThumbnails", &[StageOverride { state: "GenerateThumbnails".into(), file }])
        };
        assert_eq!(of(component(SECTION, r#"{"title":"x"}"#)).unwrap().schema.unwrap()["title"], "x");
        assert_eq!(of(component("other", "{}")).unwrap().schema, None);
        assert_eq!(of(b"not WebAssembly".to_vec()).unwrap().schema, None);
        let error = of(component(SECTION, "no JSON")).unwrap_err().to_string();
        assert!(error.contains("stage.wasm") && error.contains(SECTION), "{error}");
    }
}
