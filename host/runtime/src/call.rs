//! One call: a fresh store, an instance, a deadline, and a report of what it took.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use stagehost_batch::{Case, Failure};
use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::toq::media::types;
use crate::capability::{CallScope, Capabilities, ObjectWriter};
use crate::convert::failure_from_guest;
use crate::cores::Core;
use crate::grants::Resolved;
use crate::limits::{Limits, Meter};
use crate::stage::Stage;
use crate::stderr::Tail;
use crate::trap::{self, DeadlinePassed};
use crate::witness::{CallInput, CallOutput, Surroundings};

/// The most bytes that one host call may lift out of a guest. A list may name the same guest bytes many times over,
/// so the guest's own memory limit does not bound it.
const LIFT_LIMIT: usize = 64 << 20;

/// Everything that a call is made with, beside its input.
#[derive(Clone)]
pub struct CallRequest {
    /// Which call this is.
    pub scope: CallScope,
    /// When the execution began, RFC 3339.
    pub started_at: String,
    /// The stage's configuration, a JSON object.
    pub config: String,
    /// From the pin.
    pub limits: Limits,
    /// From the pin.
    pub grants: crate::Grants,
    /// What the host can do.
    pub capabilities: Capabilities,
    /// The call ends at this instant even if its own limit would allow more: the Lambda's deadline less a margin.
    pub deadline: Option<Instant>,
}

/// What a call took.
#[derive(Clone, Copy, Debug)]
pub struct CallReport {
    /// When it began.
    pub started_at: SystemTime,
    /// Wall-clock time, instantiation included.
    pub duration: Duration,
    /// Of that, making the instance.
    pub instantiate: Duration,
    /// Most linear memory in use at once, in bytes.
    pub memory_peak: usize,
    /// Bytes of objects that the stage read.
    pub bytes_read: u64,
    /// Bytes that the stage wrote or had copied.
    pub bytes_written: u64,
}

/// Counts of a call's traffic.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// The host's side of a running call.
pub(crate) struct CallState {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    meter: Meter,
    pub(crate) capabilities: Capabilities,
    pub(crate) grants: Resolved,
    pub(crate) core: Core,
    pub(crate) scope: Arc<CallScope>,
    pub(crate) progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
    pub(crate) traffic: Traffic,
    /// Writers are kept here and not in the table, so that those which a failed call leaves open can be aborted.
    pub(crate) writers: HashMap<u32, Box<dyn ObjectWriter>>,
    pub(crate) next_writer: u32,
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Calls a stage once. Whatever happens inside, the answer is an output or a typed failure.
pub(crate) async fn call(
    stage: &Stage,
    request: &CallRequest,
    surroundings: Option<Surroundings>,
    input: CallInput,
    core: Core,
    progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
) -> (Result<CallOutput, Failure>, CallReport) {
    let (started_at, started) = (SystemTime::now(), Instant::now());
    let own = started + request.limits.deadline();
    let deadline = request.deadline.map_or(own, |outer| outer.min(own));
    let stderr = Tail::default();
    let asset = match &input {
        CallInput::Asset(asset) => Some(asset.key.clone()),
        CallInput::Batch(_) => None,
    };

    let mut wasi = WasiCtx::builder();
    wasi.stdout(stderr.clone()).stderr(stderr.clone()).allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    if let Some(surroundings) = surroundings {
        surroundings.apply(&mut wasi);
    }
    let state = CallState {
        wasi: wasi.build(),
        table: ResourceTable::new(),
        meter: Meter::new(&request.limits),
        capabilities: request.capabilities.clone(),
        core,
        grants: request.grants.resolve(&request.scope.batch.listing.id.to_string()),
        scope: Arc::new(request.scope.clone()),
        progress,
        traffic: Traffic::default(),
        writers: HashMap::new(),
        next_writer: 0,
    };
    let mut store = Store::new(stage.engine().wasmtime(), state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(LIFT_LIMIT);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if Instant::now() >= deadline { Err(DeadlinePassed.into()) } else { Ok(UpdateDeadline::Yield(1)) }
    });

    let mut instantiate = Duration::ZERO;
    let answer =
        tokio::time::timeout_at(deadline.into(), run(stage, &mut store, request, input, started, &mut instantiate))
            .await;
    let outcome = match answer {
        Ok(Ok(Ok(output))) => Ok(output),
        Ok(Ok(Err(failure))) => Err(failure_from_guest(failure)),
        Ok(Err(error)) => {
            let allowed = deadline.saturating_duration_since(started);
            Err(trap::classify(&error, store.data().meter.refused(), &request.limits, allowed, &stderr))
        }
        Err(_elapsed) => Err(trap::timed_out(deadline.saturating_duration_since(started))),
    };

    let state = store.data_mut();
    for (_, writer) in state.writers.drain() {
        writer.abort().await;
    }
    let report = CallReport {
        started_at,
        duration: started.elapsed(),
        instantiate,
        memory_peak: state.meter.peak(),
        bytes_read: state.traffic.read,
        bytes_written: state.traffic.written,
    };
    log(stage, request, asset.as_deref(), &outcome, &report, &stderr);
    (outcome, report)
}

/// `Err` outside: the component broke. `Err` inside: the stage said so.
type Answer = wasmtime::Result<Result<CallOutput, types::Failure>>;

async fn run(
    stage: &Stage,
    store: &mut Store<CallState>,
    request: &CallRequest,
    input: CallInput,
    started: Instant,
    instantiate: &mut Duration,
) -> Answer {
    let context = types::Context {
        state: request.scope.state.clone(),
        execution: request.scope.execution.clone(),
        started_at: request.started_at.clone(),
        attempt: request.scope.attempt,
        config: request.config.clone(),
    };
    let instance = stage.instantiate(store).await?;
    *instantiate = started.elapsed();
    match (instance, input) {
        (crate::stage::Instance::Asset(guest), CallInput::Asset(asset)) => {
            let answer = guest.call_process(store, &context, &(*asset).into()).await?;
            Ok(answer.map(|asset| CallOutput::Asset(Box::new(asset.into()))))
        }
        (crate::stage::Instance::Batch(guest), CallInput::Batch(batch)) => {
            let answer = guest.call_process(store, &context, &(*batch).into()).await?;
            Ok(answer.map(|outcome| CallOutput::Batch(outcome.into())))
        }
        (_, _) => Err(wasmtime::format_err!("a stage was called with the other kind's input")),
    }
}

fn log(
    stage: &Stage,
    request: &CallRequest,
    asset: Option<&str>,
    outcome: &Result<CallOutput, Failure>,
    report: &CallReport,
    stderr: &Tail,
) {
    let identity = stage.identity();
    let said = stderr.text();
    let failure = outcome.as_ref().err();
    let batch = &request.scope.batch;
    // A failure of a file is the stage doing its work; one of the stage itself needs somebody to look.
    let defect =
        failure.is_some_and(|f| matches!(f.case, Case::Internal | Case::Trapped | Case::OutOfMemory | Case::Timeout));
    macro_rules! event {
        ($level:expr) => {
            tracing::event!(
                $level,
                listing = %batch.listing.id,
                batch = batch.batch_id.as_ref().map(tracing::field::display),
                job = batch.job_id.as_ref().map(tracing::field::display),
                execution = %request.scope.execution,
                state = %request.scope.state,
                stage = %identity.name,
                version = %identity.version,
                digest = %identity.digest,
                duration_ms = report.duration.as_micros() as f64 / 1e3,
                memory_peak = report.memory_peak,
                bytes_read = report.bytes_read,
                bytes_written = report.bytes_written,
                failure = failure.map(|f| f.case.name()),
                message = failure.map(|f| f.message.as_str()).unwrap_or("call ended"),
                asset = asset,
                stderr = (!said.is_empty()).then_some(said.as_str()),
            )
        };
    }
    if defect {
        event!(tracing::Level::WARN);
    } else if failure.is_some() {
        event!(tracing::Level::INFO);
    } else {
        event!(tracing::Level::DEBUG);
    }
}
