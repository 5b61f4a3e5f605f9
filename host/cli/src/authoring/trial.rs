//! A stage, called on files in memory: no AWS, no network, nothing written.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Asset, Batch, Failure, Id, Listing, ListingField, MediaType, PixelSize};
use stagehost_dispatch::StageSource as _;
use stagehost_pins::Pin;
use stagehost_runtime::capability::CallScope;
use stagehost_runtime::{
    BatchOutcome, CallEnd, CallInput, CallOutput, CallReport, CallRequest, Clocks, ClocksAndRandom, Fanout,
    FanoutRequest, Grants, Interception, Interceptor, Limits, Stage, StageEngine,
};
use stagehost_testing::MemoryHost;

use super::observed::{Observed, TriedCall};
use super::project::Project;
use super::world::world_of_project;
use crate::build::components::{ComponentStore, Components};
use crate::exit::read_named;
use crate::local::media_areas::media_type;
use crate::output::printer::Printer;
use crate::settings::state_defaults;

/// The day in the keys of uploaded files.
pub const DAY: &str = "2026-01-02";

/// When the execution began, and what a stage's clock shows: the same in every trial.
const STARTED_AT: &str = "2026-01-02T03:04:05Z";
const STARTED_AT_SECONDS: u64 = 1_767_323_045;

/// A stage that can be tried.
#[derive(Clone)]
pub struct TrialStage {
    stage: Arc<Stage>,
    /// The state that runs it.
    pub state: String,
}

/// One trial.
pub struct Trial {
    /// The files.
    pub batch: Batch,
    /// The stage's own settings.
    pub config: Map<String, Value>,
    /// Memory, time and quotas of a call.
    pub limits: Limits,
    /// Keys, hosts and tags.
    pub grants: Grants,
    /// Retries of the state so far.
    pub attempt: u32,
    /// What is behind the stage's imports.
    pub host: MemoryHost,
}

/// The result of a trial.
pub struct Tried {
    /// The batch with everything merged into it, or why the state failed.
    pub outcome: Result<BatchOutcome, Failure>,
    /// The calls, in the order in which they ended.
    pub calls: Vec<TriedCall>,
    /// The time of all calls together, as a person waits for it.
    pub took: Duration,
}

impl TrialStage {
    /// Loads a component, after compiling it if that has not been done before.
    ///
    /// # Errors
    /// If it cannot be read, does not fit the project's world, or cannot be compiled.
    pub async fn load(engine: &StageEngine, component: &Path, project: &Project, printer: &Printer) -> Result<Self> {
        let bytes = read_named("", component)?;
        // A world that is named is compared below, and only if that has not been done with these bytes before.
        let world = match project.world {
            Some(world) => world,
            None => world_of_project(project, component, &bytes)?,
        };
        let state = project.state.as_str();
        let mut components = Components::default();
        let digest = components.add_bytes(bytes.into());
        let name = component.file_stem().map_or_else(|| state.to_owned(), |name| name.to_string_lossy().into_owned());
        let pin = Pin {
            stage: name,
            version: "0.0.0-local".to_owned(),
            world,
            digest,
            config: Map::new(),
            limits: state_defaults::limits(state),
            grants: state_defaults::grants(state),
        };
        let store = ComponentStore::new(engine.clone(), components, printer.clone())?;
        let stage = store.stage(&pin).await.map_err(|error| {
            let more = "`stagehost stage build` and `stagehost stage check` say more";
            anyhow!("{}; {more}", error.error_message)
        })?;
        Ok(Self { stage, state: state.to_owned() })
    }

    /// Returns the loaded stage.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Calls the stage as the host would: with checks, limits and grants, and everything merged.
    pub async fn run(&self, trial: Trial) -> Tried {
        let mut batch = trial.batch;
        batch.recount();
        let execution = "arn:aws:states:us-east-1:000000000000:execution:trial:trial".to_owned();
        let call = CallRequest {
            scope: CallScope {
                state: self.state.clone(),
                execution,
                attempt: trial.attempt,
                task_token: Some("trial".to_owned()),
                batch: Arc::new(batch.clone()),
                provenance: Arc::new(self.stage.provenance()),
            },
            started_at: STARTED_AT.to_owned(),
            config: Value::Object(trial.config).to_string(),
            limits: trial.limits,
            grants: trial.grants,
            capabilities: trial.host.capabilities(),
            deadline: None,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = trial.limits.memory_mib.saturating_mul(u32::try_from(cores).unwrap_or(1));
        let fanout = Fanout::new(cores, memory).intercepted(Arc::new(SameTime));
        let observed = Arc::new(Observed::of(&self.state));
        let began = Instant::now();
        // A transient failure is recorded on its file, so that a person sees which one it was.
        let request = FanoutRequest { call, transient_fails: false };
        let outcome = fanout.run(self.stage.clone(), request, batch, observed.clone()).await;
        Tried { outcome, calls: observed.take(), took: began.elapsed() }
    }
}

/// Returns a batch without files, of listing 1.
pub fn empty_batch() -> Batch {
    let mut batch = Batch::new(Listing { id: Id::Number(1), field: ListingField::ListingId });
    batch.batch_id = Some(Id::Number(1));
    batch.job_id = Some(Id::Number(1));
    batch
}

/// Stores a file as an upload and returns it as the validate stage leaves it.
pub fn uploaded(host: &MemoryHost, name: &str, declared: Option<MediaType>, bytes: Vec<u8>) -> Asset {
    let probe = stage_probe::probe(&mut bytes.as_slice()).ok();
    let portrait = probe.as_ref().and_then(|probe| probe.pixels).is_some_and(|pixels| pixels.is_portrait());
    let kind = probe.as_ref().map(|probe| probe.format.kind());
    let media_type = declared.unwrap_or_else(|| media_type(kind, portrait));
    let mime = probe.as_ref().map_or("application/octet-stream", |probe| probe.format.mime());
    let key = format!("1/raw/{}/{DAY}/{name}", media_type.segment());
    let mut asset = Asset::new(key.clone(), media_type);
    asset.content_type = Some(mime.to_owned());
    asset.bytes = Some(bytes.len() as u64);
    asset.sha256 = Some(hex::encode(Sha256::digest(&bytes)));
    asset.crc32 = Some(crc32fast::hash(&bytes));
    asset.verified = true;
    if let Some(probe) = probe {
        asset.pixels = probe.pixels.map(|pixels| PixelSize { width: pixels.width, height: pixels.height });
        asset.orientation = Some(probe.orientation);
        asset.duration_ms = probe.duration_ms;
        asset.has_audio = probe.has_audio;
    }
    asset.etag = Some(host.put(&key, mime, None, bytes));
    asset
}

/// Shows every call the same time and the same random numbers, so that a trial can be repeated.
struct SameTime;

impl Interceptor for SameTime {
    fn intercept(&self, _: &Stage, request: &CallRequest, _: &CallInput) -> Option<Interception> {
        Some(Interception {
            capabilities: request.capabilities.clone(),
            clocks_and_random: Some(ClocksAndRandom { seed: [7; 32], clocks: Arc::new(Standing(Instant::now())) }),
            on_end: Box::new(NoHook),
        })
    }
}

/// A wall clock that stands still. The other one goes, so that a stage can wait.
struct Standing(Instant);

impl Clocks for Standing {
    fn wall(&self) -> Duration {
        Duration::from_secs(STARTED_AT_SECONDS)
    }

    fn monotonic(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

struct NoHook;

#[async_trait]
impl CallEnd for NoHook {
    async fn ended(self: Box<Self>, _: &Result<CallOutput, Failure>, _: &CallReport, _: Option<Instant>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_what_its_bytes_are() {
        let host = MemoryHost::default();
        let gif = b"GIF89a\x30\x00\x40\x00\x00\x00\x00\x2c\0\0\0\0\x30\x00\x40\x00\x00\x02\x00\x3b".to_vec();
        let asset = uploaded(&host, "a.gif", None, gif.clone());
        assert_eq!(asset.key, "1/raw/photo/vertical/2026-01-02/a.gif");
        assert_eq!(asset.content_type.as_deref(), Some("image/gif"));
        assert_eq!(host.object(&asset.key).map(|object| object.info.etag), asset.etag);
        assert!(asset.is_valid());
        let declared = uploaded(&host, "b.gif", Some(MediaType::ProjectRender), gif);
        assert_eq!(declared.key, "1/raw/project/render/2026-01-02/b.gif");
    }

    #[test]
    fn the_clock_shows_when_the_execution_began() {
        use time::format_description::well_known::Rfc3339;
        let began = time::OffsetDateTime::parse(STARTED_AT, &Rfc3339).map(time::OffsetDateTime::unix_timestamp);
        assert_eq!(began.ok(), i64::try_from(STARTED_AT_SECONDS).ok());
    }
}
