//! The pins of a local run and of a package: the release's own stages, those named instead with `--stage`, and their settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};
use stagehost_pins::{BatchLimits, Pin, Pins};
use stagehost_runtime::{Grants, Limits, World, check, names_of};

use super::checkout::file_name;
use super::components::Components;
use crate::exit::{read_named, usage};

/// The stage that a state of the shipped state machine runs, and what it may use.
struct ReleaseStage {
    state: &'static str,
    stage: &'static str,
    world: World,
    read: &'static [&'static str],
    write: &'static [&'static str],
    memory_mib: u32,
    deadline_ms: u64,
}

const RAW: &str = "{listingId}/raw/";
const THUMB: &str = "{listingId}/thumb/";
const PROCESSED: &str = "{listingId}/processed/";
const ZIP: &str = "{listingId}/zip/";

const fn callback(state: &'static str) -> ReleaseStage {
    ReleaseStage {
        state,
        stage: "callback",
        world: World::Callback,
        read: &[],
        write: &[],
        memory_mib: 64,
        deadline_ms: 60_000,
    }
}

const RELEASE: [ReleaseStage; 7] = [
    ReleaseStage {
        state: "ValidateRawAssets",
        stage: "validate",
        world: World::Validate,
        read: &[RAW],
        write: &[],
        memory_mib: 64,
        deadline_ms: 120_000,
    },
    ReleaseStage {
        state: "GenerateThumbnails",
        stage: "thumbnails",
        world: World::Thumbnails,
        read: &[RAW],
        write: &[THUMB],
        // A 100-megapixel photo that cannot be decoded scaled takes 300 MB.
        memory_mib: 512,
        deadline_ms: 60_000,
    },
    ReleaseStage {
        state: "ProcessVideos",
        stage: "transcode",
        world: World::Transcode,
        read: &[RAW],
        write: &[PROCESSED],
        memory_mib: 64,
        deadline_ms: 120_000,
    },
    ReleaseStage {
        state: "CreateZipBundle",
        stage: "zip",
        world: World::Zip,
        read: &[RAW, THUMB, PROCESSED],
        write: &[ZIP],
        memory_mib: 64,
        deadline_ms: 600_000,
    },
    callback("FinalizeAndCallback"),
    callback("ReportValidationFailed"),
    callback("ReportProcessingFailed"),
];

/// One of the release's own pins, without its component.
pub struct ReleasePin {
    /// The state.
    pub state: &'static str,
    /// The world of its stage.
    pub world: World,
    /// The deadline of a call.
    pub deadline_ms: u64,
}

/// Returns the pins that [`pin`] makes of the release's own stages.
pub fn release_pins() -> impl Iterator<Item = ReleasePin> {
    RELEASE.iter().map(|d| ReleasePin { state: d.state, world: d.world, deadline_ms: d.deadline_ms })
}

/// `--stage STATE=FILE`
#[derive(Clone, Debug)]
pub struct StageOverride {
    /// The state.
    pub state: String,
    /// The component.
    pub file: PathBuf,
}

impl FromStr for StageOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((state, file)) if !state.is_empty() && !file.is_empty() => {
                Ok(Self { state: state.to_owned(), file: file.into() })
            }
            _ => Err("expected STATE=FILE, such as GenerateThumbnails=./my_stage.wasm".into()),
        }
    }
}

/// `--config FILE`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LocalConfig {
    /// Limits of a batch.
    batch: Option<BatchLimits>,
    /// By state; absent settings keep their defaults.
    states: BTreeMap<String, StateConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct StateConfig {
    config: Option<Map<String, Value>>,
    limits: Option<Limits>,
    grants: Option<Grants>,
}

impl LocalConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// If it is missing or has another shape; the text names the place.
    pub fn read(file: &Path) -> Result<Self> {
        serde_json::from_slice(&read_named("--config", file)?).map_err(|e| usage!("--config {}: {e}", file.display()))
    }
}

/// Returns the pins for `states`, the states of the state machine that call the host, and adds the components that they
/// name to `components`.
///
/// # Errors
/// If a state has no stage, or a component does not fit.
pub fn pin(
    states: &[String],
    stages: &Path,
    overrides: &[StageOverride],
    mut config: LocalConfig,
    components: &mut Components,
) -> Result<Pins> {
    for named in overrides.iter().map(|o| &o.state).chain(config.states.keys()) {
        if !states.contains(named) {
            return Err(usage!(
                "the state machine has no state {named:?} that calls the host; it has {}",
                states.join(", ")
            ));
        }
    }
    let mut pins = BTreeMap::new();
    for state in states {
        let release = RELEASE.iter().find(|stage| stage.state == state);
        let replaced = overrides.iter().rev().find(|o| o.state == *state);
        let mut pin = match (replaced, release) {
            (Some(replaced), _) => pin_of_file(replaced, release, components)?,
            (None, Some(release)) => pin_of_release(release, stages, components)?,
            (None, None) => {
                return Err(usage!("no stage is known for the state {state:?}; name one with --stage {state}=FILE"));
            }
        };
        if let Some(settings) = config.states.remove(state) {
            pin.config = settings.config.unwrap_or(pin.config);
            pin.limits = settings.limits.unwrap_or(pin.limits);
            pin.grants = settings.grants.unwrap_or(pin.grants);
        }
        pins.insert(state.clone(), pin);
    }
    let pins = Pins::new(config.batch.unwrap_or_default(), pins);
    // The same checks as for pins from elsewhere.
    Pins::parse(&serde_json::to_vec(&pins)?, "--config").map_err(|e| usage!("{e}"))
}

fn pin_of_release(release: &ReleaseStage, stages: &Path, components: &mut Components) -> Result<Pin> {
    let digest = components.add(&stages.join(file_name(release.stage)))?;
    Ok(Pin {
        stage: release.stage.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        world: release.world,
        digest,
        config: Map::new(),
        limits: release.limits(),
        grants: release.grants(),
    })
}

fn pin_of_file(replaced: &StageOverride, release: Option<&ReleaseStage>, components: &mut Components) -> Result<Pin> {
    let file = &replaced.file;
    let bytes = read_named(&format!("--stage {}", replaced.state), file)?;
    let names = names_of(&bytes).map_err(|e| usage!("{}: {e}", file.display()))?;
    let expected = release.map(|release| release.world).filter(|world| check(&names, *world).is_empty());
    let world = expected.or_else(|| World::infer(&names)).ok_or_else(|| {
        usage!("{} fits no world; `stagehost stage check {}` says why", file.display(), file.display())
    })?;
    let digest = components.add_bytes(bytes.into());
    let name = file.file_stem().map_or_else(|| replaced.state.clone(), |stem| stem.to_string_lossy().into_owned());
    let grants = release.map_or_else(
        || Grants { read: strings(&[RAW, THUMB, PROCESSED]), write: strings(&[PROCESSED]), http: vec![] },
        ReleaseStage::grants,
    );
    let limits = release.map_or_else(Limits::default, ReleaseStage::limits);
    Ok(Pin { stage: name, version: "0.0.0-local".to_owned(), world, digest, config: Map::new(), limits, grants })
}

impl ReleaseStage {
    fn limits(&self) -> Limits {
        Limits { memory_mib: self.memory_mib, deadline_ms: self.deadline_ms }
    }

    fn grants(&self) -> Grants {
        Grants { read: strings(self.read), write: strings(self.write), http: vec![] }
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_override_names_a_state_and_a_file() {
        let parsed: StageOverride = "GenerateThumbnails=./a=b.wasm".parse().unwrap();
        assert_eq!((parsed.state.as_str(), parsed.file.to_str()), ("GenerateThumbnails", Some("./a=b.wasm")));
        assert!("GenerateThumbnails".parse::<StageOverride>().is_err());
        assert!("=x.wasm".parse::<StageOverride>().is_err());
    }

    #[test]
    fn the_release_s_grants_are_valid() {
        for stage in RELEASE {
            stage.grants().check().unwrap();
        }
    }
}
