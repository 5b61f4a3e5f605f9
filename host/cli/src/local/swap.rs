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
use tokio::task::JoinHandle;

use crate::build::components::ComponentStore;
use crate::build::release_pins::world_of;
use crate::console::printer::Printer;
use crate::console::problem::sentence;
use crate::exit::read_named;
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

/// Begins to follow the components.
pub fn follow(mut parts: SwapParts, printer: Printer) -> Swapping {
    // Of several components for a state, the last one is pinned.
    let pinned: BTreeMap<_, _> = parts.named.iter().map(|named| (&named.state, named)).collect();
    // Each is looked at once at the beginning: it may have changed while the pinned one was compiled.
    let mut named: Vec<_> = pinned.into_values().map(|named| (named.clone(), None)).collect();
    Swapping(tokio::spawn(async move {
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
                match swap(&mut parts, named).await {
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

/// Pins a component as it is now. Returns the new revision; `None` if the bytes are those that are pinned.
async fn swap(parts: &mut SwapParts, named: &StageOverride) -> Result<Option<u64>> {
    let bytes = read_named(&format!("--stage {}", named.state), &named.file)?;
    let mut pins = parts.pins.clone();
    let pin = pins.states.get_mut(&named.state).context("its state is not pinned")?;
    if pin.digest == StageIdentity::digest_of(&bytes) {
        return Ok(None);
    }
    let world = world_of(&bytes, state_defaults::of(&named.state))
        .map_err(|reason| anyhow!("{} {reason}", named.file.display()))?;
    (pin.digest, pin.world) = (parts.store.add(bytes.into()), world);
    parts.store.stage(pin).await.map_err(|error| anyhow!("{}", error.error_message))?;
    pins.revision += 1;
    // Renamed into place, so that the host never reads half of it.
    let folder = parts.file.parent().context("the pins lie in a folder")?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut new, &serde_json::to_vec_pretty(&pins)?)?;
    new.persist(&parts.file).with_context(|| format!("cannot write {}", parts.file.display()))?;
    parts.pins = pins;
    Ok(Some(parts.pins.revision))
}
