//! Handles events: from the event to the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagehost_aws::{Documents, JobRecorder, JobReport, JobSpan, Ticket, TicketJob, Tickets};
use stagehost_batch::{Batch, Case, Failure, Problem};
use stagehost_pins::{Choice, Pin, PinSource, Pins, PinsWatcher, Role};
use stagehost_runtime::capability::{CallScope, Capabilities};
use stagehost_runtime::{AssetEvent, BatchOutcome, CallRequest, Export, Fanout, FanoutRequest, Observer, Stage, World};
use stagehost_storage::Storage;

use crate::canary::{CanaryHealth, defect_in};
use crate::error::DispatchError;
use crate::event::{Envelope, Event};
use crate::failed_tries::FailedTries;
use crate::job_admission::JobAdmission;
use crate::pins_in_force::Revisions;
use crate::pins_readiness::is_transient;
use crate::queue::{self, Executions};
use crate::sampler::{Sample, Sampler};
use crate::stage_source::StageSource;
use crate::visibility::Visibility;

/// On how many tries of a state a transient failure of one file fails the state, so that Step Functions tries again.
/// The state machine retries `Stage.Transient` at least as often.
const TRANSIENT_ATTEMPTS: u32 = 2;

/// Grace for cleanup after the deadline. The caller must set a deadline that leaves twice as much time, or the answer
/// comes too late.
const GRACE: Duration = Duration::from_millis(500);

/// The longest that a call waits for a canary's stage. It is loaded already, except in a process that has just begun.
const CANARY_WAIT: Duration = Duration::from_secs(5);

/// The parts of a [`Dispatcher`].
pub struct DispatcherParts {
    /// Which stage runs for which state.
    pub pins: Arc<dyn PinSource>,
    /// The components.
    pub stages: Arc<dyn StageSource>,
    /// The implementations behind the stages' imports.
    pub capabilities: Capabilities,
    /// Shares the machine between calls.
    pub fanout: Fanout,
    /// Stores documents that are too large for a state's payload.
    pub documents: Documents,
    /// States that wait for transcoding jobs.
    pub tickets: Arc<Tickets>,
    /// Starts executions for queue messages.
    pub executions: Arc<dyn Executions>,
    /// Shares running executions between listings.
    pub admission: JobAdmission,
    /// Makes failed queue messages visible again soon.
    pub visibility: Arc<dyn Visibility>,
    /// Receives the events of calls, unless an event is handled with an observer of its own.
    pub observer: Arc<dyn Observer>,
    /// Receives the events of pins.
    pub watcher: PinsWatcher,
    /// Where all processes of a function share the health of canaries. Without it, each judges by its own runs.
    pub canaries: Option<Arc<dyn Storage>>,
    /// Where all processes of a function count the tries of states that transient failures of files have failed.
    /// Without it, Step Functions' count is used, which includes refused calls.
    pub failed_tries: Option<Arc<dyn Storage>>,
    /// Runs shadows and stores records. Without it, the pins' shadows and recordings are ignored.
    pub sampler: Option<Sampler>,
}

/// The host: handles every kind of event.
pub struct Dispatcher {
    parts: DispatcherParts,
    revisions: Revisions,
    canaries: CanaryHealth,
    failed_tries: FailedTries,
}

/// A state that is ready to run.
struct Prepared {
    envelope: Envelope,
    pins: Arc<Pins>,
    pin: Pin,
    role: Role,
    stage: Arc<Stage>,
}

/// A state whose stage has run.
struct Ran {
    outcome: Result<BatchOutcome, Failure>,
    /// The transcoding jobs that the stage submitted.
    jobs: Vec<TicketJob>,
    /// The sample of this state, if there is one, with the batch as the stage left it.
    sample: Option<(Sample, Batch)>,
}

impl Dispatcher {
    /// Returns a host made of `parts`.
    pub fn new(parts: DispatcherParts) -> Self {
        let revisions = Revisions::new(parts.pins.clone(), parts.stages.clone(), parts.watcher.clone());
        let canaries = CanaryHealth::new(parts.canaries.clone(), parts.watcher.clone());
        let failed_tries = FailedTries::new(parts.failed_tries.clone());
        Self { parts, revisions, canaries, failed_tries }
    }

    /// Handles one event. Every call of a stage ends at the `deadline`; the answer follows within half a second.
    ///
    /// # Errors
    /// With a stable `error_type`; see [`DispatchError`].
    pub async fn handle(&self, payload: &[u8], deadline: Option<Instant>) -> Result<Value, DispatchError> {
        self.handle_observed(payload, deadline, self.parts.observer.clone()).await
    }

    /// Handles one event as [`handle`](Self::handle) does, with an observer of its own. Several events may be handled at the same
    /// time.
    ///
    /// # Errors
    /// With a stable `error_type`; see [`DispatchError`].
    pub async fn handle_observed(
        &self,
        payload: &[u8],
        deadline: Option<Instant>,
        observer: Arc<dyn Observer>,
    ) -> Result<Value, DispatchError> {
        let event = Event::parse(payload)?;
        // On the heap: the futures of all events in one would be nested deeper than the compiler lays out.
        let answer = Box::pin(self.answer(event, deadline, observer));
        let Some(deadline) = deadline else { return answer.await };
        tokio::time::timeout_at((deadline + GRACE).into(), answer)
            .await
            .unwrap_or_else(|_| Err(out_of_time("the host was still at work")))
    }

    async fn answer(
        &self,
        event: Event,
        deadline: Option<Instant>,
        observer: Arc<dyn Observer>,
    ) -> Result<Value, DispatchError> {
        match event {
            Event::State(envelope) => Box::pin(self.state(*envelope, deadline, observer)).await,
            Event::Queue(records) => {
                let DispatcherParts { executions, visibility, documents, admission, .. } = &self.parts;
                Ok(queue::consume(executions.as_ref(), visibility.as_ref(), documents, admission, records).await)
            }
            Event::Transcoding(event) => self.transcoding(&event, observer.as_ref()).await,
            Event::Sweep => Box::pin(self.sweep()).await,
            Event::Health => Ok(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})),
        }
    }

    /// Looks after the states that wait for transcoding jobs.
    async fn sweep(&self) -> Result<Value, DispatchError> {
        let swept = self.parts.tickets.sweep().await.map_err(|failure| DispatchError::sweep_failed(failure.message))?;
        tracing::info!(
            tickets = swept.tickets,
            alive = swept.alive,
            ended = swept.ended,
            removed = swept.removed,
            cancelled = swept.cancelled,
            failed = swept.failed,
            "sweep"
        );
        if swept.failed > 0 {
            let message =
                format!("{} open tickets or submissions could not be looked after; the log says why", swept.failed);
            return Err(DispatchError::sweep_failed(message));
        }
        Ok(json!({"swept": swept}))
    }

    async fn transcoding(&self, event: &Value, observer: &dyn Observer) -> Result<Value, DispatchError> {
        let report = JobReport::from_event(event).map_err(|e| DispatchError::bad_event(e.to_string()))?;
        observer.on(AssetEvent::Job { id: &report.job_id, percent: report.progress.map(u64::from) });
        if let Some(span) = JobSpan::from_event(event, &report) {
            observer.on(AssetEvent::JobEnded {
                id: &report.job_id,
                traceparent: &span.traceparent,
                state: &span.state,
                listing: &span.listing,
                submitted: span.submitted,
                ended: span.ended,
                failure: span.failure.as_deref(),
            });
        }
        let progress = match self.parts.tickets.report(&report).await {
            Ok(progress) => progress,
            // The next one follows, and the sweep sends heartbeats as well. As an error, the event would become a dead
            // letter.
            Err(failure) if !report.status.is_final() => {
                tracing::warn!(job = %report.job_id, %failure, "a heartbeat was not sent");
                return Ok(json!({"job": report.job_id, "outcome": "Missed"}));
            }
            Err(failure) => return Err(failure.into()),
        };
        let outcome = progress.name();
        tracing::info!(job = %report.job_id, status = ?report.status, outcome, "transcoding job");
        Ok(json!({"job": report.job_id, "outcome": outcome}))
    }

    async fn state(
        &self,
        envelope: Envelope,
        deadline: Option<Instant>,
        observer: Arc<dyn Observer>,
    ) -> Result<Value, DispatchError> {
        let (prepared, batch) = self.prepare(envelope, deadline).await?;
        let Ran { outcome, jobs, sample } = self.run(&prepared, batch, deadline, observer).await;
        let answer = self.settle(prepared, outcome, jobs, deadline).await;
        if let Some((sample, after)) = sample {
            sample.end(self.parts.stages.as_ref(), &after, deadline).await;
        }
        answer
    }

    /// Reads the batch, and finds the state's pin and stage.
    async fn prepare(
        &self,
        mut envelope: Envelope,
        deadline: Option<Instant>,
    ) -> Result<(Prepared, Batch), DispatchError> {
        let document = self.parts.documents.unpack(std::mem::take(&mut envelope.batch)).await?;
        let state = &envelope.state;
        let mut batch = stagehost_batch::resume(&document, &envelope.execution)
            .map_err(|e| DispatchError::invalid_input(format!("the batch given to {state}: {e}")))?;
        drop(document);

        let pins = in_time(deadline, "the place of the pins", self.revisions.of(batch.revision)).await?;
        batch.revision = Some(pins.revision);
        self.canaries.follow(&pins);
        let choice = self.choose(&pins, state, &envelope.execution.name)?;
        let (Choice { pin, role }, stage) = self.load(&pins, state, choice, deadline).await?;
        if pin.world == World::Transcode && envelope.task_token.is_none() {
            return Err(DispatchError::invalid_input(format!(
                "the state {state:?} submits jobs but passes no taskToken; use lambda:invoke.waitForTaskToken"
            )));
        }
        if pin.world == World::Validate {
            pins.batch.apply(&mut batch, state);
        }
        let pin = pin.clone();
        Ok((Prepared { envelope, pins, pin, role, stage }, batch))
    }

    /// Returns the pin of a state in this execution. A canary that was given up is replaced by the pinned stage.
    fn choose<'a>(&self, pins: &'a Pins, state: &str, execution: &str) -> Result<Choice<'a>, DispatchError> {
        let choice = pins.choose(state, execution).ok_or_else(|| {
            let pinned: Vec<_> = pins.states.keys().map(String::as_str).collect();
            DispatchError::no_pin(format!(
                "no stage is pinned to the state {state:?} in revision {}; pinned are {}",
                pins.revision,
                pinned.join(", ")
            ))
        })?;
        let given_up = |canary| self.canaries.given_up(state, canary);
        if choice.role == Role::Canary && pins.canaries.get(state).is_some_and(given_up) {
            return Ok(pins.pinned_only(state).unwrap_or(choice));
        }
        Ok(choice)
    }

    /// Loads the chosen stage. A canary that cannot be loaded, or not soon, is replaced by the pinned stage.
    async fn load<'a>(
        &self,
        pins: &'a Pins,
        state: &str,
        mut choice: Choice<'a>,
        deadline: Option<Instant>,
    ) -> Result<(Choice<'a>, Arc<Stage>), DispatchError> {
        let stages = &self.parts.stages;
        if let (Role::Canary, Some(canary)) = (choice.role, pins.canaries.get(state)) {
            match tokio::time::timeout(CANARY_WAIT, stages.stage(choice.pin)).await {
                Ok(Ok(stage)) => return Ok((choice, stage)),
                Ok(Err(error)) if !is_transient(&error) => {
                    tracing::error!(state, %error, "the canary cannot be loaded");
                    self.canaries.unusable(state, canary);
                }
                Ok(Err(error)) => {
                    tracing::warn!(state, %error, "the canary cannot be loaded now; the pinned stage runs")
                }
                Err(_) => tracing::warn!(state, "the canary is not loaded in time; the pinned stage runs"),
            }
            choice = pins.pinned_only(state).unwrap_or(choice);
        }
        let what = format!("the place of stage {}", choice.pin);
        Ok((choice, in_time(deadline, &what, stages.stage(choice.pin)).await?))
    }

    /// Puts the batch through the stage, and counts the result for the canary.
    async fn run(
        &self,
        prepared: &Prepared,
        batch: Batch,
        deadline: Option<Instant>,
        observer: Arc<dyn Observer>,
    ) -> Ran {
        let Prepared { envelope, pins, role, .. } = prepared;
        let (state, execution) = (&envelope.state, &envelope.execution.arn);
        let submitted = JobRecorder::new(self.parts.capabilities.transcoder.clone());
        let export = prepared.stage.world().export();
        let failed_before = match export {
            Export::AssetStage => self.failed_tries.before(execution, state, envelope.retry, TRANSIENT_ATTEMPTS).await,
            // The failure of a batch stage is not recorded on a file.
            Export::BatchStage => 0,
        };
        let mut request = self.request(prepared, &batch, deadline, failed_before < TRANSIENT_ATTEMPTS);
        request.call.capabilities.transcoder = Arc::new(submitted.clone());
        let sample = self.parts.sampler.as_ref().and_then(|one| one.sample(pins, state, &envelope.execution.name));
        let fanout = match &sample {
            Some(sample) => self.parts.fanout.intercepted(sample.interceptor()),
            None => self.parts.fanout.clone(),
        };
        let calls = match export {
            Export::AssetStage => batch.assets.iter().filter(|asset| asset.problem.is_none()).count(),
            Export::BatchStage => 1,
        };
        // A batch may be large, so it is copied only for a sample.
        let before = sample.as_ref().map(|_| batch.clone());
        let outcome = fanout.run(prepared.stage.clone(), request, batch, observer).await;
        if let (Export::AssetStage, Err(Failure { case: Case::Transient, .. })) = (export, &outcome) {
            // The failure must be answered in time: `Stage.Timeout` in its place would not be tried again.
            let until = deadline.map(|deadline| deadline + GRACE / 2);
            self.failed_tries.count(execution, state, envelope.retry, until).await;
        }
        // A call that the function's own deadline cut off does not count against the canary.
        let in_time = deadline.is_none_or(|deadline| Instant::now() < deadline);
        if let (Some(canary), true) = (pins.canaries.get(state), in_time)
            && let Some(defect) = defect_in(state, calls, outcome.as_ref())
        {
            self.canaries.count(state, canary, *role, defect);
        }
        let sample = sample
            .zip(before)
            .map(|(sample, before)| (sample, outcome.as_ref().map_or(before, |outcome| outcome.batch.clone())));
        Ran { outcome, jobs: submitted.jobs(), sample }
    }

    /// Returns the request for the stage's calls. `transient_fails`: a transient failure of a file fails the state.
    fn request(
        &self,
        prepared: &Prepared,
        batch: &Batch,
        deadline: Option<Instant>,
        transient_fails: bool,
    ) -> FanoutRequest {
        let Prepared { envelope, pin, stage, .. } = prepared;
        let scope = CallScope {
            state: envelope.state.clone(),
            execution: envelope.execution.arn.clone(),
            attempt: envelope.retry,
            task_token: envelope.task_token.clone(),
            batch: Arc::new(batch.clone()),
            provenance: Arc::new(stage.provenance()),
        };
        FanoutRequest {
            call: CallRequest {
                scope,
                started_at: envelope.execution.started_at.clone(),
                config: Value::Object(pin.config.clone()).to_string(),
                limits: pin.limits,
                grants: pin.grants.clone(),
                capabilities: self.parts.capabilities.clone(),
                deadline,
            },
            transient_fails,
        }
    }

    /// Turns the stage's outcome into the state's answer. A state that waits for jobs gets a ticket.
    async fn settle(
        &self,
        prepared: Prepared,
        outcome: Result<BatchOutcome, Failure>,
        jobs: Vec<TicketJob>,
        deadline: Option<Instant>,
    ) -> Result<Value, DispatchError> {
        let Prepared { envelope, pins, pin, .. } = prepared;
        let BatchOutcome { mut batch, note, .. } = outcome?;
        let state = &envelope.state;
        // One slow file fails alone, by its pin's deadline. If the deadline of the whole function has passed, the files
        // that were still to come have no result, so the state fails.
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let cut_off = batch.assets.iter().filter(|asset| timed_out_in(asset.problem.as_ref(), state)).count();
            if cut_off > 0 {
                return Err(out_of_time(&format!("{cut_off} of {} files were not done", batch.assets.len())));
            }
        }
        if pin.world == World::Validate {
            pins.batch.apply(&mut batch, state);
        }
        if let Some(note) = &note {
            tracing::info!(
                listing = %batch.listing.id,
                batch = batch.batch_id.as_ref().map(tracing::field::display),
                job = batch.job_id.as_ref().map(tracing::field::display),
                execution = %envelope.execution.arn,
                state,
                stage = %pin.stage,
                version = %pin.version,
                digest = %pin.digest,
                note
            );
        }
        batch.recount();
        if let Some(token) = envelope.task_token {
            // The token ends the state: now if nothing was submitted, otherwise with the last job's event.
            let ticket = Ticket {
                execution: envelope.execution.arn,
                state: envelope.state,
                task_token: token,
                attempt: envelope.retry,
                batch: batch.clone(),
                jobs,
            };
            self.parts.tickets.open(ticket).await?;
        }
        Ok(self.parts.documents.pack(&batch).await?)
    }
}

/// Waits for something until the deadline. It is named in the error, which is worth a retry.
async fn in_time<T>(
    deadline: Option<Instant>,
    what: &str,
    work: impl Future<Output = Result<T, DispatchError>>,
) -> Result<T, DispatchError> {
    let Some(deadline) = deadline else { return work.await };
    tokio::time::timeout_at(deadline.into(), work).await.unwrap_or_else(|_| {
        let why = format!("{what} had not answered when the time of the call was over");
        Err(Failure::new(Case::Transient, why).into())
    })
}

fn timed_out_in(problem: Option<&Problem>, state: &str) -> bool {
    problem.is_some_and(|problem| problem.state == state && problem.code == Case::Timeout.name())
}

fn out_of_time(what: &str) -> DispatchError {
    Failure::new(Case::Timeout, format!("the time that the function has for one call was over: {what}")).into()
}
