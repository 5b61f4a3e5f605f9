//! Events of pins while a host follows them.

use std::sync::Arc;

use crate::document::Pin;

/// An event of the pins that a host follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PinsEvent<'a> {
    /// New pins are in force.
    InForce {
        /// Their revision.
        revision: u64,
    },
    /// New pins cannot be used. The last good revision stays in force.
    Refused {
        /// The revision that stays in force.
        revision: u64,
        /// Why the new pins were refused.
        why: &'a str,
    },
    /// This process gave up a canary and runs the pinned stage from now on.
    CanaryGivenUp {
        /// The state.
        state: &'a str,
        /// The canary's pin.
        pin: &'a Pin,
        /// How many calls of the canary this process has made.
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
                tracing::error!(revision, error = why, "pins refused; the last good revision stays in force");
            }
            Self::CanaryGivenUp { state, pin, calls, defects } => tracing::error!(
                state,
                stage = %pin.stage,
                version = %pin.version,
                digest = %pin.digest,
                calls,
                defects,
                "canary given up; the pinned stage runs instead"
            ),
        }
    }
}

/// Receives the events of pins. Must not block.
pub type PinsWatcher = Arc<dyn Fn(PinsEvent<'_>) + Send + Sync>;
