//! The document: what `pins.json` says, and what it may not say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use stagehost_registry::{EnvelopeError, hex_of};
use stagehost_runtime::{GrantError, Grants, Limits, World};
use stagehost_storage::StorageError;

use crate::limits::BatchLimits;

/// One revision of all pins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pins {
    /// Counts up with every change.
    pub revision: u64,
    /// Who made this revision of which one; absent in pins that come with a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What a batch may hold.
    #[serde(default)]
    pub batch: BatchLimits,
    /// By the name of the Step Functions state.
    pub states: BTreeMap<String, Pin>,
    /// Candidates that answer for some executions, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub canaries: BTreeMap<String, Canary>,
    /// Candidates that are watched at work beside the pinned stage and never heard, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shadows: BTreeMap<String, Shadow>,
    /// Of how many executions in a hundred the calls are recorded, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recordings: BTreeMap<String, u8>,
    /// Revisions that no execution may go on with, not even one that began with it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub revoked: BTreeSet<u64>,
}

/// Who made a revision, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// A person or a pipeline.
    pub by: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// In their words.
    pub why: String,
    /// The revision that was in force before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// The earlier revision whose pins these are again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
}

/// What runs for one state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// The stage's name.
    pub stage: String,
    /// Its version.
    pub version: String,
    /// The world it runs in.
    pub world: World,
    /// `sha256:` and the lower-case hexadecimal digest of the component.
    pub digest: String,
    /// Given to the stage with every call.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Memory and time.
    #[serde(default)]
    pub limits: Limits,
    /// Keys and hosts.
    #[serde(default)]
    pub grants: Grants,
}

/// A candidate that answers for some executions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// Of a hundred executions, 1 to 99.
    pub percent: u8,
    /// A host that has seen enough calls of it, and more than so many of a hundred end in a defect, gives the candidate up
    /// by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_above_percent: Option<u8>,
    /// What runs for them.
    pub pin: Pin,
}

/// A candidate whose work is compared and thrown away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shadow {
    /// Of a hundred executions, 1 to 100.
    pub percent: u8,
    /// What runs beside the pin.
    pub pin: Pin,
}

/// Which of a state's pins it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that answers by default.
    Pinned,
    /// The canary's.
    Canary,
}

/// What runs for one state of one execution.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The pin.
    pub pin: &'a Pin,
    /// Which one it is.
    pub role: Role,
}

/// Why pins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// They could not be read.
    #[error("cannot read the pins at {place}: {reason}")]
    Unreadable {
        /// File or object.
        place: String,
        /// What went wrong.
        reason: String,
    },
    /// The store could not be asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There are none.
    #[error("there are no pins at {place}; `stagehost pins init` makes the first revision")]
    None {
        /// File or object.
        place: String,
    },
    /// A revision that was kept once is gone.
    #[error("revision {revision} of the pins is not at {place}, though every revision is kept")]
    Lost {
        /// The revision.
        revision: u64,
        /// File or object.
        place: String,
    },
    /// They are not pins.
    #[error("the pins at {place} are not valid: {reason}")]
    Invalid {
        /// File or object.
        place: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// Nobody whom one trusts has signed them.
    #[error("the pins at {place} are not to be trusted: {source}")]
    Signature {
        /// File or object.
        place: String,
        /// What is wrong.
        source: EnvelopeError,
    },
    /// A kept revision is another one than its name says.
    #[error("{place} holds revision {found}: it has been put in the place of another")]
    Misplaced {
        /// File or object.
        place: String,
        /// What it says of itself.
        found: u64,
    },
    /// A change was made on top of pins that are no longer in force.
    #[error("somebody else was first: {now}; look at what they changed and run the command again")]
    Overtaken {
        /// Which revision is in force now, and by whom.
        now: String,
    },
    /// A grant makes no sense.
    #[error("the pin of {state}: {source}")]
    Grant {
        /// The state.
        state: String,
        /// What is wrong.
        source: GrantError,
    },
    /// A digest is not one.
    #[error("the pin of {state} has the digest {digest:?}; expected sha256: and 64 hexadecimal digits")]
    Digest {
        /// The state.
        state: String,
        /// As written.
        digest: String,
    },
    /// A candidate makes no sense.
    #[error("the {what} of {state} {problem}")]
    Candidate {
        /// `canary`, `shadow`, `recording`
        what: &'static str,
        /// The state.
        state: String,
        /// What is wrong.
        problem: String,
    },
}

impl Pins {
    /// The first revision, of these pins.
    pub fn new(batch: BatchLimits, states: BTreeMap<String, Pin>) -> Self {
        Self {
            revision: 1,
            change: None,
            batch,
            states,
            canaries: BTreeMap::new(),
            shadows: BTreeMap::new(),
            recordings: BTreeMap::new(),
            revoked: BTreeSet::new(),
        }
    }

    /// Reads and checks pins; `place` is for the errors.
    ///
    /// # Errors
    /// If the text is not JSON of this shape, or a pin makes no sense.
    pub fn parse(text: &[u8], place: &str) -> Result<Self, PinError> {
        let pins: Pins = serde_json::from_slice(text)
            .map_err(|e| PinError::Invalid { place: place.to_owned(), reason: e.to_string() })?;
        pins.check()?;
        Ok(pins)
    }

    /// Checks what the document's shape alone does not say.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), PinError> {
        for (state, pin) in &self.states {
            pin.check(state)?;
        }
        let canaries = self.canaries.iter().map(|(state, c)| ("canary", state, c.percent, 99, &c.pin));
        let shadows = self.shadows.iter().map(|(state, s)| ("shadow", state, s.percent, 100, &s.pin));
        for (what, state, percent, most, pin) in canaries.chain(shadows) {
            let refuse = |problem: String| PinError::Candidate { what, state: state.clone(), problem };
            let pinned = self.states.get(state).ok_or_else(|| refuse("has no pin beside it".into()))?;
            if !(1..=most).contains(&percent) {
                return Err(refuse(format!("is for {percent} % of executions; it can be 1 to {most}")));
            }
            if pinned.world != pin.world {
                return Err(refuse(format!(
                    "runs in the world {}, the pinned stage in {}; a candidate for another world can only be pinned",
                    pin.world, pinned.world
                )));
            }
            pin.check(state)?;
        }
        for (state, percent) in &self.recordings {
            if !self.states.contains_key(state) || !(1..=100).contains(percent) {
                let problem = format!("is of {percent} % of executions; it needs a pin, and 1 to 100");
                return Err(PinError::Candidate { what: "recording", state: state.clone(), problem });
            }
        }
        Ok(())
    }

    /// What runs for a state of an execution: always the same for one execution, so that all tries of a state, and all
    /// states with candidates of the same share, agree.
    pub fn choose(&self, state: &str, execution: &str) -> Option<Choice<'_>> {
        let pin = self.states.get(state)?;
        Some(match self.canaries.get(state) {
            Some(canary) if one_of("canary", execution, canary.percent) => {
                Choice { pin: &canary.pin, role: Role::Canary }
            }
            _ => Choice { pin, role: Role::Pinned },
        })
    }

    /// The state's pin, whatever its canary.
    pub fn pinned_only(&self, state: &str) -> Option<Choice<'_>> {
        self.states.get(state).map(|pin| Choice { pin, role: Role::Pinned })
    }

    /// The candidate whose work is to be watched in this execution.
    pub fn shadow(&self, state: &str, execution: &str) -> Option<&Pin> {
        let shadow = self.shadows.get(state)?;
        one_of("shadow", execution, shadow.percent).then_some(&shadow.pin)
    }

    /// Whether calls of this execution are recorded.
    pub fn records(&self, state: &str, execution: &str) -> bool {
        self.recordings.get(state).is_some_and(|percent| one_of("recording", execution, *percent))
    }

    /// Every pin that a call may need: pinned stages, canaries, shadows.
    pub fn pins(&self) -> impl Iterator<Item = (&str, &Pin)> {
        let pinned = self.states.iter().map(|(state, pin)| (state.as_str(), pin));
        let canaries = self.canaries.iter().map(|(state, canary)| (state.as_str(), &canary.pin));
        let shadows = self.shadows.iter().map(|(state, shadow)| (state.as_str(), &shadow.pin));
        pinned.chain(canaries).chain(shadows)
    }
}

impl Pin {
    /// What is loaded for it: all that a manifest is compared with.
    pub fn identity(&self) -> (&str, &str, &str, World) {
        (&self.stage, &self.version, &self.digest, self.world)
    }

    fn check(&self, state: &str) -> Result<(), PinError> {
        self.grants.check().map_err(|source| PinError::Grant { state: state.to_owned(), source })?;
        if hex_of(&self.digest, "sha256").is_none() {
            return Err(PinError::Digest { state: state.to_owned(), digest: self.digest.clone() });
        }
        Ok(())
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.stage, self.version)
    }
}

/// Whether an execution is among so many of a hundred. A share that grows keeps those that it has.
fn one_of(purpose: &str, execution: &str, percent: u8) -> bool {
    let digest = Sha256::digest(format!("{purpose}\n{execution}"));
    let number = digest.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte));
    number % 100 < u32::from(percent)
}

#[cfg(test)]
#[path = "document_tests.rs"]
pub(crate) mod tests;
