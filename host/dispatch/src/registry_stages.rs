//! Stages from three places: the package that was deployed with the host, this machine's cache, the registry.
//!
//! The package is trusted like the host itself. Everything else must be signed by a trusted key for exactly the stage,
//! version, digest and world that the pin names, and for this processor and engine.

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
use crate::error::DispatchError;
use crate::loaded::LoadedStages;
use crate::stage_source::StageSource;

/// Why an artifact could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("its code can be stored neither in the cache ({error}) nor in memory ({memory})")]
    NotStored { error: CacheError, memory: std::io::Error },
}

impl FetchError {
    /// Returns whether a retry may succeed: the store may answer, or the disk may have room again.
    fn is_transient(&self) -> bool {
        matches!(self, Self::Registry(RegistryError::Storage(_)) | Self::NotStored { .. })
    }
}

/// The stages of a package and of a registry.
pub struct RegistryStages {
    engine: StageEngine,
    package: Option<PackagedStages>,
    registry: Registry,
    cache: ArtifactCache,
    loaded: LoadedStages,
}

impl RegistryStages {
    /// Returns a source that looks into the package first, then the cache, then the registry. Reads nothing yet.
    pub fn new(engine: StageEngine, package: Option<PackagedStages>, registry: Registry, cache: ArtifactCache) -> Self {
        Self { engine, package, registry, cache, loaded: LoadedStages::default() }
    }

    async fn load(&self, pin: &Pin) -> Result<Stage, DispatchError> {
        if let Some(package) = self.package.as_ref().filter(|package| package.has(pin)) {
            return package.load(pin);
        }
        let refuse = |why: String| DispatchError::bad_stage(format!("stage {} {}: {why}", pin.stage, pin.version));
        let Some(target) = Target::of_this_machine() else {
            let here = std::env::consts::ARCH;
            return Err(refuse(format!("there are no artifacts for {here}, only for Lambda's processors")));
        };
        let id = StageId::new(&pin.stage, &pin.version).map_err(|error| refuse(error.to_string()))?;
        let wanted = Wanted { id, digest: pin.digest.clone(), world: pin.world };
        let file = match self.cached(&wanted, target) {
            Some(file) => file,
            None => self.fetched(&wanted, target).await.map_err(|error| {
                let message = format!("stage {}: {error}", wanted.id);
                if error.is_transient() {
                    Failure::new(Case::Transient, message).into()
                } else {
                    DispatchError::bad_stage(message)
                }
            })?,
        };
        let identity = pin.identity();
        // SAFETY: a trusted key has signed that this host's compiler made these bytes from the pinned component. The file
        // that is mapped is the one whose digest was checked, and only this user can write to it.
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

    /// Returns the artifact from the cache. The cache is not trusted: signatures and digest are checked again.
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
            tracing::warn!(stage = %wanted.id, %error, "the cached artifact is invalid; fetching it from the registry");
            None
        })
    }

    async fn fetched(&self, wanted: &Wanted, target: Target) -> Result<CheckedFile, FetchError> {
        let resolved = self.registry.resolve(wanted, target).await?;
        let code = self.registry.artifact(&resolved.artifact).await?;
        let (manifest, record) = statements(wanted, target);
        let file = self.cache.put(&resolved.artifact.code, &code).or_else(|error| {
            tracing::warn!(stage = %wanted.id, %error, "the artifact cannot be cached; it is mapped from memory");
            CheckedFile::in_memory(&code).map_err(|memory| FetchError::NotStored { error, memory })
        })?;
        self.cache.put_statement(&manifest, &resolved.manifest);
        self.cache.put_statement(&record, &resolved.record);
        tracing::info!(stage = %wanted.id, digest = wanted.digest, bytes = code.len(), "fetched from the registry");
        Ok(file)
    }
}

#[async_trait]
impl StageSource for RegistryStages {
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        self.loaded.get_or_load(pin, self.load(pin)).await
    }

    /// The package was deployed with the host, so what is in its index can be loaded.
    async fn check(&self, pin: &Pin) -> Result<(), DispatchError> {
        if self.package.as_ref().is_some_and(|package| package.has(pin)) {
            return Ok(());
        }
        self.stage(pin).await.map(drop)
    }

    fn retain(&self, digests: &HashSet<String>) {
        self.loaded.retain(digests);
    }
}

/// Returns the names of the manifest and the artifact record in the cache.
fn statements(wanted: &Wanted, target: Target) -> (String, String) {
    let component = wanted.digest.trim_start_matches("sha256:");
    (wanted.id.to_string(), format!("{component}-{target}-{ENGINE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_retryable_and_a_wrong_digest_is_not() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = CacheError::Io { path: "x".into(), source: full() };
        assert!(FetchError::NotStored { error, memory: full() }.is_transient());
        let changed = RegistryError::Digest { place: "x".into(), found: "blake3:0".into() };
        assert!(!FetchError::from(changed).is_transient());
    }
}
