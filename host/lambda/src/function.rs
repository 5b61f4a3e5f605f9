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
    DispatchError, Dispatcher, DispatcherParts, Executions, FilePins, ObjectPins, PackagedStages, PinSource, Started,
    StateMachineExecutions,
};
use stagehost_runtime::{Fanout, StageEngine};
use stagehost_telemetry::{Telemetry, XRay, stdout};

use crate::deadline::calls_end_at;
use crate::settings::{PinsPlace, Settings};

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
        let stages = PackagedStages::open(engine, &settings.artifacts)?;
        let clients = Clients::from_env(settings.aws).await;
        let pins: Arc<dyn PinSource> = match settings.pins {
            PinsPlace::File(file) => Arc::new(FilePins::new(file)),
            PinsPlace::Object { bucket, key } => {
                Arc::new(ObjectPins::new(clients.s3.clone(), bucket, key, settings.pins_max_age))
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
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let dispatcher = Dispatcher::new(DispatcherParts {
            pins,
            stages: Arc::new(stages),
            capabilities: clients.capabilities().context("the host's capabilities")?,
            fanout: Fanout::new(cores, settings.guest_memory_mib),
            documents: clients.documents(),
            tickets: Arc::new(clients.tickets()),
            executions,
            observer: telemetry.clone(),
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
