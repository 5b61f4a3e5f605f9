//! Where stages come from.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use stagehost_pins::Pin;
use stagehost_runtime::Stage;

use crate::error::DispatchError;

/// Where the host gets the component of a pin from. It is asked for every call of a stage, so an implementation caches.
#[async_trait]
pub trait StageSource: Send + Sync + 'static {
    /// Returns the stage with exactly the pin's digest, loaded for exactly its world.
    ///
    /// # Errors
    /// `Host.BadStage`, which names what is missing or wrong; `Stage.Transient` if a retry may succeed.
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError>;

    /// Checks that a stage can be loaded. The default loads it; a source that knows better need not.
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    async fn check(&self, pin: &Pin) -> Result<(), DispatchError> {
        self.stage(pin).await.map(drop)
    }

    /// Allows the source to drop all components except those with one of these digests.
    fn retain(&self, digests: &HashSet<String>) {
        let _ = digests;
    }
}
