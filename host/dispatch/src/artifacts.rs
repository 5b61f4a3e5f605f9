//! The compiled stages of a package. The Lambda has no compiler: it maps artifacts, after it has compared each with the
//! digest in the package's index.
//!
//! ```text
//! stages/index.json            the artifacts, their processor, the version that made them
//! stages/<blake3>.cwasm        native code of a component
//! ```
//!
//! Artifacts are named by BLAKE3, components by SHA-256. Artifacts are hashed in every cold start, and BLAKE3 takes one
//! millisecond for several megabytes where SHA-256 takes four.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stagehost_pins::Pin;
use stagehost_registry::blake3_of;
use stagehost_runtime::{LoadError, Stage, StageEngine, Target};

use crate::checked_file::{CheckedFile, FileError};
use crate::error::DispatchError;
use crate::loaded::LoadedStages;
use crate::stage_source::StageSource;

/// The file name of the index.
pub const INDEX: &str = "index.json";

/// The index of a folder of artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactIndex {
    /// The version of `stagehost` that compiled them. The host must have the same version.
    pub made_by: String,
    /// Their processor.
    pub target: Target,
    /// The artifacts by their components' digests.
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
    /// Returns the entry for a stage's compiled `code`.
    pub fn new(stage: &str, version: &str, code: &[u8]) -> Self {
        let digest = blake3_of(code);
        Self { stage: stage.to_owned(), version: version.to_owned(), digest, bytes: code.len() as u64 }
    }

    /// Returns the name of its file.
    pub fn file_name(&self) -> String {
        format!("{}.cwasm", self.digest.trim_start_matches("blake3:"))
    }
}

/// Why a folder of artifacts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The index cannot be read.
    #[error("cannot read {}: {reason}; `stagehost package` makes this folder", .place.display())]
    Unreadable {
        /// The index file.
        place: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The artifacts are for another processor or made by another version.
    #[error(
        "{} holds artifacts for {target} made by stagehost {made_by}, but this is {here} with {version}; run \
         `stagehost package --target {here}` of {version}",
        .place.display()
    )]
    Mismatch {
        /// The index file.
        place: PathBuf,
        /// The artifacts' processor.
        target: Target,
        /// The version that made them.
        made_by: String,
        /// This machine's processor.
        here: String,
        /// This host's version.
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
    /// Reads the index. Artifacts are mapped when they are first used.
    ///
    /// # Errors
    /// If the index cannot be read, or is for another processor or version.
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

    /// Returns whether the package has the pin's component.
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
        // Name and version are the pin's. They are not compared with the index, which has one entry for bytes that two
        // pins may name differently. The pin itself is trusted: it is signed, or in the package.
        let identity = pin.identity();
        // SAFETY: the bytes have the digest of the package's index, so they are what the release's publisher compiled.
        // The file that is mapped is the one that was hashed, even if its name belongs to another file by now.
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
        self.loaded.get_or_load(pin, async { self.load(pin) }).await
    }

    /// The package was deployed with the host, so what is in its index can be loaded.
    async fn check(&self, pin: &Pin) -> Result<(), DispatchError> {
        if self.has(pin) { Ok(()) } else { self.stage(pin).await.map(drop) }
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

    /// Returns a folder with an index of one artifact, whose file holds `bytes`.
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
    fn artifacts_for_another_processor_or_version_are_refused_and_the_error_names_the_command_that_makes_others() {
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
        let message = refusal(&folder, COMPONENT).await;
        assert!(message.contains("not the one in its index"), "{message}");
    }

    #[tokio::test]
    async fn bytes_that_are_not_an_artifact_are_refused_although_their_digest_is_right() {
        let folder = folder(Target::of_this_machine().unwrap(), HERE, b"native code");
        let message = refusal(&folder, COMPONENT).await;
        assert!(message.contains("cannot be mapped here") && message.contains("stagehost package"), "{message}");
    }

    #[tokio::test]
    async fn a_component_that_is_not_in_the_package_is_refused_and_the_packaged_ones_are_named() {
        let folder = folder(Target::of_this_machine().unwrap(), HERE, b"native code");
        let message = refusal(&folder, &COMPONENT.replace('0', "1")).await;
        assert!(
            message.contains("no artifact of the pinned digest sha256:1111") && message.contains("x 1.0.0"),
            "{message}"
        );
    }
}
