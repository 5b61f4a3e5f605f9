//! The function: assembles the host and handles events.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use serde_json::value::RawValue;
use stagehost_aws::Clients;
use stagehost_batch::{Case, Failure, TraceParent};
use stagehost_dispatch::{
    ArtifactCache, DEFAULT_CACHE_BYTES, DispatchError, Dispatcher, DispatcherParts, Executions, JobAdmission,
    PackagedStages, RegistryStages, Sampler, StageSource, StartOutcome, StateMachineExecutions,
};
use stagehost_pins::{FilePins, Floor, PinSource, PinStore, PinsEvent, PinsWatcher, StoredPins};
use stagehost_record::Shadow;
use stagehost_registry::Registry;
use stagehost_runtime::{Fanout, StageEngine};
use stagehost_storage::Location;
use stagehost_telemetry::{LogLevel, Telemetry, XRay, stdout};
use time::OffsetDateTime;

use crate::deadline::calls_end_at;
use crate::settings::{PinsPlace, Settings};

/// The folder of the artifact cache, in the system's folder for temporary files.
const CACHE: &str = "stagehost-artifacts";

/// The prefix of the health of canaries in the media bucket.
const CANARIES: &str = "pipeline/canaries";

/// The prefix of the counts of tries that transient failures of files have failed.
const FAILED_TRIES: &str = "pipeline/tries";

/// Returns the prefix of recorded calls in the media bucket. There is one per month: bytes that records share are stored
/// once per month, and expire with all records of it.
fn records(now: OffsetDateTime) -> String {
    format!("pipeline/records/{}-{:02}", now.year(), u8::from(now.month()))
}

/// The host, which lives from one invocation to the next.
pub struct Function {
    dispatcher: Dispatcher,
    telemetry: Arc<Telemetry>,
}

impl Function {
    /// Assembles the host. Sends no request and loads no stage yet.
    ///
    /// # Errors
    /// If something is missing, such as the artifact index or root certificates.
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
        let level = LogLevel::from_lookup(|name| std::env::var(name).ok()).level;
        let telemetry =
            Arc::new(Telemetry::new(settings.environment.clone(), stdout).with_xray(xray).with_stage_log(level));
        let watcher = watcher(telemetry.clone());
        let pins: Arc<dyn PinSource> = match settings.pins {
            PinsPlace::File(file) => Arc::new(FilePins::new(file, watcher.clone())),
            PinsPlace::Store(location) => {
                let store =
                    PinStore::new(clients.storage(&location), settings.trusted).for_environment(&settings.environment);
                let floor = Floor::new(settings.pins_min_revision, clients.pins_floor());
                Arc::new(StoredPins::not_below(store, floor, settings.pins_max_age, watcher.clone()))
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let capabilities = clients.capabilities().context("the host's capabilities")?;
        let media = |prefix: &str| {
            clients.storage(&Location::Bucket { bucket: clients.options().bucket.clone(), prefix: prefix.to_owned() })
        };
        // A candidate runs after the stage in service has ended, so it can use the same memory.
        let shadow = Shadow::new(capabilities.objects.clone(), media(""), cores, settings.guest_memory_mib);
        let dispatcher = Dispatcher::new(DispatcherParts {
            pins,
            stages,
            capabilities,
            fanout: Fanout::new(cores, settings.guest_memory_mib),
            documents: clients.documents(),
            tickets: Arc::new(clients.tickets()),
            executions,
            admission: JobAdmission::new(settings.running_executions, settings.queue_consumers),
            visibility: clients.queues(),
            observer: Arc::new(()),
            watcher,
            canaries: Some(media(CANARIES)),
            failed_tries: Some(media(FAILED_TRIES)),
            sampler: Some(Sampler::new(shadow, media(&records(OffsetDateTime::now_utc())))),
        });
        Ok(Self { dispatcher, telemetry })
    }

    /// Handles one invocation. On Lambda Managed Instances several overlap.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Refusal> {
        let context = &event.context;
        let deadline = calls_end_at(context.deadline, SystemTime::now());
        let invocation = self.telemetry.invocation(context.xray_trace_id.as_deref());
        let payload = event.payload.get().as_bytes();
        let answer = self.dispatcher.handle_observed(payload, Some(deadline), invocation.clone()).await;
        invocation.end();
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

/// Returns a watcher that writes events of pins to the log and counts errors in the metric that has an alarm.
fn watcher(telemetry: Arc<Telemetry>) -> PinsWatcher {
    Arc::new(move |event| {
        event.log();
        match event {
            PinsEvent::InForce { .. } => {}
            PinsEvent::Refused { .. } => telemetry.host_error("PinsRefused"),
            PinsEvent::Late { .. } => telemetry.host_error("PinsLate"),
            PinsEvent::FellBack { .. } => telemetry.host_error("PinsFellBack"),
            PinsEvent::CanaryGivenUp { .. } => telemetry.host_error("CanaryGivenUp"),
        }
    })
}

/// The executions of a host without a state machine: starting one fails.
struct NoStateMachine;

#[async_trait]
impl Executions for NoStateMachine {
    async fn start(&self, _: &str, _: &Value, _: Option<&TraceParent>) -> Result<StartOutcome, String> {
        Err("no execution can be started: STATE_MACHINE_ARN is not set".to_owned())
    }
}

/// The dispatcher's error in the runtime API's form: `errorType` is the stable name.
#[derive(Debug)]
pub struct Refusal(DispatchError);

impl Refusal {
    /// Returns the error of an invocation whose task panicked. That is a defect of the host; the process goes on.
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
