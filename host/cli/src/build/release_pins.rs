//! The pins of a local run and of a package: the release's own stages, those named instead with `--stage`, and their settings.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::Map;
use stagehost_pins::{Pin, Pins};
use stagehost_runtime::World;

use super::checkout::file_name;
use super::components::Components;
use crate::contract::fit;
use crate::exit::{read_named, usage};
use crate::settings::file::Settings;
use crate::settings::stage_override::StageOverride;
use crate::settings::state_defaults::{self, RELEASE, ReleaseStage};

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
    RELEASE.iter().map(|d| ReleasePin { state: d.state, world: d.world, deadline_ms: d.limits().deadline_ms })
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
    mut settings: Settings,
    components: &mut Components,
) -> Result<Pins> {
    let mut pins = BTreeMap::new();
    for state in states {
        let release = state_defaults::of(state);
        let replaced = StageOverride::of(state, overrides);
        let mut pin = match (replaced, release) {
            (Some(replaced), _) => pin_of_file(replaced, release, components)?,
            (None, Some(release)) => pin_of_release(release, stages, components)?,
            (None, None) => {
                return Err(usage!("no stage is known for the state {state:?}; name one with --stage {state}=FILE"));
            }
        };
        if let Some(own) = settings.states.remove(state) {
            pin.config = own.config.unwrap_or(pin.config);
            pin.limits = own.limits.unwrap_or(pin.limits);
            pin.grants = own.grants.unwrap_or(pin.grants);
        }
        pins.insert(state.clone(), pin);
    }
    let pins = Pins::new(settings.batch.unwrap_or_default(), pins);
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

/// Returns the pin of a named component, with the defaults of its state.
fn pin_of_file(replaced: &StageOverride, release: Option<&ReleaseStage>, components: &mut Components) -> Result<Pin> {
    let file = &replaced.file;
    let bytes = read_named(&format!("--stage {}", replaced.state), file)?;
    let refused = |reason: String| usage!("{} {reason}", file.display());
    let world = world_of(&bytes, release).map_err(refused)?;
    let digest = components.add_bytes(bytes.into());
    let name = file.file_stem().map_or_else(|| replaced.state.clone(), |stem| stem.to_string_lossy().into_owned());
    let limits = state_defaults::limits(&replaced.state);
    let grants = state_defaults::grants(&replaced.state);
    Ok(Pin { stage: name, version: "0.0.0-local".to_owned(), world, digest, config: Map::new(), limits, grants })
}

/// Returns the world of a component for a state: that of the release's stage if it fits, or else the narrowest that does.
///
/// # Errors
/// If it fits none. The text goes on after the component's name.
pub fn world_of(component: &[u8], release: Option<&ReleaseStage>) -> std::result::Result<World, String> {
    let expected = release.map(|release| fit(component, Some(release.world))).transpose();
    match expected.map_err(|reason| format!("is {reason}"))? {
        Some(fit) if fit.findings.is_empty() => fit.world(),
        _ => fit(component, None).and_then(|fit| fit.world()),
    }
}
