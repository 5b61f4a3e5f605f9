//! Stages that were compiled before they came here. The Lambda has no compiler: it maps what the release's package
//! brought along, after the bytes have been compared with the digest in the package's index.
//!
//! ```text
//! stages/index.json            what there is, for which processor, made by which version
//! stages/<blake3>.cwasm        native code of a component
//! ```
//!
//! Artifacts are named by BLAKE3 and not, as components are, by SHA-256: they are hashed in every cold start, and several
//! megabytes of native code take one millisecond so instead of four.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stagehost_pins::Pin;
use stagehost_registry::blake3_of;
use stagehost_runtime::{LoadError, Stage, StageEngine, Target};

use crate::checked_file::{CheckedFile, FileError};
use crate::dispatcher::StageSource;
use crate::error::DispatchError;
use crate::loaded::{LoadedStages, identity};

/// The index's name in its folder.
pub const INDEX: &str = "index.json";

/// What a folder of artifacts holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactIndex {
    /// The version of `stagehost` that compiled them; the host must be the same one.
    pub made_by: String,
    /// For which processor.
    pub target: Target,
    /// By the digest of the component.
    pub artifacts: BTreeMap<String, Artifact>,
}

/// Native code of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifact {
    /// The stage's name, for people.
    pub stage: String,
    /// Its version, for people.
    pub version: String,
    /// `blake3:` and the lower-case hexadecimal digest of the artifact.
    pub digest: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Artifact {
    /// The entry for `code`, which was compiled for a stage.
    pub fn new(stage: &str, version: &str, code: &[u8]) -> Self {
        let digest = blake3_of(code);
        Self { stage: stage.to_owned(), version: version.to_owned(), digest, bytes: code.len() as u64 }
    }

    /// Its file's name.
    pub fn file_name(&self) -> String {
        format!("{}.cwasm", self.digest.trim_start_matches("blake3:"))
    }
}

/// Why a folder of artifacts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No index.
    #[error("cannot read {}: {reason}; `stagehost package` makes this folder", .place.display())]
    Unreadable {
        /// The index.
        place: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// For another processor or another version.
    #[error(
        "{} holds artifacts for {target} made by stagehost {made_by}, but this is {here} with {version}; run \
         `stagehost package --target {here}` of {version}",
        .place.display()
    )]
    Mismatch {
        /// The index.
        place: PathBuf,
        /// Its target.
        target: Target,
        /// Its maker.
        made_by: String,
        /// This machine.
        here: String,
        /// This host.
        version: &'static str,
    },
}

/// The stages of a folder of artifacts.
pub struct PackagedStages {
    engine: StageEngine,
    folder: PathBuf,
    index: ArtifactIndex,
    loaded: LoadedStages,
}

impl PackagedStages {
    /// Reads the index. Artifacts are mapped when they are first called for.
    ///
    /// # Errors
    /// [`ArtifactError`], when there is none or it is for another machine or host.
    pub fn open(engine: StageEngine, folder: impl Into<PathBuf>) -> Result<Self, ArtifactError> {
        let folder = folder.into();
        let place = folder.join(INDEX);
        let unreadable = |reason: String| ArtifactError::Unreadable { place: place.clone(), reason };
        let text = std::fs::read(&place).map_err(|e| unreadable(e.to_string()))?;
        let index: ArtifactIndex = serde_json::from_slice(&text).map_err(|e| unreadable(e.to_string()))?;
        let (here, version) = (Target::of_this_machine(), env!("CARGO_PKG_VERSION"));
        if here != Some(index.target) || index.made_by != version {
            return Err(ArtifactError::Mismatch {
                place,
                target: index.target,
                made_by: index.made_by,
                here: here.map_or_else(|| std::env::consts::ARCH.to_owned(), |target| target.to_string()),
                version,
            });
        }
        Ok(Self { engine, folder, index, loaded: LoadedStages::default() })
    }

    /// Whether the pin's component was packaged.
    pub(crate) fn has(&self, pin: &Pin) -> bool {
        self.index.artifacts.contains_key(&pin.digest)
    }

    pub(crate) fn load(&self, pin: &Pin) -> Result<Stage, DispatchError> {
        let refuse = |why: String| DispatchError::bad_stage(format!("stage {} {}: {why}", pin.stage, pin.version));
        let artifact = self.index.artifacts.get(&pin.digest).ok_or_else(|| {
            let known: Vec<_> = self.index.artifacts.values().map(|a| format!("{} {}", a.stage, a.version)).collect();
            refuse(format!(
                "no artifact of the pinned digest {} is in {}, which has {}",
                pin.digest,
                self.folder.display(),
                known.join(", ")
            ))
        })?;
        let path = self.folder.join(artifact.file_name());
        let file = CheckedFile::open(&path, &artifact.digest).map_err(|error| match error {
            FileError::Digest { path, found, .. } => {
                refuse(format!("{} has the digest {found}, not the one in its index", path.display()))
            }
            error => refuse(error.to_string()),
        })?;
        // Name and version are the pin's, and not compared with the index: whoever made the pin is trusted (it is in the
        // package, or signed), the digest alone says which code runs, and the index has one entry for bytes that a package
        // may pin under two names. Every host with this package says the same.
        let identity = identity(pin);
        // SAFETY: these are the bytes which the release's publisher compiled: they have the digest of its index, and
        // what is mapped is the very file that was read, whatever its name stands for by now.
        unsafe { Stage::load_precompiled(&self.engine, identity, pin.world, &file.same_file()) }.map_err(|error| {
            match error {
                LoadError::World { .. } => refuse(error.to_string()),
                LoadError::Component { reason, .. } => refuse(format!(
                    "its artifact cannot be mapped here ({reason}); run `stagehost package --target {}` again",
                    self.index.target
                )),
            }
        })
    }
}

#[async_trait]
impl StageSource for PackagedStages {
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        // A few milliseconds, once.
        self.loaded.get_or_load(pin, async { self.load(pin) }).await
    }

    fn retain(&self, digests: &HashSet<String>) {
        self.loaded.retain(digests);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const COMPONENT: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    /// A folder with one artifact, of which the file holds `bytes`.
    fn folder(target: Target, made_by: &str, bytes: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let artifact = Artifact::new("x", "1.0.0", b"native code");
        std::fs::write(folder.path().join(artifact.file_name()), bytes).unwrap();
        let artifacts = BTreeMap::from([(COMPONENT.to_owned(), artifact)]);
        let index = ArtifactIndex { made_by: made_by.to_owned(), target, artifacts };
        std::fs::write(folder.path().join(INDEX), serde_json::to_vec(&index).unwrap()).unwrap();
        folder
    }

    fn open(folder: &tempfile::TempDir) -> Result<PackagedStages, ArtifactError> {
        PackagedStages::open(StageEngine::new().unwrap(), folder.path())
    }

    async fn refusal(folder: &tempfile::TempDir, digest: &str) -> String {
        let pin = json!({"stage": "x", "version": "1.0.0", "world": "custom", "digest": digest});
        let error = open(folder).unwrap().stage(&serde_json::from_value(pin).unwrap()).await.unwrap_err();
        assert_eq!(error.error_type, "Host.BadStage");
        error.error_message
    }

    const HERE: &str = env!("CARGO_PKG_VERSION");

    #[test]
    fn artifacts_for_another_processor_or_by_another_version_are_refused_with_the_command_that_makes_the_right_ones() {
        let here = Target::of_this_machine().unwrap();
        let other = Target::ALL.into_iter().find(|target| *target != here).unwrap();
        for folder in [folder(other, HERE, b""), folder(here, "0.0.1", b"")] {
            let error = open(&folder).err().unwrap().to_string();
            assert!(error.contains(&format!("stagehost package --target {here}")), "{error}");
        }
        let error = open(&tempfile::tempdir().unwrap()).err().unwrap().to_string();
        assert!(error.contains("index.json") && error.contains("stagehost package"), "{error}");
    }

    #[tokio::test]
    async fn an_artifact_with_a_flipped_byte_is_refused_before_it_is_mapped() {
        let folder = folder(Target::of_this_machine().unwrap(), HERE, b"native c\x6fde!");
        let said = refusal(&folder, COMPONENT).await;
        assert!(said.contains("not the one in its index"), "{said}");
    }

    #[tokio::test]
    async fn bytes_that_are_no_artifact_are_refused_although_their_digest_is_right() {
        let folder = folder(Target::of_this_machine().unwrap(), HERE, b"native code");
        let said = refusal(&folder, COMPONENT).await;
        assert!(said.contains("cannot be mapped here") && said.contains("stagehost package"), "{said}");
    }

    #[tokio::test]
    async fn a_component_that_was_not_packaged_is_refused_and_what_there_is_is_named() {
        let folder = folder(Target::of_this_machine().unwrap(), HERE, b"native code");
        let said = refusal(&folder, &COMPONENT.replace('0', "1")).await;
        assert!(said.contains("no artifact of the pinned digest sha256:1111") && said.contains("x 1.0.0"), "{said}");
    }
}
