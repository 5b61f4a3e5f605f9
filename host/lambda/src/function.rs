//! The host, put together, and one event through it.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use serde_json::value::RawValue;
use stagehost_aws::Clients;
use stagehost_batch::{Case, Failure};
use stagehost_dispatch::{
    ArtifactCache, DEFAULT_CACHE_BYTES, DispatchError, Dispatcher, DispatcherParts, Executions, PackagedStages,
    RegistryStages, StageSource, Started, StateMachineExecutions, Trials,
};
use stagehost_pins::{FilePins, PinSource, PinStore, PinsEvent, PinsWatcher, StoredPins};
use stagehost_record::Shadow;
use stagehost_registry::Registry;
use stagehost_runtime::{Fanout, StageEngine};
use stagehost_storage::Location;
use stagehost_telemetry::{Telemetry, XRay, stdout};
use time::OffsetDateTime;

use crate::deadline::calls_end_at;
use crate::settings::{PinsPlace, Settings};

/// The cache of published stages, in the folder for temporary files.
const CACHE: &str = "stagehost-artifacts";

/// Where recorded calls go, in the media bucket. By the month: what they have in common is stored once, and expires for all of
/// them together.
fn records(now: OffsetDateTime) -> String {
    format!("pipeline/records/{}-{:02}", now.year(), u8::from(now.month()))
}

/// What lives from one invocation to the next.
pub struct Function {
    dispatcher: Dispatcher,
    telemetry: Arc<Telemetry>,
}

impl Function {
    /// Puts the host together. Nothing is asked of the network yet, and no stage is loaded.
    ///
    /// # Errors
    /// Names what is missing: an artifact index, a root certificate, …
    pub async fn start(settings: Settings) -> Result<Self> {
        let engine = StageEngine::new()?;
        let package = PackagedStages::open(engine.clone(), &settings.artifacts)?;
        let clients = Clients::from_env(settings.aws).await;
        let stages: Arc<dyn StageSource> = match settings.registry {
            None => Arc::new(package),
            Some(location) => {
                let registry = Registry::new(clients.storage(&location), settings.trusted.clone());
                let cache = ArtifactCache::open(std::env::temp_dir().join(CACHE), DEFAULT_CACHE_BYTES)?;
                Arc::new(RegistryStages::new(engine, Some(package), registry, cache))
            }
        };
        let executions: Arc<dyn Executions> = match settings.state_machine {
            Some(arn) => Arc::new(StateMachineExecutions::new(clients.states.clone(), arn)),
            None => Arc::new(NoStateMachine),
        };
        let xray = XRay::from_env().unwrap_or_else(|error| {
            tracing::warn!(%error, "no segments are sent");
            None
        });
        let telemetry = Arc::new(Telemetry::new(settings.environment, stdout).with_xray(xray));
        let watcher = watcher(telemetry.clone());
        let pins: Arc<dyn PinSource> = match settings.pins {
            PinsPlace::File(file) => Arc::new(FilePins::new(file, watcher.clone())),
            PinsPlace::Store(location) => {
                let store = PinStore::new(clients.storage(&location), settings.trusted);
                Arc::new(StoredPins::new(store, settings.pins_max_age, watcher.clone()))
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let capabilities = clients.capabilities().context("the host's capabilities")?;
        let media = |prefix: &str| {
            clients.storage(&Location::Bucket { bucket: clients.options().bucket.clone(), prefix: prefix.to_owned() })
        };
        // A candidate begins when the stage in service has ended, in the same memory.
        let shadow = Shadow::new(capabilities.objects.clone(), media(""), cores, settings.guest_memory_mib);
        let dispatcher = Dispatcher::new(DispatcherParts {
            pins,
            stages,
            capabilities,
            fanout: Fanout::new(cores, settings.guest_memory_mib),
            documents: clients.documents(),
            tickets: Arc::new(clients.tickets()),
            executions,
            visibility: clients.queues(),
            observer: telemetry.clone(),
            watcher,
            trials: Some(Trials::new(shadow, media(&records(OffsetDateTime::now_utc())))),
        });
        Ok(Self { dispatcher, telemetry })
    }

    /// One invocation.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Refusal> {
        let context = &event.context;
        let deadline = calls_end_at(context.deadline, SystemTime::now());
        self.telemetry.begin(context.xray_trace_id.as_deref());
        let answer = self.dispatcher.handle(event.payload.get().as_bytes(), Some(deadline)).await;
        self.telemetry.flush();
        answer.map_err(|error| {
            if error.error_type.starts_with("Host.") {
                self.telemetry.host_error(&error.error_type);
            }
            tracing::warn!(
                request = %context.request_id,
                failure = %error.error_type,
                error = %error.error_message,
                "the invocation failed"
            );
            Refusal(error)
        })
    }
}

/// What happens to pins goes to the log, and to the metric on which an alarm rings.
fn watcher(telemetry: Arc<Telemetry>) -> PinsWatcher {
    Arc::new(move |event| {
        event.log();
        match event {
            PinsEvent::InForce { .. } => {}
            PinsEvent::Refused { .. } => telemetry.host_error("PinsRefused"),
            PinsEvent::CanaryGivenUp { .. } => telemetry.host_error("CanaryGivenUp"),
        }
    })
}

/// A host whose environment names no state machine.
struct NoStateMachine;

#[async_trait]
impl Executions for NoStateMachine {
    async fn start(&self, _: &str, _: &Value) -> Result<Started, String> {
        Err("no execution can be started: STATE_MACHINE_ARN is not set".to_owned())
    }
}

/// The dispatcher's error, as the runtime API reports it: `errorType` is the stable name.
#[derive(Debug)]
pub struct Refusal(DispatchError);

impl Refusal {
    /// The invocation's task panicked: a defect of the host, which lives on.
    pub fn broken(error: &tokio::task::JoinError) -> Self {
        tracing::error!(%error, "a defect of the host");
        Self(Failure::new(Case::Internal, "a defect of the host; its log says more").into())
    }
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        Self { error_type: refusal.0.error_type, error_message: refusal.0.error_message }
    }
}
