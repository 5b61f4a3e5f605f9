//! Pins: which exact bytes run for which state, with which configuration, limits and grants.
//!
//! A pin is how a stage is exchanged without a deployment, so everything that makes an exchange safe is here, and nothing
//! of how stages are called: the document and its rules, the changes that can be made to it, the store that keeps every
//! revision signed and lets nobody overwrite another's change, and the sources that a running host follows.

mod change;
mod diff;
mod document;
mod file;
mod limits;
mod store;
mod stored;

pub use change::ChangeError;
pub use diff::{Difference, differences};
pub use document::{Canary, Change, Choice, Pin, PinError, Pins, Role, Shadow};
pub use file::FilePins;
pub use limits::BatchLimits;
pub use store::{Author, CURRENT, Kept, PinStore};
pub use stored::StoredPins;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

/// What happens to pins while a host follows them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PinsEvent<'a> {
    /// Other pins are in force.
    InForce {
        /// Their revision.
        revision: u64,
    },
    /// What is offered cannot be used; the last good revision serves on.
    Refused {
        /// The revision that serves on.
        revision: u64,
        /// What is wrong with the offered one.
        why: &'a str,
    },
    /// This process runs the pinned stage in a canary's place from now on.
    CanaryGivenUp {
        /// The state.
        state: &'a str,
        /// The canary's pin.
        pin: &'a Pin,
        /// What this process has seen of it.
        calls: u64,
        /// How many of them ended in a defect of the stage.
        defects: u64,
    },
}

impl PinsEvent<'_> {
    /// Writes the event to the log.
    pub fn log(&self) {
        match *self {
            Self::InForce { revision } => tracing::info!(revision, "new pins in force"),
            Self::Refused { revision, why } => {
                tracing::error!(revision, error = why, "pins refused; the last good revision serves on");
            }
            Self::CanaryGivenUp { state, pin, calls, defects } => tracing::error!(
                state,
                stage = %pin.stage,
                version = %pin.version,
                digest = %pin.digest,
                calls,
                defects,
                "canary given up; the pinned stage runs in its place"
            ),
        }
    }
}

/// Is told of what happens to pins. Must not block.
pub type PinsWatcher = Arc<dyn Fn(PinsEvent<'_>) + Send + Sync>;

/// Where pins come from. Asked on every call, so an implementation caches.
#[async_trait]
pub trait PinSource: Send + Sync + 'static {
    /// The newest pins that are fit for use.
    ///
    /// # Errors
    /// If there are none; where there were some, those go on being given.
    async fn current(&self) -> Result<Arc<Pins>, PinError>;

    /// A revision that was in force before; `None` from a source that keeps none.
    ///
    /// # Errors
    /// If it keeps them, and this one is not there or not to be trusted.
    async fn revision(&self, revision: u64) -> Result<Option<Arc<Pins>>, PinError> {
        let _ = revision;
        Ok(None)
    }

    /// How long calls may go on with the pins of before while new ones are being loaded. A source that is asked for
    /// what is true this very moment gives none.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}
