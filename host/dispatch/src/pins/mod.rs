//! Pins: which exact bytes run for which state, with which configuration, limits and grants.

mod file;
mod object;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stagehost_runtime::{GrantError, Grants, Limits, World};

pub use file::FilePins;
pub use object::ObjectPins;

use crate::limits::BatchLimits;

/// One revision of all pins: the content of `pins.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pins {
    /// Counts up with every change.
    pub revision: u64,
    /// What a batch may hold.
    #[serde(default)]
    pub batch: BatchLimits,
    /// By the name of the Step Functions state.
    pub states: BTreeMap<String, Pin>,
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
    /// They are not pins.
    #[error("the pins at {place} are not valid: {reason}")]
    Invalid {
        /// File or object.
        place: String,
        /// What is wrong, and where.
        reason: String,
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
}

impl Pins {
    /// Reads and checks pins; `place` is for the errors.
    ///
    /// # Errors
    /// If the text is not JSON of this shape, or a pin makes no sense.
    pub fn parse(text: &[u8], place: &str) -> Result<Self, PinError> {
        let pins: Pins = serde_json::from_slice(text)
            .map_err(|e| PinError::Invalid { place: place.to_owned(), reason: e.to_string() })?;
        for (state, pin) in &pins.states {
            pin.grants.check().map_err(|source| PinError::Grant { state: state.clone(), source })?;
            let digest = pin.digest.strip_prefix("sha256:").unwrap_or("");
            if digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(PinError::Digest { state: state.clone(), digest: pin.digest.clone() });
            }
        }
        Ok(pins)
    }
}

/// Where pins come from. Asked on every call, so an implementation caches.
#[async_trait]
pub trait PinSource: Send + Sync + 'static {
    /// The pins in force.
    async fn current(&self) -> Result<Arc<Pins>, PinError>;
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(super) const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    pub(super) fn text(revision: u64, digest: &str, prefix: &str) -> String {
        format!(
            r#"{{"revision":{revision},"states":{{"X":{{"stage":"x","version":"1.0.0","world":"custom","digest":"{digest}",
            "grants":{{"read":["{prefix}"]}}}}}}}}"#
        )
    }

    #[test]
    fn a_pin_must_name_exact_bytes() {
        assert!(Pins::parse(text(1, DIGEST, "{listingId}/").as_bytes(), "t").is_ok());
        let error = Pins::parse(text(1, "latest", "{listingId}/").as_bytes(), "t").unwrap_err();
        assert!(error.to_string().contains("latest"), "{error}");
    }

    #[test]
    fn a_grant_of_everything_is_refused() {
        assert!(matches!(Pins::parse(text(1, DIGEST, "").as_bytes(), "t"), Err(PinError::Grant { .. })));
    }
}
