//! Stages in memory: each is loaded once, and different ones at the same time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use stagehost_pins::Pin;
use stagehost_runtime::{Stage, World};
use tokio::sync::OnceCell;

use crate::error::DispatchError;

type Place = Arc<OnceCell<Arc<Stage>>>;

/// By the component's digest and the world that it was checked against.
#[derive(Default)]
pub(crate) struct LoadedStages(Mutex<HashMap<(String, World), Place>>);

impl LoadedStages {
    /// The pin's stage, loaded if need be. Whoever asks for it meanwhile waits; whoever asks for another does not.
    pub(crate) async fn get_or_load(
        &self,
        pin: &Pin,
        load: impl Future<Output = Result<Stage, DispatchError>>,
    ) -> Result<Arc<Stage>, DispatchError> {
        let place = self.places().entry((pin.digest.clone(), pin.world)).or_default().clone();
        place.get_or_try_init(|| async { load.await.map(Arc::new) }).await.cloned()
    }

    /// Lets go of all others. Calls under way keep theirs until they end.
    pub(crate) fn retain(&self, digests: &HashSet<String>) {
        self.places().retain(|(digest, _), _| digests.contains(digest));
    }

    fn places(&self) -> std::sync::MutexGuard<'_, HashMap<(String, World), Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
