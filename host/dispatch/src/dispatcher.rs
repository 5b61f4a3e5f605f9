//! From an event to an answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use stagehost_aws::{Documents, JobRecorder, JobReport, Ticket, TicketJob, Tickets};
use stagehost_batch::{Batch, Case, Failure};
use stagehost_pins::{BatchLimits, Choice, Pin, PinSource, Pins, PinsWatcher, Role};
use stagehost_runtime::capability::{CallScope, Capabilities, Provenance};
use stagehost_runtime::{AssetEvent, BatchOutcome, CallRequest, Fanout, FanoutRequest, Observer, Stage, World};

use crate::canary::CanaryHealth;
use crate::error::DispatchError;
use crate::event::{Envelope, Event};
use crate::queue::{self, Executions};
use crate::revisions::Revisions;
use crate::trials::Trials;
use crate::visibility::Visibility;

/// On how many tries of a state a passing fault of one file makes Step Functions try again. The state machine retries
/// `Stage.Transient` at least as often.
const TRANSIENT_ATTEMPTS: u32 = 2;

/// Calls end at the deadline; so long after it, what they leave open has been given up too. Whoever sets the deadline
/// leaves twice as much, or the answer comes too late.
const GRACE: Duration = Duration::from_millis(500);

/// Gives the component that a pin names, loaded. Asked on every call, so an implementation caches.
#[async_trait]
pub trait StageSource: Send + Sync + 'static {
    /// The stage with exactly the pin's digest, in exactly its world.
    ///
    /// # Errors
    /// `Host.BadStage`, which names what is missing or wrong.
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError>;

    /// From now on, only components with one of these digests will be asked for: the others may go.
    fn retain(&self, digests: &HashSet<String>) {
        let _ = digests;
    }
}

/// What a dispatcher is made of.
pub struct DispatcherParts {
    /// What runs where.
    pub pins: Arc<dyn PinSource>,
    /// The components.
    pub stages: Arc<dyn StageSource>,
    /// What the host can do for them.
    pub capabilities: Capabilities,
    /// Shares the machine between calls.
    pub fanout: Fanout,
    /// Where documents go that are too large for a state's payload.
    pub documents: Documents,
    /// States that wait for transcoding jobs.
    pub tickets: Arc<Tickets>,
    /// Starts executions for queue messages.
    pub executions: Arc<dyn Executions>,
    /// Has queue messages that failed handed out again soon.
    pub visibility: Arc<dyn Visibility>,
    /// Who watches calls.
    pub observer: Arc<dyn Observer>,
    /// Who watches pins.
    pub watcher: PinsWatcher,
    /// Where shadows run and recordings go; without it, what pins say of them is passed over.
    pub trials: Option<Trials>,
}

/// The host.
pub struct Dispatcher {
    parts: DispatcherParts,
    revisions: Revisions,
    canaries: CanaryHealth,
}

impl Dispatcher {
    /// A host made of `parts`.
    pub fn new(parts: DispatcherParts) -> Self {
        let revisions = Revisions::new(parts.pins.clone(), parts.stages.clone(), parts.watcher.clone());
        let canaries = CanaryHealth::new(parts.watcher.clone());
        Self { parts, revisions, canaries }
    }

    /// Handles one event. At the `deadline` every call of a stage ends; the answer follows within half a second.
    ///
    /// # Errors
    /// With a stable `error_type`; see [`DispatchError`].
    pub async fn handle(&self, payload: &[u8], deadline: Option<Instant>) -> Result<Value, DispatchError> {
        let event = Event::parse(payload)?;
        let Some(deadline) = deadline else { return self.answer(event, None).await };
        tokio::time::timeout_at((deadline + GRACE).into(), self.answer(event, Some(deadline)))
            .await
            .unwrap_or_else(|_| Err(out_of_time("the host was still at work")))
    }

    async fn answer(&self, event: Event, deadline: Option<Instant>) -> Result<Value, DispatchError> {
        match event {
            Event::State(envelope) => self.state(*envelope, deadline).await,
            Event::Queue(records) => {
                let DispatcherParts { executions, visibility, documents, .. } = &self.parts;
                Ok(queue::consume(executions.as_ref(), visibility.as_ref(), documents, records).await)
            }
            Event::Transcoding(event) => self.transcoding(&event).await,
            Event::Health => Ok(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})),
        }
    }

    async fn state(&self, mut envelope: Envelope, deadline: Option<Instant>) -> Result<Value, DispatchError> {
        let state = envelope.state.clone();
        let document = self.parts.documents.unpack(std::mem::take(&mut envelope.batch)).await?;
        let mut batch = stagehost_batch::resume(&document, &envelope.execution)
            .map_err(|e| DispatchError::invalid_input(format!("the batch given to {state}: {e}")))?;
        drop(document);

        let pins = self.revisions.of(batch.revision).await?;
        batch.revision = Some(pins.revision);
        let choice = self.choose(&pins, &state, &envelope.execution.name)?;
        let (choice, stage) = self.load(&pins, &state, choice).await?;
        let pin = choice.pin;
        if pin.world == World::Transcode && envelope.task_token.is_none() {
            return Err(DispatchError::invalid_input(format!(
                "the state {state:?} submits jobs but passes no taskToken; use lambda:invoke.waitForTaskToken"
            )));
        }
        if pin.world == World::Validate {
            pins.batch.apply(&mut batch, &state);
        }

        let recorder = JobRecorder::new(self.parts.capabilities.transcoder.clone());
        let mut request = self.request(&envelope, pin, &stage, &batch, deadline);
        request.call.capabilities.transcoder = Arc::new(recorder.clone());
        let trial = self.parts.trials.as_ref().and_then(|t| t.begin(&pins, &state, &envelope.execution.name));
        let fanout = match &trial {
            Some(trial) => self.parts.fanout.witnessed(trial.witness()),
            None => self.parts.fanout.clone(),
        };
        let before = trial.as_ref().map(|_| batch.clone());
        let outcome = fanout.run(stage, request, batch, self.parts.observer.clone()).await;
        // What the function's own deadline cut off says nothing of the stage.
        let in_time = deadline.is_none_or(|deadline| Instant::now() < deadline);
        if let (Role::Canary, Some(canary), true) = (choice.role, pins.canaries.get(&state), in_time) {
            self.canaries.note(&state, canary, outcome.as_ref());
        }
        // A batch may be large: it is copied only where somebody looks.
        let trial =
            trial.zip(before).map(|(trial, before)| (trial, outcome.as_ref().map_or(before, |o| o.batch.clone())));
        let answer = self.finish(envelope, pin, pins.batch, outcome, recorder.jobs(), deadline).await;
        if let Some((trial, after)) = trial {
            trial.end(self.parts.stages.as_ref(), &after, deadline).await;
        }
        answer
    }

    /// The pin of a state in this execution.
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

    /// The stage of the choice. A canary that cannot be loaded leaves its place to the pinned stage.
    async fn load<'a>(
        &self,
        pins: &'a Pins,
        state: &str,
        choice: Choice<'a>,
    ) -> Result<(Choice<'a>, Arc<Stage>), DispatchError> {
        match (self.parts.stages.stage(choice.pin).await, choice.role, pins.canaries.get(state)) {
            (Ok(stage), _, _) => Ok((choice, stage)),
            (Err(error), Role::Canary, Some(canary)) if error.error_type != Case::Transient.name() => {
                tracing::error!(state, %error, "the canary cannot be loaded");
                self.canaries.unusable(state, canary);
                let choice = pins.pinned_only(state).unwrap_or(choice);
                Ok((choice, self.parts.stages.stage(choice.pin).await?))
            }
            (Err(error), _, _) => Err(error),
        }
    }

    /// From what the stage has done to the state's answer.
    async fn finish(
        &self,
        envelope: Envelope,
        pin: &Pin,
        limits: BatchLimits,
        outcome: Result<BatchOutcome, Failure>,
        jobs: Vec<TicketJob>,
        deadline: Option<Instant>,
    ) -> Result<Value, DispatchError> {
        let state = &envelope.state;
        let outcome = outcome?;
        let mut batch = outcome.batch;
        // One file that takes too long has a limit of its own and fails alone. Where the time of the whole call is over,
        // nothing can be said of the files that were still to come.
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let cut_off = batch.assets.iter().filter(|asset| timed_out_in(asset.problem.as_ref(), state)).count();
            if cut_off > 0 {
                return Err(out_of_time(&format!("{cut_off} of {} files were not done", batch.assets.len())));
            }
        }
        if pin.world == World::Validate {
            limits.apply(&mut batch, state);
        }
        if let Some(note) = &outcome.note {
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
            // The state ends by its token: now, if nothing was submitted, or with the last job's event.
            let ticket = Ticket {
                execution: envelope.execution.arn,
                state: envelope.state,
                task_token: token,
                batch: batch.clone(),
                jobs,
            };
            self.parts.tickets.open(ticket).await?;
        }
        Ok(self.parts.documents.pack(&batch).await?)
    }

    fn request(
        &self,
        envelope: &Envelope,
        pin: &Pin,
        stage: &Stage,
        batch: &Batch,
        deadline: Option<Instant>,
    ) -> FanoutRequest {
        let identity = stage.identity();
        let scope = CallScope {
            state: envelope.state.clone(),
            execution: envelope.execution.arn.clone(),
            attempt: envelope.retry,
            task_token: envelope.task_token.clone(),
            batch: Arc::new(batch.clone()),
            provenance: Arc::new(Provenance {
                stage: identity.name.clone(),
                version: identity.version.clone(),
                digest: identity.digest.clone(),
            }),
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
            transient_attempts: TRANSIENT_ATTEMPTS,
        }
    }

    async fn transcoding(&self, event: &Value) -> Result<Value, DispatchError> {
        let report = JobReport::from_event(event).map_err(|e| DispatchError::bad_event(e.to_string()))?;
        self.parts.observer.on(AssetEvent::Job { id: &report.job_id, percent: report.progress.map(u64::from) });
        let progress = self.parts.tickets.report(&report).await?;
        tracing::info!(job = %report.job_id, status = ?report.status, ?progress, "transcoding job");
        Ok(json!({"job": report.job_id, "outcome": format!("{progress:?}")}))
    }
}

fn timed_out_in(problem: Option<&stagehost_batch::Problem>, state: &str) -> bool {
    problem.is_some_and(|problem| problem.state == state && problem.code == Case::Timeout.name())
}

fn out_of_time(what: &str) -> DispatchError {
    Failure::new(Case::Timeout, format!("the time that the function has for one call was over: {what}")).into()
}
