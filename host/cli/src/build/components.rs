//! Components by digest, compiled once. The compiled artifacts are kept in the user's cache folder: compiling a stage takes
//! seconds, loading an artifact a millisecond.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use stagehost_dispatch::{DispatchError, StageSource};
use stagehost_pins::Pin;
use stagehost_runtime::{LoadError, Stage, StageEngine, StageIdentity, World, lock};
use tokio::sync::Mutex;

use super::artifact_folder::ArtifactFolder;
use crate::contract::{contract_checksum, fit};
use crate::exit::read_named;
use crate::output::printer::Printer;

/// Components by digest. They are in memory from the start, so that building a stage again does not disturb a running
/// server.
#[derive(Default)]
pub struct Components(HashMap<String, Arc<[u8]>>);

impl Components {
    /// Adds a component and returns its digest.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn add(&mut self, file: &Path) -> Result<String> {
        Ok(self.add_bytes(read_named("the component", file)?.into()))
    }

    /// Adds a component that has been read, and returns its digest.
    pub fn add_bytes(&mut self, bytes: Arc<[u8]>) -> String {
        let digest = StageIdentity::digest_of(&bytes);
        self.0.insert(digest.clone(), bytes);
        digest
    }

    /// Returns the component with this digest.
    pub fn get(&self, digest: &str) -> Option<&Arc<[u8]>> {
        self.0.get(digest)
    }
}

/// The components that pins may name, each compiled when it is first called.
pub struct ComponentStore {
    engine: StageEngine,
    components: std::sync::Mutex<Components>,
    artifacts: ArtifactFolder,
    loaded: Mutex<HashMap<(StageIdentity, World), Arc<Stage>>>,
    printer: Printer,
}

impl ComponentStore {
    /// Returns a store of these components.
    ///
    /// # Errors
    /// If there is no folder for compiled artifacts.
    pub fn new(engine: StageEngine, components: Components, printer: Printer) -> Result<Self> {
        let artifacts = ArtifactFolder::open()?;
        let components = std::sync::Mutex::new(components);
        Ok(Self { engine, components, artifacts, loaded: Mutex::new(HashMap::new()), printer })
    }

    /// Adds a component that later pins may name, and returns its digest.
    pub fn add(&self, bytes: Arc<[u8]>) -> String {
        lock(&self.components).add_bytes(bytes)
    }

    /// Returns the component with this digest.
    pub fn get(&self, digest: &str) -> Option<Arc<[u8]>> {
        lock(&self.components).get(digest).cloned()
    }

    fn load(&self, pin: &Pin) -> Result<Stage, DispatchError> {
        let refuse = |why: String| DispatchError::bad_stage(format!("stage {} {}: {why}", pin.stage, pin.version));
        let bytes = self
            .get(&pin.digest)
            .ok_or_else(|| refuse(format!("no component with the pinned digest {} is known here", pin.digest)))?;
        let identity = pin.identity();
        match compiled_before(&self.engine, &self.artifacts, &identity, pin.world) {
            Ok(Some(stage)) => return Ok(stage),
            Ok(None) => {}
            Err(error) => return Err(refuse(error.to_string())),
        }
        fit(&bytes, Some(pin.world)).and_then(|fit| fit.world()).map_err(|reason| refuse(format!("it {reason}")))?;
        let work = self.printer.begin(format!("compiling {} {}", pin.stage, pin.version));
        let compiled = self.engine.precompile(&bytes).map_err(|e| refuse(e.to_string()))?;
        work.done();
        let name = artifact_name(&self.engine, &pin.digest);
        let artifact = self.artifacts.store(&name, &compiled).map_err(|e| refuse(format!("{e:#}")))?;
        // SAFETY: the folder belongs to this user alone (see `ArtifactFolder`), and this engine's compiler has made the file.
        unsafe { Stage::load_precompiled(&self.engine, identity, pin.world, &artifact) }
            .map_err(|e| refuse(e.to_string()))
    }
}

#[async_trait]
impl StageSource for ComponentStore {
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        // Held while loading, so that two calls of one state do not compile it twice.
        let mut loaded = self.loaded.lock().await;
        let key = (pin.identity(), pin.world);
        if let Some(stage) = loaded.get(&key) {
            return Ok(stage.clone());
        }
        let stage = Arc::new(tokio::task::block_in_place(|| self.load(pin))?);
        loaded.insert(key, stage.clone());
        Ok(stage)
    }
}

/// Returns the name of a component's artifact. An artifact also says that the component's types are those of the contract, so
/// it counts for this contract only.
pub fn artifact_name(engine: &StageEngine, digest: &str) -> String {
    format!("{}-{}-{:08x}", digest.trim_start_matches("sha256:"), engine.compatibility(), contract_checksum())
}

/// Returns a stage whose component was compiled before; `None` if it was not, or its artifact is unusable.
///
/// # Errors
/// If the component does not fit the world.
pub fn compiled_before(
    engine: &StageEngine,
    artifacts: &ArtifactFolder,
    identity: &StageIdentity,
    world: World,
) -> Result<Option<Stage>, LoadError> {
    let Some(artifact) = artifacts.find(&artifact_name(engine, &identity.digest)) else { return Ok(None) };
    // SAFETY: the folder belongs to this user alone (see `ArtifactFolder`), and files in it are made whole, by this engine's
    // compiler.
    match unsafe { Stage::load_precompiled(engine, identity.clone(), world, &artifact) } {
        Ok(stage) => Ok(Some(stage)),
        Err(error @ LoadError::World { .. }) => Err(error),
        Err(error) => {
            // Left by a crash or another version; it is compiled again.
            tracing::warn!(%error, artifact = %artifact.display(), "a cached artifact is unusable");
            Ok(None)
        }
    }
}
