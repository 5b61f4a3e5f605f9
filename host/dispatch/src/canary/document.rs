//! The document in which all processes of a function count the runs of one canary.
//!
//! ```text
//! <state and candidate>.json      {"state": "GenerateThumbnails", "stage": "thumbnails", "version": "1.6.0", …,
//!                                  "canary": {"runs": 40, "defects": 12}, "pinned": {"runs": 760, "defects": 9}, …}
//! ```
//!
//! Its name follows from the state and the candidate: stage, version, digest, world, configuration, limits and grants. So a
//! canary keeps its health when its percentage or anything else in the pins changes, and another candidate has its own.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stagehost_pins::Pin;

use super::statistics::{is_worse, look_is_due, looks_after};
use super::tally::RunTally;

/// The health of one canary, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthDocument {
    /// The state; like stage, version and digest for people only.
    state: String,
    stage: String,
    version: String,
    digest: String,
    /// The runs of the canary.
    pub(crate) canary: RunTally,
    /// The runs of the pinned stage beside it.
    pub(crate) pinned: RunTally,
    /// How often the two have been compared.
    looks: u32,
    /// Whether the canary is given up. It stays so.
    pub(crate) given_up: bool,
    /// A random number of the write, so that no two writes have the same bytes.
    #[serde(default)]
    write: u64,
}

impl HealthDocument {
    /// Returns the document of a canary without any run.
    pub(crate) fn new(state: &str, pin: &Pin) -> Self {
        let Pin { stage, version, digest, .. } = pin.clone();
        Self { state: state.to_owned(), stage, version, digest, ..Self::default() }
    }

    /// Reads a stored document; `None` if it is not one. Anything in a bucket may be wrong, and a wrong document must not stop
    /// a canary or keep one running: it is replaced.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let document: Self = serde_json::from_slice(bytes).ok()?;
        (document.canary.is_possible() && document.pinned.is_possible()).then_some(document)
    }

    /// Returns the bytes of one write. They are like those of no other write, even of the same numbers, so that a process
    /// recognises its own.
    pub(crate) fn written_now(&self) -> Vec<u8> {
        // Each `RandomState` has other keys.
        let document = Self { write: RandomState::new().build_hasher().finish(), ..self.clone() };
        // Numbers and texts always have a JSON form.
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// Adds runs, and compares the two stages if it is time. `limit` is the pins' `abortAbovePercent`; without one no
    /// canary is given up.
    pub(crate) fn add(&mut self, canary: RunTally, pinned: RunTally, limit: Option<u8>) {
        self.canary = self.canary + canary;
        self.pinned = self.pinned + pinned;
        let Some(limit) = limit else { return };
        if look_is_due(self.looks, self.canary) {
            self.looks = looks_after(self.looks, self.canary);
            self.given_up |= is_worse(self.looks, self.canary, self.pinned, limit);
        }
    }

    /// Takes over the number of looks of another document, if that has more, so that no look is made twice.
    pub(crate) fn adopt_looks(&mut self, other: &Self) {
        self.looks = self.looks.max(other.looks);
    }
}

/// Returns the name of a canary's document.
pub(crate) fn name_of(state: &str, pin: &Pin) -> String {
    let candidate = serde_json::to_value(pin).map(sorted).unwrap_or_default();
    let digest = blake3::hash(format!("{state}\n{candidate}").as_bytes()).to_hex();
    format!("{}.json", &digest[..32])
}

/// Returns a value whose objects have their fields in order, so that equal pins have equal texts.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}
