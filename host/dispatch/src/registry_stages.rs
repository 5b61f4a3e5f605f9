//! Stages wherever they are: in the package that was deployed with the host, in this machine's cache, in the registry.
//!
//! What is in the package is trusted as the host itself is. Everything else was signed by a key that the host was told to
//! trust, for exactly the stage, version, digest and world that the pin names, and for this processor and engine.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use stagehost_batch::{Case, Failure};
use stagehost_pins::Pin;
use stagehost_registry::{ArtifactRecord, Manifest, Registry, RegistryError, StageId, Wanted};
use stagehost_runtime::{ENGINE, LoadError, Stage, StageEngine, Target};

use crate::artifact_cache::{ArtifactCache, CacheError};
use crate::artifacts::PackagedStages;
use crate::checked_file::CheckedFile;
use crate::dispatcher::StageSource;
use crate::error::DispatchError;
use crate::loaded::{LoadedStages, identity};

/// Why there is nothing to map.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("its code cannot be kept: {error}; nor in memory: {memory}")]
    Unkept { error: CacheError, memory: std::io::Error },
}

impl FetchError {
    /// Whether the next try may succeed: the store may answer, the disk may have room, another machine may be asked.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Registry(RegistryError::Storage(_)) | Self::Unkept { .. })
    }
}

/// The stages of a package, and all that are published in a registry.
pub struct RegistryStages {
    engine: StageEngine,
    package: Option<PackagedStages>,
    registry: Registry,
    cache: ArtifactCache,
    loaded: LoadedStages,
}

impl RegistryStages {
    /// Looks into the package first, then into the cache, then into the registry. Nothing is read yet.
    pub fn new(engine: StageEngine, package: Option<PackagedStages>, registry: Registry, cache: ArtifactCache) -> Self {
        Self { engine, package, registry, cache, loaded: LoadedStages::default() }
    }

    async fn load(&self, pin: &Pin) -> Result<Stage, DispatchError> {
        if let Some(package) = self.package.as_ref().filter(|package| package.has(pin)) {
            return package.load(pin);
        }
        let refuse = |why: String| DispatchError::bad_stage(format!("stage {} {}: {why}", pin.stage, pin.version));
        let Some(target) = Target::of_this_machine() else {
            return Err(refuse(format!(
                "nothing is compiled for {}, which Lambda has none of",
                std::env::consts::ARCH
            )));
        };
        let id = StageId::new(&pin.stage, &pin.version).map_err(|error| refuse(error.to_string()))?;
        let wanted = Wanted { id, digest: pin.digest.clone(), world: pin.world };
        let file = match self.cached(&wanted, target) {
            Some(file) => file,
            None => self.fetched(&wanted, target).await.map_err(|error| {
                let said = format!("stage {}: {error}", wanted.id);
                if error.may_pass() {
                    Failure::new(Case::Transient, said).into()
                } else {
                    DispatchError::bad_stage(said)
                }
            })?,
        };
        let identity = identity(pin);
        // SAFETY: a trusted key has signed that this host's compiler made these bytes from the pinned component, and
        // what is mapped is the very file that was compared with the digest. Only this user can write to it.
        unsafe { Stage::load_precompiled(&self.engine, identity, pin.world, &file.same_file()) }.map_err(|error| {
            match error {
                LoadError::World { .. } => refuse(error.to_string()),
                LoadError::Component { reason, .. } => refuse(format!(
                    "its artifact {} cannot be mapped here ({reason}); its label {target}-{ENGINE} is wrong",
                    file.path().display()
                )),
            }
        })
    }

    /// From the cache, which is believed no more than a bucket: the signatures and the digest are checked again.
    fn cached(&self, wanted: &Wanted, target: Target) -> Option<CheckedFile> {
        let (manifest, record) = statements(wanted, target);
        let (manifest_text, record_text) = (self.cache.statement(&manifest)?, self.cache.statement(&record)?);
        let trusted = self.registry.trusted();
        let checked = Manifest::open(&manifest_text, &manifest, &wanted.id, trusted)
            .and_then(|manifest| manifest.serves(wanted))
            .and_then(|()| ArtifactRecord::open(&record_text, &record, &wanted.digest, (target, ENGINE), trusted));
        let file = checked
            .map_err(|error| error.to_string())
            .and_then(|artifact| self.cache.get(&artifact.code).map_err(|error| error.to_string()));
        file.unwrap_or_else(|error| {
            tracing::warn!(stage = %wanted.id, %error, "the cache is wrong; the registry is asked");
            None
        })
    }

    async fn fetched(&self, wanted: &Wanted, target: Target) -> Result<CheckedFile, FetchError> {
        let resolved = self.registry.resolve(wanted, target).await?;
        let code = self.registry.artifact(&resolved.artifact).await?;
        let (manifest, record) = statements(wanted, target);
        let file = self.cache.put(&resolved.artifact.code, &code).or_else(|error| {
            // The code is good, whatever is wrong with the disk.
            tracing::warn!(stage = %wanted.id, %error, "the code is not kept; it runs from memory");
            CheckedFile::in_memory(&code).map_err(|memory| FetchError::Unkept { error, memory })
        })?;
        self.cache.keep_statement(&manifest, &resolved.manifest);
        self.cache.keep_statement(&record, &resolved.record);
        tracing::info!(stage = %wanted.id, digest = wanted.digest, bytes = code.len(), "fetched from the registry");
        Ok(file)
    }
}

#[async_trait]
impl StageSource for RegistryStages {
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        self.loaded.get_or_load(pin, self.load(pin)).await
    }

    fn retain(&self, digests: &HashSet<String>) {
        self.loaded.retain(digests);
    }
}

/// What the two signed texts are called in the cache.
fn statements(wanted: &Wanted, target: Target) -> (String, String) {
    let component = wanted.digest.trim_start_matches("sha256:");
    (wanted.id.to_string(), format!("{component}-{target}-{ENGINE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_may_have_room_again_but_a_wrong_signature_stays_wrong() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let unkept = FetchError::Unkept { error: CacheError::Io { path: "x".into(), source: full() }, memory: full() };
        assert!(unkept.may_pass());
        let changed = RegistryError::Digest { place: "x".into(), found: "blake3:0".into() };
        assert!(!FetchError::from(changed).may_pass());
    }
}
