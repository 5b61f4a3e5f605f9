//! A batch through a stage: asset stages over all cores, an instance per asset; batch stages in one call. What comes
//! back is merged into the batch, and a failure stays with the asset that caused it.

use std::sync::Arc;

use stagehost_batch::{Asset, Batch, Bundle, Case, Failure, Problem, Rendition};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::call::{CallReport, CallRequest, call};
use crate::capability::CallScope;
use crate::convert::Additions;
use crate::cores::Core;
use crate::grants::Resolved;
use crate::stage::Stage;
use crate::witness::{CallInput, CallOutput, Witness};
use crate::world::Export;

/// More than any sensible stage makes of one file; a document with more would not fit Step Functions' payload limit.
const RENDITIONS: usize = 64;
const BUNDLES: usize = 64;

/// Shares the machine between calls: so many at once, so much memory in all. One per process.
#[derive(Clone)]
pub struct Fanout {
    cores: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    memory_mib: u32,
    witness: Option<Arc<dyn Witness>>,
}

/// A batch to be put through a stage.
#[derive(Clone)]
pub struct FanoutRequest {
    /// Everything but the input.
    pub call: CallRequest,
    /// On how many tries of the state a transient failure of a file fails the state, so that Step Functions tries again
    /// (files that are done are not redone). On later tries it is recorded on the file.
    pub transient_attempts: u32,
}

/// What came of it.
#[derive(Debug)]
pub struct BatchOutcome {
    /// The batch with everything merged into it.
    pub batch: Batch,
    /// One per call, in no particular order.
    pub reports: Vec<CallReport>,
    /// What a batch stage said about its work.
    pub note: Option<String>,
}

/// Something that a person who watches wants to know.
#[derive(Debug)]
pub enum AssetEvent<'a> {
    /// A call began; `key` is `None` for a batch stage.
    Started {
        /// The state.
        state: &'a str,
        /// The asset.
        key: Option<&'a str>,
    },
    /// The stage said how far it is.
    Progress {
        /// The state.
        state: &'a str,
        /// The asset.
        key: Option<&'a str>,
        /// In the stage's own unit.
        done: u64,
        /// In the same unit.
        total: u64,
    },
    /// A transcoding job said how far it is.
    Job {
        /// The service's id of it.
        id: &'a str,
        /// Percent, if it said.
        percent: Option<u64>,
    },
    /// A call ended.
    Ended {
        /// The state.
        state: &'a str,
        /// Which call it was: execution, batch, and what ran.
        scope: &'a CallScope,
        /// The asset.
        key: Option<&'a str>,
        /// How, if not well.
        failure: Option<&'a Failure>,
        /// What it took.
        report: &'a CallReport,
    },
}

/// Watches calls. Must not block.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn on(&self, event: AssetEvent<'_>);
}

impl Observer for () {
    fn on(&self, _: AssetEvent<'_>) {}
}

impl Fanout {
    /// At most `cores` guests run at once, calls that wait for the host not counted; all calls that have begun have at most
    /// `memory_mib` MiB of guest memory between them.
    pub fn new(cores: usize, memory_mib: u32) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(cores.max(1))),
            memory: Arc::new(Semaphore::new(memory_mib.max(1) as usize)),
            memory_mib: memory_mib.max(1),
            witness: None,
        }
    }

    /// The same cores and the same memory, with a witness of the calls that are made through this one.
    #[must_use]
    pub fn witnessed(&self, witness: Arc<dyn Witness>) -> Self {
        Self { witness: Some(witness), ..self.clone() }
    }

    /// Puts a batch through a stage.
    ///
    /// # Errors
    /// A failure of the state as a whole. A failure of an asset is in the outcome's batch instead.
    pub async fn run(
        &self,
        stage: Arc<Stage>,
        request: FanoutRequest,
        batch: Batch,
        observer: Arc<dyn Observer>,
    ) -> Result<BatchOutcome, Failure> {
        match stage.world().export() {
            Export::AssetStage => self.over_assets(stage, request, batch, observer).await,
            Export::BatchStage => self.over_batch(stage, request, batch, observer).await,
        }
    }

    async fn over_assets(
        &self,
        stage: Arc<Stage>,
        request: FanoutRequest,
        mut batch: Batch,
        observer: Arc<dyn Observer>,
    ) -> Result<BatchOutcome, Failure> {
        let state = request.call.scope.state.clone();
        let granted = request.call.grants.resolve(&batch.listing.id.to_string());
        let mut calls = JoinSet::new();
        for (index, asset) in batch.assets.iter_mut().enumerate().filter(|(_, asset)| asset.problem.is_none()) {
            let (this, stage, call, observer) = (self.clone(), stage.clone(), request.call.clone(), observer.clone());
            let input = Box::new(asset.clone());
            // Stands if the task is lost to a defect of the host: no file may be forgotten.
            asset.problem = Some(problem(&state, &Failure::new(Case::Internal, "the host lost this call")));
            calls.spawn(async move {
                let (answer, report) = this.call(&stage, &call, CallInput::Asset(input), &observer).await;
                (index, answer, report)
            });
        }
        let mut reports = Vec::with_capacity(calls.len());
        let mut transient = Vec::new();
        while let Some(joined) = calls.join_next().await {
            // A panic is a defect of the host; it must not take the other assets with it.
            let Ok((index, answer, report)) = joined else { continue };
            reports.push(report);
            let Some(asset) = batch.assets.get_mut(index) else { continue };
            let merged = answer.and_then(|output| match output {
                CallOutput::Asset(additions) => merge(asset, *additions, &granted),
                CallOutput::Batch(_) => Err(Failure::new(Case::Internal, "an asset stage answered for a batch")),
            });
            match merged {
                Ok(()) => asset.problem = None,
                Err(failure) => {
                    if failure.case == Case::Transient {
                        transient.push(format!("{}: {}", asset.key, failure.message));
                    }
                    asset.problem = Some(problem(&state, &failure));
                }
            }
        }
        if let Some(first) = transient.first()
            && request.call.scope.attempt < request.transient_attempts
        {
            return Err(Failure::new(
                Case::Transient,
                format!("{} of {} files hit a passing fault, such as {first}", transient.len(), reports.len()),
            ));
        }
        batch.recount();
        Ok(BatchOutcome { batch, reports, note: None })
    }

    async fn over_batch(
        &self,
        stage: Arc<Stage>,
        request: FanoutRequest,
        mut batch: Batch,
        observer: Arc<dyn Observer>,
    ) -> Result<BatchOutcome, Failure> {
        let state = request.call.scope.state.clone();
        let granted = request.call.grants.resolve(&batch.listing.id.to_string());
        let input = CallInput::Batch(Box::new(batch.clone()));
        let (answer, report) = self.call(&stage, &request.call, input, &observer).await;
        let CallOutput::Batch(additions) = answer? else {
            return Err(Failure::new(Case::Internal, "a batch stage answered for an asset"));
        };
        let note = apply(&mut batch, additions, &state, &granted)?;
        batch.recount();
        Ok(BatchOutcome { batch, reports: vec![report], note })
    }

    /// Makes one call of a stage, without merging what it gives back. [`run`](Fanout::run) is for batches.
    pub async fn call(
        &self,
        stage: &Stage,
        request: &CallRequest,
        input: CallInput,
        observer: &Arc<dyn Observer>,
    ) -> (Result<CallOutput, Failure>, CallReport) {
        let key = match &input {
            CallInput::Asset(asset) => Some(asset.key.clone()),
            CallInput::Batch(_) => None,
        };
        let key = key.as_deref();
        let state = request.scope.state.as_str();
        let memory = request.limits.memory_mib.clamp(1, self.memory_mib);
        // Neither semaphore is ever closed. Memory first: who holds a core must not wait for anything.
        let held = self.memory.acquire_many(memory).await;
        let core = Core::take(&self.cores).await;
        // Where there is less memory than the pin allows, the guest is refused more, not the host killed for it.
        let mut request = request.clone();
        request.limits.memory_mib = memory;
        observer.on(AssetEvent::Started { state, key });
        let progress = {
            let (observer, state, key) = (observer.clone(), state.to_owned(), key.map(str::to_owned));
            Arc::new(move |done, total| {
                observer.on(AssetEvent::Progress { state: &state, key: key.as_deref(), done, total });
            })
        };
        let witnessed = self.witness.as_ref().and_then(|witness| witness.begin(stage, &request, &input));
        let (surroundings, witness) = match witnessed {
            Some(witnessed) => {
                request.capabilities = witnessed.capabilities;
                (witnessed.surroundings, Some(witnessed.call))
            }
            None => (None, None),
        };
        let (answer, report) = call(stage, &request, surroundings, input, core, progress).await;
        drop(held);
        let (scope, failure) = (&request.scope, answer.as_ref().err());
        observer.on(AssetEvent::Ended { state, scope, key, failure, report: &report });
        if let Some(witness) = witness {
            witness.end(&answer, &report, request.deadline).await;
        }
        (answer, report)
    }
}

fn problem(state: &str, failure: &Failure) -> Problem {
    Problem { state: state.to_owned(), code: failure.case.name().to_owned(), message: failure.message.clone() }
}

/// Takes over what a stage found out about an asset.
fn merge(asset: &mut Asset, additions: Asset, granted: &Resolved) -> Result<(), Failure> {
    check_renditions(&additions.renditions, granted)?;
    asset.merge_from(additions).map_err(|e| Failure::new(Case::Internal, e.to_string()))
}

/// A rendition's key goes to the backend and into archives: it must be one that the stage could have written.
fn check_renditions(renditions: &[Rendition], granted: &Resolved) -> Result<(), Failure> {
    if renditions.len() > RENDITIONS {
        return Err(Failure::new(
            Case::Internal,
            format!("the stage claims {} renditions; at most {RENDITIONS} are taken", renditions.len()),
        ));
    }
    renditions.iter().try_for_each(|rendition| granted.may_read(&rendition.key))
}

fn check_bundles(bundles: &[Bundle], granted: &Resolved) -> Result<(), Failure> {
    if bundles.len() > BUNDLES {
        return Err(Failure::new(
            Case::Internal,
            format!("the stage claims {} bundles; at most {BUNDLES} are taken", bundles.len()),
        ));
    }
    bundles.iter().try_for_each(|bundle| granted.may_read(&bundle.key))
}

fn apply(batch: &mut Batch, additions: Additions, state: &str, granted: &Resolved) -> Result<Option<String>, Failure> {
    check_bundles(&additions.bundles, granted)?;
    for addition in additions.assets {
        let asset = find(batch, &addition.key)?;
        merge(asset, addition, granted)?;
    }
    for (key, failure) in additions.failures {
        find(batch, &key)?.problem.get_or_insert_with(|| problem(state, &failure));
    }
    for bundle in additions.bundles {
        batch.bundles.retain(|there| there.name != bundle.name);
        batch.bundles.push(bundle);
    }
    Ok(additions.note)
}

fn find<'a>(batch: &'a mut Batch, key: &str) -> Result<&'a mut Asset, Failure> {
    batch.assets.iter_mut().find(|asset| asset.key == key).ok_or_else(|| {
        Failure::new(Case::Internal, format!("the stage answered for {key:?}, which is not in the batch"))
    })
}
