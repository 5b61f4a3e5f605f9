//! Pins: which exact bytes run for which state, with which configuration, limits and grants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stagehost_runtime::{GrantError, Grants, Limits, World};

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

/// Pins in a local file, read again when the file changes.
pub struct FilePins {
    path: PathBuf,
    cached: Mutex<Option<(SystemTime, Arc<Pins>)>>,
}

impl FilePins {
    /// Follows the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cached: Mutex::new(None) }
    }

    fn read(path: &Path) -> Result<(SystemTime, Pins), PinError> {
        let place = path.display().to_string();
        let unreadable = |e: std::io::Error| PinError::Unreadable { place: place.clone(), reason: e.to_string() };
        let changed = path.metadata().and_then(|m| m.modified()).map_err(unreadable)?;
        let text = std::fs::read(path).map_err(unreadable)?;
        Ok((changed, Pins::parse(&text, &place)?))
    }
}

#[async_trait]
impl PinSource for FilePins {
    async fn current(&self) -> Result<Arc<Pins>, PinError> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = self.path.metadata().and_then(|m| m.modified()).ok();
        if let Some((then, pins)) = cached.as_ref()
            && changed == Some(*then)
        {
            return Ok(pins.clone());
        }
        match (Self::read(&self.path), cached.as_ref()) {
            (Ok((changed, pins)), _) => {
                let pins = Arc::new(pins);
                *cached = Some((changed, pins.clone()));
                Ok(pins)
            }
            // A bad revision is refused; the last good one serves on.
            (Err(error), Some((_, last))) => {
                tracing::error!(%error, revision = last.revision, "pins refused; the last good revision serves on");
                Ok(last.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    fn text(revision: u64, digest: &str, prefix: &str) -> String {
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

    #[tokio::test]
    async fn a_bad_revision_is_refused_while_the_last_good_one_serves_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins.json");
        let pins = FilePins::new(&path);
        assert!(matches!(pins.current().await, Err(PinError::Unreadable { .. })));
        let write = |text: &str, second: u64| {
            std::fs::write(&path, text).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        };
        write(&text(1, DIGEST, "{listingId}/"), 1);
        assert_eq!(pins.current().await.unwrap().revision, 1);
        write("{", 2);
        assert_eq!(pins.current().await.unwrap().revision, 1);
        write(&text(3, DIGEST, "{listingId}/"), 3);
        assert_eq!(pins.current().await.unwrap().revision, 3);
    }
}
