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
    /// Newer pins are known, but a store has not answered with everything that they change. Calls go on with the pins in
    /// force, and the newer ones are tried again.
    Late {
        /// The revision in force.
        revision: u64,
        /// The newer revision.
        newer: u64,
        /// For how many seconds this process has known it.
        seconds: u64,
        /// What is missing.
        why: &'a str,
    },
    /// A process without pins in force cannot use the newest ones, and begins with an earlier revision.
    FellBack {
        /// The earlier revision, which is in force now.
        revision: u64,
        /// The newest revision.
        broken: u64,
        /// Why that cannot be used.
        why: &'a str,
    },
    /// This process runs the pinned stage instead of a canary from now on.
    CanaryGivenUp {
        /// The state.
        state: &'a str,
        /// The canary's pin.
        pin: &'a Pin,
        /// How many runs of the canary are known.
        runs: u64,
        /// How many of them ended in a defect of the stage.
        defects: u64,
        /// How many runs of the pinned stage beside it are known.
        pinned_runs: u64,
        /// How many of those ended in a defect of the stage.
        pinned_defects: u64,
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
            Self::Late { revision, newer, seconds, why } => {
                tracing::error!(revision, newer, seconds, error = why, "newer pins are not loaded yet; calls go on");
            }
            Self::FellBack { revision, broken, why } => {
                tracing::error!(
                    revision,
                    broken,
                    error = why,
                    "the newest pins are broken; an earlier revision is in force"
                );
            }
            Self::CanaryGivenUp { state, pin, runs, defects, pinned_runs, pinned_defects } => tracing::error!(
                state,
                stage = %pin.stage,
                version = %pin.version,
                digest = %pin.digest,
                runs,
                defects,
                pinned_runs,
                pinned_defects,
                "canary given up; the pinned stage runs instead"
            ),
        }
    }
}

/// Receives the events of pins. Must not block.
pub type PinsWatcher = Arc<dyn Fn(PinsEvent<'_>) + Send + Sync>;
