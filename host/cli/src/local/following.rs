//! A pipeline that follows a store of pins and a registry, as a deployed host does: swaps, canaries and shadows on one
//! machine. Signatures are checked against the same trusted keys as by the commands that change pins.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use stagehost_aws::storage_from_env;
use stagehost_dispatch::{ArtifactCache, DEFAULT_CACHE_BYTES, RegistryStages, Sampler, StageSource};
use stagehost_pins::{PinSource, PinStore, PinsWatcher, StoredPins};
use stagehost_record::Shadow;
use stagehost_registry::Registry;
use stagehost_runtime::StageEngine;
use stagehost_runtime::capability::Objects;
use stagehost_storage::{Folder, Location, Storage};

use crate::pinning::args::PinsArgs;
use crate::pinning::change::ChangeMeans;
use crate::registry::args::RegistryArgs;
use crate::registry::versions::find_version;
use crate::settings::stage_override::StageOverride;
use crate::signing::args::{KeyArgs, TrustArgs};

/// How old known pins may be. A person who changes them expects the next execution to use them.
const MAX_AGE: Duration = Duration::from_millis(500);

/// What a pipeline follows.
#[derive(Args, Clone, Debug)]
pub struct FollowArgs {
    /// Follow these signed pins, a folder or s3://bucket/prefix, with the stages of --registry, instead of the checkout's
    // Without a variable of the environment: a local run must not follow the pins of a shell for operators unasked.
    #[arg(long = "pins", id = "followed_pins", value_name = "PLACE", conflicts_with_all = ["config", "stages_named", "stages"])]
    pub pins: Option<Location>,

    #[command(flatten)]
    registry: RegistryArgs,

    #[command(flatten)]
    trust: TrustArgs,
}

/// What a followed store gives to the host.
pub struct Followed {
    /// Which stage runs for which state.
    pub pins: Arc<dyn PinSource>,
    /// The stages of the registry.
    pub stages: Arc<dyn StageSource>,
    /// The registry.
    pub registry: Registry,
    /// Where the health of canaries is kept.
    pub canaries: Arc<dyn Storage>,
    /// Runs shadows and stores records.
    pub sampler: Sampler,
}

/// The machine that a pipeline has for its stages.
pub struct LocalMachine<'a> {
    /// The engine.
    pub engine: StageEngine,
    /// The media bucket's objects, for shadows.
    pub objects: Arc<dyn Objects>,
    /// The media bucket as a folder.
    pub bucket: &'a Path,
    /// The folder for what is the host's own.
    pub own: &'a Path,
    /// How many stages run at once, and their memory in MiB.
    pub room: (usize, u32),
}

impl FollowArgs {
    /// Returns what the followed pins are changed with; `None` if no pins are named.
    pub fn means(&self, key: KeyArgs, state_machine: Option<PathBuf>) -> Option<ChangeMeans> {
        let pins = PinsArgs::at(self.pins.clone()?, self.trust.clone());
        Some(ChangeMeans::of_this_machine(pins, key, self.registry.clone(), state_machine))
    }

    /// Returns the host's part of what is followed; `None` if no pins are named. The runs of canaries are counted in the folder
    /// `canaries`.
    ///
    /// # Errors
    /// If no registry is named, or a key is invalid.
    pub async fn open(
        &self,
        machine: LocalMachine<'_>,
        canaries: &Path,
        watcher: PinsWatcher,
    ) -> Result<Option<Followed>> {
        let Some(place) = &self.pins else { return Ok(None) };
        let trusted = self.trust.trusted()?;
        let store = PinStore::new(storage_from_env(place).await, trusted.clone()).of_any_environment();
        let registry = self.registry.open(trusted).await?;
        let cache = ArtifactCache::open(machine.own.join("artifacts"), DEFAULT_CACHE_BYTES)?;
        let (cores, memory) = machine.room;
        let media: Arc<dyn Storage> = Arc::new(Folder::new(machine.bucket));
        let shadow = Shadow::new(machine.objects, media, cores, memory);
        Ok(Some(Followed {
            pins: Arc::new(StoredPins::new(store, MAX_AGE, watcher)),
            stages: Arc::new(RegistryStages::new(machine.engine, None, registry.clone(), cache)),
            registry,
            canaries: Arc::new(Folder::new(canaries)),
            sampler: Sampler::new(shadow, Arc::new(Folder::new(machine.own.join("records")))),
        }))
    }

    /// Returns the overrides with files in place of published versions: `AddNotes=line-notes@1.0.0` is fetched from the
    /// registry into `folder`.
    ///
    /// # Errors
    /// If no registry is named, or it has no such version.
    pub async fn fetched(&self, overrides: &[StageOverride], folder: &Path) -> Result<Vec<StageOverride>> {
        let mut fetched = Vec::new();
        for named in overrides {
            let Some(version) = named.published() else {
                fetched.push(named.clone());
                continue;
            };
            let registry = self.registry.open(self.trust.trusted()?).await?;
            let id = find_version(&registry, version).await?;
            let component = registry.component(&registry.manifest(&id).await?).await?;
            // The pin's name is that of the file.
            let name = version.split('@').next().unwrap_or(version);
            let file = folder.join(version).join(format!("{name}.wasm"));
            let below = file.parent().unwrap_or(folder);
            std::fs::create_dir_all(below).with_context(|| format!("cannot make {}", below.display()))?;
            std::fs::write(&file, &component).with_context(|| format!("cannot write {}", file.display()))?;
            fetched.push(StageOverride { state: named.state.clone(), file });
        }
        Ok(fetched)
    }
}
