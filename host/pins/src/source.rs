//! Where a host takes its pins from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::document::Pins;
use crate::error::PinError;

/// A source of pins. It is asked on every call, so an implementation caches.
#[async_trait]
pub trait PinSource: Send + Sync + 'static {
    /// Returns the newest valid pins.
    ///
    /// # Errors
    /// If there were never any. Once there are, a source keeps returning the last valid ones.
    async fn current(&self) -> Result<Arc<Pins>, PinError>;

    /// Returns an earlier revision; `None` if the source keeps none.
    ///
    /// # Errors
    /// If the source keeps revisions, but this one is missing or not signed by a trusted key.
    async fn revision(&self, revision: u64) -> Result<Option<Arc<Pins>>, PinError> {
        let _ = revision;
        Ok(None)
    }

    /// Returns the revision that may run in place of the pins `in_force` if a stage of revision `broken` cannot be loaded,
    /// which is `in_force` itself or one that was returned here before. It is the next one that was in force before `broken`,
    /// unless that is revoked, unwanted (a rollback replaced it) or too old. `None` if there is no such revision.
    ///
    /// # Errors
    /// If an earlier revision is missing, not signed by a trusted key or of another environment.
    async fn fallback(&self, in_force: &Pins, broken: u64) -> Result<Option<Arc<Pins>>, PinError> {
        let _ = (in_force, broken);
        Ok(None)
    }

    /// Returns how long a call may wait for newer pins, from when they begin to be loaded. The default is not at all: calls
    /// go on with the pins in force.
    fn max_wait(&self) -> Duration {
        Duration::ZERO
    }
}
