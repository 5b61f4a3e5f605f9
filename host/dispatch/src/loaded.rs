//! Stages in memory: each is loaded once, and different ones at the same time.
//!
//! Name and version count as the bytes do: the same component may be pinned under two names, and each has to be what was
//! published under its own, on a host that has the other in memory as well.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use stagehost_pins::Pin;
use stagehost_runtime::{Stage, StageIdentity, World};
use tokio::sync::OnceCell;

use crate::error::DispatchError;

type Place = Arc<OnceCell<Arc<Stage>>>;

/// By stage, version, digest and the world that it was checked against.
#[derive(Default)]
pub(crate) struct LoadedStages(Mutex<HashMap<(StageIdentity, World), Place>>);

impl LoadedStages {
    /// The pin's stage, loaded if need be. Whoever asks for it meanwhile waits; whoever asks for another does not.
    pub(crate) async fn get_or_load(
        &self,
        pin: &Pin,
        load: impl Future<Output = Result<Stage, DispatchError>>,
    ) -> Result<Arc<Stage>, DispatchError> {
        let place = self.places().entry((identity(pin), pin.world)).or_default().clone();
        place.get_or_try_init(|| async { load.await.map(Arc::new) }).await.cloned()
    }

    /// Lets go of all others. Calls under way keep theirs until they end.
    pub(crate) fn retain(&self, digests: &HashSet<String>) {
        self.places().retain(|(identity, _), _| digests.contains(&identity.digest));
    }

    fn places(&self) -> std::sync::MutexGuard<'_, HashMap<(StageIdentity, World), Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a pin calls its stage.
pub(crate) fn identity(pin: &Pin) -> StageIdentity {
    StageIdentity { name: pin.stage.clone(), version: pin.version.clone(), digest: pin.digest.clone() }
}
