//! The document `pins.json` and its rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use stagehost_registry::hex_of;
use stagehost_runtime::{Grants, Limits, StageIdentity, World};

use crate::batch_limits::BatchLimits;
use crate::error::PinError;

/// One revision of all pins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pins {
    /// The number of this revision. It grows with every change.
    pub revision: u64,
    /// The environment that these pins are for, such as `staging`; absent only in the pins of a package, which are not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who made this revision and why; absent in the pins of a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Limits of a whole batch.
    #[serde(default)]
    pub batch: BatchLimits,
    /// The pins by the names of the Step Functions states.
    pub states: BTreeMap<String, Pin>,
    /// Candidates that run for some executions, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub canaries: BTreeMap<String, Canary>,
    /// Candidates that repeat calls without effect and are compared with the pinned stage, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shadows: BTreeMap<String, Shadow>,
    /// The share of executions whose calls are recorded, in percent, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recordings: BTreeMap<String, u8>,
    /// Revisions that no execution may continue with, not even one that began with it.
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
    /// The reason that they gave.
    pub why: String,
    /// The revision that was in force before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// The earlier revision that a rollback restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
}

/// The stage of one state, with its configuration, limits and grants.
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
    /// Passed to the stage with every call.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Memory, time and quotas of a call.
    #[serde(default)]
    pub limits: Limits,
    /// Keys, hosts and tags that the stage may use.
    #[serde(default)]
    pub grants: Grants,
}

/// A candidate that runs for some executions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// The share of executions, 1 to 99 %.
    pub percent: u8,
    /// Hosts give up the candidate if the share of its runs that end in a defect is certainly higher than the pinned stage's,
    /// by more than this many percentage points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_above_percent: Option<u8>,
    /// The candidate.
    pub pin: Pin,
}

/// A candidate that repeats calls without effect; its results are compared and discarded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shadow {
    /// The share of executions, 1 to 100 %.
    pub percent: u8,
    /// The candidate.
    pub pin: Pin,
}

/// Which of a state's pins was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The pinned stage.
    Pinned,
    /// The canary.
    Canary,
}

/// The pin for one state of one execution.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The pin.
    pub pin: &'a Pin,
    /// Which of the state's pins it is.
    pub role: Role,
}

impl Pins {
    /// Returns these pins as a first revision.
    pub fn new(batch: BatchLimits, states: BTreeMap<String, Pin>) -> Self {
        Self {
            revision: 1,
            environment: None,
            change: None,
            batch,
            states,
            canaries: BTreeMap::new(),
            shadows: BTreeMap::new(),
            recordings: BTreeMap::new(),
            revoked: BTreeSet::new(),
        }
    }

    /// Reads and checks pins. `place` is named in errors.
    ///
    /// # Errors
    /// If the text is malformed, or breaks a rule of [`check`](Self::check).
    pub fn parse(text: &[u8], place: &str) -> Result<Self, PinError> {
        let pins: Pins = serde_json::from_slice(text)
            .map_err(|e| PinError::Invalid { place: place.to_owned(), reason: e.to_string() })?;
        pins.check()?;
        Ok(pins)
    }

    /// Reads revision, environment, change and revoked revisions of pins that break a rule. They pin nothing.
    ///
    /// # Errors
    /// If one of these four is malformed.
    pub(crate) fn outline(text: &[u8], place: &str) -> Result<Self, PinError> {
        #[derive(Deserialize)]
        struct Outline {
            revision: u64,
            environment: Option<String>,
            change: Option<Change>,
            #[serde(default)]
            revoked: BTreeSet<u64>,
        }
        let Outline { revision, environment, change, revoked } = serde_json::from_slice(text)
            .map_err(|e| PinError::Invalid { place: place.to_owned(), reason: e.to_string() })?;
        Ok(Self { revision, environment, change, revoked, ..Self::new(BatchLimits::default(), BTreeMap::new()) })
    }

    /// Checks the rules that the document's types do not express: digests, grants, shares, worlds of candidates.
    ///
    /// # Errors
    /// The first rule that is broken.
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

    /// Returns the pin for a state of an execution. The choice depends on the execution's name only, so that all tries of
    /// a state, and all states with canaries of the same share, agree.
    pub fn choose(&self, state: &str, execution: &str) -> Option<Choice<'_>> {
        let pin = self.states.get(state)?;
        Some(match self.canaries.get(state) {
            Some(canary) if is_in_share("canary", execution, canary.percent) => {
                Choice { pin: &canary.pin, role: Role::Canary }
            }
            _ => Choice { pin, role: Role::Pinned },
        })
    }

    /// Returns the state's pin, regardless of its canary.
    pub fn pinned_only(&self, state: &str) -> Option<Choice<'_>> {
        self.states.get(state).map(|pin| Choice { pin, role: Role::Pinned })
    }

    /// Returns the shadow that runs for a state of this execution.
    pub fn shadow(&self, state: &str, execution: &str) -> Option<&Pin> {
        let shadow = self.shadows.get(state)?;
        is_in_share("shadow", execution, shadow.percent).then_some(&shadow.pin)
    }

    /// Returns whether calls of a state are recorded in this execution.
    pub fn records(&self, state: &str, execution: &str) -> bool {
        self.recordings.get(state).is_some_and(|percent| is_in_share("recording", execution, *percent))
    }

    /// Returns every pin that a call may need, each with its state: pinned stages, canaries, shadows.
    pub fn pins(&self) -> impl Iterator<Item = (&str, &Pin)> {
        let pinned = self.states.iter().map(|(state, pin)| (state.as_str(), pin));
        let canaries = self.canaries.iter().map(|(state, canary)| (state.as_str(), &canary.pin));
        let shadows = self.shadows.iter().map(|(state, shadow)| (state.as_str(), &shadow.pin));
        pinned.chain(canaries).chain(shadows)
    }
}

impl Pin {
    /// Returns the identity of the stage.
    pub fn identity(&self) -> StageIdentity {
        StageIdentity { name: self.stage.clone(), version: self.version.clone(), digest: self.digest.clone() }
    }

    /// Returns whether both pins load the same code: the same stage, version and digest, in the same world.
    pub fn loads_same_code_as(&self, other: &Pin) -> bool {
        fn code(pin: &Pin) -> (&str, &str, &str, World) {
            (&pin.stage, &pin.version, &pin.digest, pin.world)
        }
        code(self) == code(other)
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

/// Returns the beginning of a digest, `sha256:` and 12 digits, as people are shown it.
pub fn short_digest(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}

/// Returns whether an execution is in a share of `percent`. A share that grows keeps the executions that it has.
fn is_in_share(purpose: &str, execution: &str, percent: u8) -> bool {
    let digest = Sha256::digest(format!("{purpose}\n{execution}"));
    let number = digest.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte));
    number % 100 < u32::from(percent)
}

#[cfg(test)]
#[path = "document_tests.rs"]
pub(crate) mod tests;
