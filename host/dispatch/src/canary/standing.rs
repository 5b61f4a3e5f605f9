//! The state of a canary, for people.

use stagehost_pins::Pin;
use stagehost_storage::{Found, Storage, StorageError};

use super::document::{HealthDocument, name_of};

/// What all processes of a function have counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanaryStanding {
    /// Runs of the canary, and how many of them ended in a defect.
    pub canary: (u64, u64),
    /// The same of the pinned stage beside it.
    pub pinned: (u64, u64),
    /// Whether the canary is given up, so that the pinned stage runs alone.
    pub given_up: bool,
}

/// Returns the runs of the canary `pin` of a state; `None` if nothing is counted yet. `store` is the one that the hosts
/// count in.
///
/// # Errors
/// If the store does not answer.
pub async fn canary_standing(
    store: &dyn Storage,
    state: &str,
    pin: &Pin,
) -> Result<Option<CanaryStanding>, StorageError> {
    let Found::Found { bytes, .. } = store.get(&name_of(state, pin), None).await? else { return Ok(None) };
    Ok(HealthDocument::read(&bytes).map(|document| CanaryStanding {
        canary: (document.canary.runs, document.canary.defects),
        pinned: (document.pinned.runs, document.pinned.defects),
        given_up: document.given_up,
    }))
}
