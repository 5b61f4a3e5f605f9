//! Components that are replaced while the pipeline runs: the ones that `--stage` names, when their files change.
//!
//! A changed component is checked and compiled first, and then pinned by a new revision of the pins. Calls that run end with
//! the old one. What cannot be used is reported, and the old one stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use stagehost_dispatch::StageSource as _;
use stagehost_pins::Pins;
use stagehost_runtime::StageIdentity;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::build::components::ComponentStore;
use crate::build::release_pins::world_of;
use crate::exit::read_named;
use crate::output::printer::Printer;
use crate::output::problem::sentence;
use crate::settings::file::StateSettings;
use crate::settings::stage_override::StageOverride;
use crate::settings::state_defaults;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(300);

/// Follows named components until it is dropped.
pub struct Swapping(JoinHandle<()>);

impl Drop for Swapping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a swap changes.
pub struct SwapParts {
    /// Where components are known by digest.
    pub store: Arc<ComponentStore>,
    /// The pins in force.
    pub pins: Pins,
    /// The file that the host follows.
    pub file: PathBuf,
    /// The components, each with its state.
    pub named: Vec<StageOverride>,
}

/// Swaps components, one at a time.
pub struct Swapper(Mutex<SwapParts>);

impl Swapper {
    /// Returns a swapper; nothing is swapped yet.
    pub fn new(parts: SwapParts) -> Self {
        Self(Mutex::new(parts))
    }

    /// Pins the component that is named for a state as it is now, and with other settings if some are given. Returns the new
    /// revision; `None` if nothing differs from what is pinned.
    ///
    /// # Errors
    /// If it cannot be used; the old one stays.
    pub async fn swap(&self, state: &str, settings: Option<StateSettings>) -> Result<Option<u64>> {
        let mut parts = self.0.lock().await;
        let file = StageOverride::of(state, &parts.named).context("no component is named for its state")?.file.clone();
        let bytes = read_named(&format!("--stage {state}"), &file)?;
        let mut pins = parts.pins.clone();
        let pin = pins.states.get_mut(state).context("its state is not pinned")?;
        if let Some(own) = settings {
            pin.config = own.config.unwrap_or_default();
            pin.limits = own.limits.unwrap_or_else(|| state_defaults::limits(state));
            pin.grants = own.grants.unwrap_or_else(|| state_defaults::grants(state));
        }
        if pin.digest != StageIdentity::digest_of(&bytes) {
            let world =
                world_of(&bytes, state_defaults::of(state)).map_err(|reason| anyhow!("{} {reason}", file.display()))?;
            (pin.digest, pin.world) = (parts.store.add(bytes.into()), world);
        }
        parts.store.stage(pin).await.map_err(|error| anyhow!("{}", error.error_message))?;
        if pins == parts.pins {
            return Ok(None);
        }
        pins.revision += 1;
        let text = serde_json::to_vec_pretty(&pins)?;
        // The same checks as for pins from elsewhere.
        let pins = Pins::parse(&text, "the new pins")?;
        // Renamed into place, so that the host never reads half of it.
        let folder = parts.file.parent().context("the pins lie in a folder")?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut new, &text)?;
        new.persist(&parts.file).with_context(|| format!("cannot write {}", parts.file.display()))?;
        parts.pins = pins;
        Ok(Some(parts.pins.revision))
    }

    /// Returns the components, each once.
    async fn named(&self) -> Vec<StageOverride> {
        let parts = self.0.lock().await;
        // Of several components for a state, the last one is pinned.
        let pinned: BTreeMap<_, _> = parts.named.iter().map(|named| (&named.state, named)).collect();
        pinned.into_values().cloned().collect()
    }
}

/// Begins to follow the files of the components.
pub fn follow(swapper: Arc<Swapper>, printer: Printer) -> Swapping {
    Swapping(tokio::spawn(async move {
        // Each is looked at once at the beginning: it may have changed while the pinned one was compiled.
        let mut named: Vec<_> = swapper.named().await.into_iter().map(|named| (named, None)).collect();
        loop {
            tokio::time::sleep(LOOK).await;
            for (named, seen) in &mut named {
                let now = facts(&named.file);
                // A file that is being written changes again; it is taken when it is the same twice.
                if now.is_none() || now == *seen {
                    continue;
                }
                tokio::time::sleep(LOOK).await;
                if facts(&named.file) != now {
                    continue;
                }
                *seen = now;
                match swapper.swap(&named.state, None).await {
                    Ok(Some(revision)) => printer.note(format_args!(
                        "stagehost: {} runs the new {} (revision {revision} of the pins)",
                        named.state,
                        named.file.display()
                    )),
                    Ok(None) => {}
                    Err(error) => {
                        printer.problem(format_args!("{} keeps its stage: {}", named.state, sentence(&error)))
                    }
                }
            }
        }
    }))
}

fn facts(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = file.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
