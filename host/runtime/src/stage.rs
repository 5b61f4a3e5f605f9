//! A loaded component: checked against its world, linked to exactly the imports that the world grants, ready to be
//! instantiated.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime_wasi::p2::bindings::io::poll;

use crate::bindings::exports::toq::media::{asset_stage, batch_stage};
use crate::bindings::toq::media;
use crate::capability::Provenance;
use crate::engine::StageEngine;
use crate::host::poll::HasWaits;
use crate::host::state::CallState;
use crate::world::{Export, Finding, Names, World, check};

/// A stage's name and version, and the exact bytes that run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StageIdentity {
    /// `thumbnails`
    pub name: String,
    /// `1.4.0`
    pub version: String,
    /// `sha256:` and the lower-case hexadecimal digest of the component.
    pub digest: String,
}

impl StageIdentity {
    /// Returns the digest of a component's bytes, as pins and documents write it.
    pub fn digest_of(component: &[u8]) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(component)))
    }
}

/// Why a component cannot be loaded as a stage.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not a component, or not one that this engine can run.
    #[error("the stage {stage} cannot be loaded: {reason}")]
    Component {
        /// The stage's name.
        stage: String,
        /// wasmtime's message.
        reason: String,
    },
    /// It does not fit its world.
    #[error("the stage {stage} does not fit the world {world}: {}", list(.findings))]
    World {
        /// The stage's name.
        stage: String,
        /// The world that its pin names.
        world: World,
        /// All mismatches.
        findings: Vec<Finding>,
    },
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A stage that can be called.
pub struct Stage {
    engine: StageEngine,
    identity: Arc<StageIdentity>,
    world: World,
    pre: InstancePre<CallState>,
    exports: Exports,
}

enum Exports {
    Asset(asset_stage::GuestIndices),
    Batch(batch_stage::GuestIndices),
}

/// An instance of a stage, by kind.
pub(crate) enum Instance {
    Asset(asset_stage::Guest),
    Batch(batch_stage::Guest),
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("identity", &self.identity).field("world", &self.world).finish_non_exhaustive()
    }
}

impl Stage {
    /// Compiles and loads a component. A large one takes seconds.
    ///
    /// # Errors
    /// If the bytes are not a component, or it does not fit the world.
    #[cfg(feature = "compiler")]
    pub fn compile(
        engine: &StageEngine,
        identity: StageIdentity,
        world: World,
        bytes: &[u8],
    ) -> Result<Self, LoadError> {
        let names = crate::world::names_of(bytes)
            .map_err(|reason| LoadError::Component { stage: identity.name.clone(), reason })?;
        check_world(&identity, world, &names)?;
        let component = Component::from_binary(engine.wasmtime(), bytes)
            .map_err(|e| LoadError::Component { stage: identity.name.clone(), reason: format!("{e:#}") })?;
        Self::link(engine, identity, world, &component)
    }

    /// Returns the compiled component, for [`Stage::load_precompiled`], as [`StageEngine::precompile`] does.
    ///
    /// # Errors
    /// If there is no memory for it.
    #[cfg(feature = "compiler")]
    pub fn artifact(&self) -> Result<Vec<u8>, LoadError> {
        let kept = self.pre.component().serialize();
        kept.map_err(|e| LoadError::Component { stage: self.identity.name.clone(), reason: format!("{e:#}") })
    }

    /// Maps a component that was compiled ahead of time.
    ///
    /// # Errors
    /// If the artifact is for another engine, or the component does not fit the world.
    ///
    /// # Safety
    /// The file is native code and will be run. It must have been made by [`StageEngine::precompile`] or
    /// [`Stage::artifact`] and be unchanged since: the caller must check its digest and keep others from writing to it.
    pub unsafe fn load_precompiled(
        engine: &StageEngine,
        identity: StageIdentity,
        world: World,
        artifact: &Path,
    ) -> Result<Self, LoadError> {
        // SAFETY: required of the caller, see above.
        let component = unsafe { Component::deserialize_file(engine.wasmtime(), artifact) }
            .map_err(|e| LoadError::Component { stage: identity.name.clone(), reason: format!("{e:#}") })?;
        Self::link(engine, identity, world, &component)
    }

    fn link(
        engine: &StageEngine,
        identity: StageIdentity,
        world: World,
        component: &Component,
    ) -> Result<Self, LoadError> {
        let kind = component.component_type();
        let names = Names {
            imports: kind.imports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect(),
            exports: kind.exports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect(),
        };
        check_world(&identity, world, &names)?;
        let broken =
            |e: wasmtime::Error| LoadError::Component { stage: identity.name.clone(), reason: format!("{e:#}") };
        let linker = linker(engine, world).map_err(broken)?;
        let pre = linker.instantiate_pre(component).map_err(broken)?;
        let exports = match world.export() {
            Export::AssetStage => Exports::Asset(asset_stage::GuestIndices::new(&pre).map_err(broken)?),
            Export::BatchStage => Exports::Batch(batch_stage::GuestIndices::new(&pre).map_err(broken)?),
        };
        Ok(Self { engine: engine.clone(), identity: Arc::new(identity), world, pre, exports })
    }

    /// Returns the stage's name, version and digest.
    pub fn identity(&self) -> &Arc<StageIdentity> {
        &self.identity
    }

    /// Returns what objects that this stage writes say about it.
    pub fn provenance(&self) -> Provenance {
        let StageIdentity { name, version, digest } = StageIdentity::clone(&self.identity);
        Provenance { stage: name, version, digest }
    }

    /// Returns the world that the component was checked against.
    pub fn world(&self) -> World {
        self.world
    }

    pub(crate) fn engine(&self) -> &StageEngine {
        &self.engine
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<CallState>) -> wasmtime::Result<Instance> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        Ok(match &self.exports {
            Exports::Asset(indices) => Instance::Asset(indices.load(store, &instance)?),
            Exports::Batch(indices) => Instance::Batch(indices.load(store, &instance)?),
        })
    }
}

fn check_world(identity: &StageIdentity, world: World, names: &Names) -> Result<(), LoadError> {
    let findings = check(names, world);
    if findings.is_empty() {
        return Ok(());
    }
    Err(LoadError::World { stage: identity.name.clone(), world, findings })
}

/// Links the interfaces that the world grants and no others, so that a gap in the check by name grants nothing.
fn linker(engine: &StageEngine, world: World) -> wasmtime::Result<Linker<CallState>> {
    type Host = HasSelf<CallState>;
    let mut linker = Linker::new(engine.wasmtime());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    poll::add_to_linker::<_, HasWaits>(&mut linker, CallState::waits)?;
    linker.allow_shadowing(false);
    media::types::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    for interface in world.imports() {
        match *interface {
            "call" => media::call::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "log" => media::log::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "metrics" => media::metrics::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "progress" => media::progress::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "keys" => media::keys::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "objects" => media::objects::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "object-writer" => media::object_writer::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "own-objects" => media::own_objects::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "tags" => media::tags::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "transcoder" => media::transcoder::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "webhook" => media::webhook::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            "http" => media::http::add_to_linker::<_, Host>(&mut linker, |state| state)?,
            other => return Err(wasmtime::format_err!("the world {world} names the unknown interface {other}")),
        }
    }
    Ok(linker)
}
