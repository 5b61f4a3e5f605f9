//! Stages in memory. Each is loaded once; different ones are loaded at the same time.
//!
//! The key has name and version besides the digest: the same component may be pinned under two names, and each name must
//! be checked against its own manifest, even if the bytes are in memory already.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use stagehost_pins::Pin;
use stagehost_runtime::{Stage, StageIdentity, World, lock};
use tokio::sync::OnceCell;

use crate::error::DispatchError;

type Slot = Arc<OnceCell<Arc<Stage>>>;

/// The loaded stages, by identity and world.
#[derive(Default)]
pub(crate) struct LoadedStages(Mutex<HashMap<(StageIdentity, World), Slot>>);

impl LoadedStages {
    /// Returns the pin's stage, and loads it first if needed. Calls for the same stage wait for one load.
    pub(crate) async fn get_or_load(
        &self,
        pin: &Pin,
        load: impl Future<Output = Result<Stage, DispatchError>>,
    ) -> Result<Arc<Stage>, DispatchError> {
        let slot = lock(&self.0).entry((pin.identity(), pin.world)).or_default().clone();
        slot.get_or_try_init(|| async { load.await.map(Arc::new) }).await.cloned()
    }

    /// Drops all stages except those with one of these digests. Running calls keep theirs until they end.
    pub(crate) fn retain(&self, digests: &HashSet<String>) {
        lock(&self.0).retain(|(identity, _), _| digests.contains(&identity.digest));
    }
}
