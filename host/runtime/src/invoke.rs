//! One call of a stage: a fresh store, an instance, a deadline, a report.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use stagehost_batch::{Case, Failure};
use wasmtime::{Store, UpdateDeadline};

use crate::answer::{checked_asset, checked_outcome};
use crate::bindings::toq::media::types;
use crate::budget::{HostBudget, MAX_LIFTED};
use crate::call::{CallInput, CallOutput, CallReport, CallRequest};
use crate::capability::ObjectWriter;
use crate::claims::{add_input, check_stored};
use crate::convert::failure_from_guest;
use crate::cores::Core;
use crate::host::state::{CallFacts, CallState};
use crate::host::wasi::{self, ClocksAndRandom};
use crate::observer::{AssetEvent, Observer};
use crate::output_tail::OutputTail;
use crate::stage::{Instance, Stage};
use crate::trap::{self, DeadlinePassed};
use crate::vector_registers::with_clean_registers;

/// The most handles that a component may hold, its own kinds of resources included. Each takes some 32 bytes on the host.
const MAX_HANDLES: usize = 4096;

/// A call that has ended. It holds neither a core nor the guest's memory any more.
pub(crate) struct Ended {
    pub(crate) outcome: Result<CallOutput, Failure>,
    pub(crate) report: CallReport,
    /// The end of what it printed.
    pub(crate) printed: String,
    /// The objects that it left unfinished.
    pub(crate) unfinished: Vec<Box<dyn ObjectWriter>>,
}

/// Calls a stage once. Whatever happens inside, the outcome is an output or a typed failure.
pub(crate) async fn invoke(
    stage: &Stage,
    request: &CallRequest,
    clocks_and_random: Option<ClocksAndRandom>,
    input: CallInput,
    core: Core,
    budget: HostBudget,
    observer: Arc<dyn Observer>,
) -> Ended {
    let (started_at, started) = (SystemTime::now(), Instant::now());
    let own = started + request.limits.deadline();
    let deadline = request.deadline.map_or(own, |outer| outer.min(own));
    let allowed = deadline.saturating_duration_since(started);
    let output = OutputTail::default();
    let asset = input.asset_key().map(str::to_owned);
    let facts = CallFacts {
        key: asset.clone(),
        started_at: request.started_at.clone(),
        config: request.config.clone(),
        deadline,
        clocks: clocks_and_random.as_ref().map(|replacement| replacement.clocks.clone()),
    };
    let mut state = CallState::new(request, wasi::context(&output, clocks_and_random), core, budget, facts, observer);
    add_input(&mut state.known, &state.budget, &input);
    let mut store = store(stage, state, deadline);

    let mut instantiate = Duration::ZERO;
    let running = with_clean_registers(run(stage, &mut store, request, input, started, &mut instantiate));
    let outcome = match tokio::time::timeout_at(deadline.into(), running).await {
        Ok(Ok(Ok(output))) => {
            let CallState { known, grants, .. } = store.data();
            check_stored(&output, known, grants).map(|()| output)
        }
        Ok(Ok(Err(failure))) => Err(failure_from_guest(failure)),
        Ok(Err(error)) => Err(trap::classify(&error, store.data().meter.refused(), &request.limits, allowed, &output)),
        Err(_elapsed) => Err(trap::timed_out(allowed)),
    };

    // The guest's memory is freed here, and its core with the rest of the state.
    let mut state = store.into_data();
    let report = CallReport {
        started_at,
        duration: started.elapsed(),
        instantiate,
        memory_peak: state.meter.peak(),
        bytes_read: state.traffic.read,
        bytes_written: state.traffic.written,
    };
    let printed = output.text();
    log(stage, request, asset.as_deref(), &outcome, &report, &printed);
    pass_measures(&mut state);
    let unfinished = state.writers.drain().map(|(_, writer)| writer).collect();
    Ended { outcome, report, printed, unfinished }
}

/// Passes what the call measured to the observer, and logs how many lines and numbers were dropped.
fn pass_measures(state: &mut CallState) {
    let (measures, numbers) = state.measures.take();
    if !measures.is_empty() {
        state.observer.on(AssetEvent::Measured { scope: &state.scope, measures: &measures });
    }
    let lines = state.logged.dropped();
    if lines > 0 || numbers > 0 {
        let (name, execution) = (&state.scope.state, &state.scope.execution);
        let asset = state.facts.key.as_deref();
        tracing::warn!(
            state = name,
            execution,
            asset,
            lines,
            numbers,
            "a stage logged or measured more than is kept of one call"
        );
    }
}

/// Returns a store that enforces the call's memory limit and deadline.
fn store(stage: &Stage, state: CallState, deadline: Instant) -> Store<CallState> {
    let mut store = Store::new(stage.engine().wasmtime(), state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(MAX_LIFTED);
    store.set_max_component_handles(MAX_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if Instant::now() >= deadline { Err(DeadlinePassed.into()) } else { Ok(UpdateDeadline::Yield(1)) }
    });
    store
}

/// The outer `Err` is a trap or a defect of the component; the inner one is a failure that the stage returned.
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
    let files = request.scope.batch.assets.len();
    let instance = stage.instantiate(store).await?;
    *instantiate = started.elapsed();
    match (instance, input) {
        (Instance::Asset(guest), CallInput::Asset(asset)) => {
            let answer = guest.call_process(store, &context, &(*asset).into()).await?;
            let checked = answer.and_then(|asset| checked_asset(asset, files));
            Ok(checked.map(|asset| CallOutput::Asset(Box::new(asset.into()))))
        }
        (Instance::Batch(guest), CallInput::Batch(batch)) => {
            let answer = guest.call_process(store, &context, &(*batch).into()).await?;
            let checked = answer.and_then(|outcome| checked_outcome(outcome, files));
            Ok(checked.map(|outcome| CallOutput::Batch(outcome.into())))
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
    stderr: &str,
) {
    let identity = stage.identity();
    let failure = outcome.as_ref().err();
    let batch = &request.scope.batch;
    // These cases are defects of the stage, which a person must look at. All others are the stage's verdict on a file.
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
                stderr = (!stderr.is_empty()).then_some(stderr),
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
