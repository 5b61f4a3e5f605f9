//! A batch through a stage: asset stages run over all cores with an instance per asset, batch stages in one call. What
//! comes back is merged into the batch, and a failure stays with the asset that caused it.

use std::sync::Arc;
use std::time::Instant;

use stagehost_batch::{Batch, Case, Failure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::additions::{merge_batch, problem};
use crate::admission::{Admission, Place, Room};
use crate::budget::HostBudget;
use crate::call::{CallInput, CallOutput, CallReport, CallRequest};
use crate::caught::caught;
use crate::cores::Core;
use crate::discard::discard;
use crate::interceptor::Interceptor;
use crate::invoke::{Ended, invoke};
use crate::observer::{AssetEvent, Observer};
use crate::settle::settle;
use crate::stage::Stage;
use crate::trap;
use crate::world::Export;

/// The most memory that the host holds for all calls together, in MiB.
const HOST_MEMORY_MIB: u32 = 192;
/// The least host memory, in MiB: enough for one call of any world.
const HOST_MEMORY_AT_LEAST_MIB: u32 = 32;

/// Shares the machine between calls: bounds how many guests run at once, how much memory all of them use, and how much
/// the host holds for them. One per process.
#[derive(Clone)]
pub struct Fanout {
    cores: Arc<Semaphore>,
    admission: Admission,
    interceptor: Option<Arc<dyn Interceptor>>,
}

/// How to put a batch through a stage.
#[derive(Clone)]
pub struct FanoutRequest {
    /// Everything but the input.
    pub call: CallRequest,
    /// Whether a transient failure of a file fails the state, so that Step Functions tries again (files that are done are not
    /// redone). Otherwise it is recorded on the file.
    pub transient_fails: bool,
}

/// The result of a batch that went through a stage.
#[derive(Debug)]
pub struct BatchOutcome {
    /// The batch with everything merged into it.
    pub batch: Batch,
    /// One per call, in no particular order.
    pub reports: Vec<CallReport>,
    /// The note that a batch stage returned.
    pub note: Option<String>,
}

impl Fanout {
    /// Returns a fanout that lets at most `cores` guests run at once, not counting calls that wait for the host, in at
    /// most `memory_mib` MiB of guest memory for all calls that have begun. The host holds at most 192 MiB for them,
    /// and no more than the guests may have, but always enough for one call.
    pub fn new(cores: usize, memory_mib: u32) -> Self {
        let host = memory_mib.clamp(HOST_MEMORY_AT_LEAST_MIB, HOST_MEMORY_MIB);
        Self {
            cores: Arc::new(Semaphore::new(cores.max(1))),
            admission: Admission::new(Room { guest: memory_mib.max(1), host }),
            interceptor: None,
        }
    }

    /// Returns a fanout that shares cores and memory with this one and has its calls intercepted.
    #[must_use]
    pub fn intercepted(&self, interceptor: Arc<dyn Interceptor>) -> Self {
        Self { interceptor: Some(interceptor), ..self.clone() }
    }

    /// Puts a batch through a stage.
    ///
    /// # Errors
    /// If the state as a whole failed. A failure of one asset is in the outcome's batch instead.
    pub async fn run(
        &self,
        stage: Arc<Stage>,
        request: FanoutRequest,
        batch: Batch,
        observer: Arc<dyn Observer>,
    ) -> Result<BatchOutcome, Failure> {
        match stage.world().export() {
            Export::AssetStage => self.run_assets(stage, request, batch, observer).await,
            Export::BatchStage => self.run_batch(stage, request, batch, observer).await,
        }
    }

    async fn run_assets(
        &self,
        stage: Arc<Stage>,
        request: FanoutRequest,
        mut batch: Batch,
        observer: Arc<dyn Observer>,
    ) -> Result<BatchOutcome, Failure> {
        let state = request.call.scope.state.clone();
        let grants = request.call.grants.for_listing(&batch.listing.id.to_string());
        // A task of its own costs as much as an empty call, so a single file does without.
        let alone = batch.assets.iter().filter(|asset| asset.problem.is_none()).count() == 1;
        let (mut calls, mut only, mut begun) = (JoinSet::new(), None, 0);
        for (index, asset) in batch.assets.iter_mut().enumerate().filter(|(_, asset)| asset.problem.is_none()) {
            let (this, stage, call, observer) = (self.clone(), stage.clone(), request.call.clone(), observer.clone());
            let input = Box::new(asset.clone());
            // Remains only if a defect of the host loses the task, so that no file is forgotten.
            asset.problem = Some(problem(&state, &Failure::new(Case::Internal, "the host lost this call")));
            let call = async move {
                let (answer, report) = this.call(&stage, &call, CallInput::Asset(input), &observer).await;
                (index, answer, report)
            };
            begun += 1;
            if alone {
                only = Some(call);
            } else {
                calls.spawn(call);
            }
        }
        // A panic is a defect of the host. It fails its asset only, in a task or not.
        let mut ended = match only {
            Some(call) => caught(call).await,
            None => None,
        };
        let mut reports = Vec::with_capacity(begun);
        let mut transient = Vec::new();
        loop {
            let joined = match ended.take() {
                Some(ended) => Some(Ok(ended)),
                None => calls.join_next().await,
            };
            let Some(joined) = joined else { break };
            let Ok((index, answer, report)) = joined else { continue };
            reports.push(report);
            let Some(asset) = batch.assets.get_mut(index) else { continue };
            if let Some(failure) = settle(asset, answer, &state, &grants)
                && failure.case == Case::Transient
            {
                transient.push(format!("{}: {}", asset.key, failure.message));
            }
        }
        if let Some(first) = transient.first()
            && request.transient_fails
        {
            return Err(Failure::new(
                Case::Transient,
                format!(
                    "{} of {} files failed in a way that a retry may solve, such as {first}",
                    transient.len(),
                    reports.len()
                ),
            ));
        }
        batch.recount();
        Ok(BatchOutcome { batch, reports, note: None })
    }

    async fn run_batch(
        &self,
        stage: Arc<Stage>,
        request: FanoutRequest,
        mut batch: Batch,
        observer: Arc<dyn Observer>,
    ) -> Result<BatchOutcome, Failure> {
        let state = request.call.scope.state.clone();
        let grants = request.call.grants.for_listing(&batch.listing.id.to_string());
        let input = CallInput::Batch(Box::new(batch.clone()));
        let (answer, report) = self.call(&stage, &request.call, input, &observer).await;
        let CallOutput::Batch(additions) = answer? else {
            return Err(Failure::new(Case::Internal, "a batch stage answered for an asset"));
        };
        let note = merge_batch(&mut batch, additions, &state, &grants)?;
        if let Some(note) = &note {
            observer.on(AssetEvent::Note { state: &state, note });
        }
        batch.recount();
        Ok(BatchOutcome { batch, reports: vec![report], note })
    }

    /// Makes one call of a stage without merging its output. [`run`](Fanout::run) is for batches.
    pub async fn call(
        &self,
        stage: &Stage,
        request: &CallRequest,
        input: CallInput,
        observer: &Arc<dyn Observer>,
    ) -> (Result<CallOutput, Failure>, CallReport) {
        let key = input.asset_key().map(str::to_owned);
        let key = key.as_deref();
        let state = request.scope.state.as_str();
        let waiting_since = Instant::now();
        let Some((mut place, core)) = self.enter(stage, request).await else {
            return never_began(request, key, waiting_since, observer);
        };
        // Where the machine has less memory than the pin allows, the guest gets less.
        let mut request = request.clone();
        request.limits.memory_mib = place.room().guest;
        let budget = HostBudget::of_call(place.room().host);
        if let Some(charged) = request.capabilities.objects.charged_to(&budget) {
            request.capabilities.objects = charged;
        }
        observer.on(AssetEvent::Started { state, key });
        let interception = self.interceptor.as_ref().and_then(|one| one.intercept(stage, &request, &input));
        let (clocks_and_random, on_end) = match interception {
            Some(interception) => {
                request.capabilities = interception.capabilities;
                (interception.clocks_and_random, Some(interception.on_end))
            }
            None => (None, None),
        };
        let ended = invoke(stage, &request, clocks_and_random, input, core, budget, observer.clone()).await;
        let Ended { outcome: answer, report, printed, unfinished } = ended;
        place.free_guest();
        discard(unfinished, request.deadline, key.unwrap_or(state)).await;
        drop(place);
        let (scope, failure) = (&request.scope, answer.as_ref().err());
        observer.on(AssetEvent::Ended { state, scope, key, failure, report: &report, printed: &printed });
        if let Some(on_end) = on_end {
            on_end.ended(&answer, &report, request.deadline).await;
        }
        (answer, report)
    }

    /// Waits for memory and a core. Returns `None` if the request's deadline is here first.
    async fn enter(&self, stage: &Stage, request: &CallRequest) -> Option<(Place, Core)> {
        let need = Room { guest: request.limits.memory_mib.max(1), host: stage.world().host_memory_mib() };
        let entering = async {
            // Memory first: a call that holds a core must not wait for anything.
            let place = self.admission.enter(&request.scope.execution, need).await;
            let core = Core::take(&self.cores).await;
            (place, core)
        };
        let Some(deadline) = request.deadline else { return Some(entering.await) };
        let entered = tokio::time::timeout_at(deadline.into(), entering).await.ok()?;
        // What is ready at once is returned although the deadline has passed.
        (Instant::now() < deadline).then_some(entered)
    }
}

/// Returns the end of a call for which there was no room in time. Observers see it begin and end.
fn never_began(
    request: &CallRequest,
    key: Option<&str>,
    waiting_since: Instant,
    observer: &Arc<dyn Observer>,
) -> (Result<CallOutput, Failure>, CallReport) {
    let failure = trap::never_began(waiting_since.elapsed());
    let report = CallReport::of_nothing();
    let (scope, state) = (&request.scope, request.scope.state.as_str());
    observer.on(AssetEvent::Started { state, key });
    let failed = Some(&failure);
    observer.on(AssetEvent::Ended { state, scope, key, failure: failed, report: &report, printed: "" });
    (Err(failure), report)
}
