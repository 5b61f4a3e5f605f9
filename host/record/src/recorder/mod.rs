//! Records calls: stands between the guest and what the host can do for it, and writes down what passes.

mod objects;
mod services;
pub(crate) mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use stagehost_batch::Failure;
use stagehost_runtime::capability::Capabilities;
use stagehost_runtime::{
    CallInput, CallOutput, CallReport, CallRequest, CallWitness, Stage, Surroundings, Witness, Witnessed,
};
use stagehost_storage::Storage;

use crate::format::{Context, FORMAT, Outcome, Record, Report, Seen, StageRef};
use crate::log::{CallLog, RecordLimits};
use crate::surroundings::Noted;

pub(crate) use services::asked;

/// A call that is over: its record, and the bytes that go with it. The record's `contents` are filled in when it is
/// stored.
pub struct Recording {
    /// What is written down.
    pub record: Record,
    pub(crate) log: Arc<CallLog>,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Records every call of the [`Fanout`](stagehost_runtime::Fanout) that it witnesses.
///
/// Recording never fails a call: what cannot be recorded is said in the log, and the call goes on. Storing takes at most
/// half of what is left of the call's time.
///
/// The dispatcher draws once per call of a state whose pin has a `record` of `percent`, and runs the stage by
/// `fanout.witnessed(Arc::new(recorder)).run(…)` instead of `fanout.run(…)`. One recorder may serve a process: it keeps
/// nothing between calls unless it is told to.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    limits: RecordLimits,
    sink: Option<Arc<dyn Storage>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// How many more are kept.
    room: usize,
    recordings: Vec<Recording>,
}

impl Recorder {
    /// Stores every call in `sink`, as soon as it is over.
    pub fn storing(sink: Arc<dyn Storage>, limits: RecordLimits) -> Self {
        Self::new(Some(sink), limits, 0)
    }

    /// Keeps the first `calls` calls for [`take`](Self::take), and stores none. For a shadow.
    pub fn keeping(calls: usize, limits: RecordLimits) -> Self {
        Self::new(None, limits, calls)
    }

    /// Stores every call, and keeps the first `calls`.
    pub fn storing_and_keeping(sink: Arc<dyn Storage>, calls: usize, limits: RecordLimits) -> Self {
        Self::new(Some(sink), limits, calls)
    }

    fn new(sink: Option<Arc<dyn Storage>>, limits: RecordLimits, room: usize) -> Self {
        Self(Arc::new(Inner { limits, sink, kept: Mutex::new(Kept { room, recordings: Vec::new() }) }))
    }

    /// The calls that were kept and are over.
    pub fn take(&self) -> Vec<Recording> {
        std::mem::take(&mut self.0.kept().recordings)
    }
}

impl Inner {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Recorder {
    fn begin(&self, stage: &Stage, request: &CallRequest, input: &CallInput) -> Option<Witnessed> {
        let keep = {
            let mut kept = self.0.kept();
            let keep = kept.room > 0;
            kept.room -= usize::from(keep);
            keep
        };
        if !keep && self.0.sink.is_none() {
            return None;
        }
        let Some(noted) = Noted::new() else {
            tracing::warn!(state = %request.scope.state, "a call is not recorded: the machine gives no random numbers");
            return None;
        };
        let log = Arc::new(CallLog::new(self.0.limits));
        let surroundings = noted.give();
        let call = RecordedCall {
            recorder: self.clone(),
            keep,
            record: begin(stage, request, input),
            log: log.clone(),
            noted,
        };
        Some(Witnessed {
            capabilities: around(&request.capabilities, &log),
            surroundings: Some(surroundings),
            call: Box::new(call),
        })
    }
}

/// The capabilities, with a recorder around each.
fn around(inner: &Capabilities, log: &Arc<CallLog>) -> Capabilities {
    Capabilities {
        objects: Arc::new(objects::RecordedObjects { inner: inner.objects.clone(), log: log.clone() }),
        transcoder: Arc::new(services::Recorded { inner: inner.transcoder.clone(), log: log.clone() }),
        webhook: Arc::new(services::Recorded { inner: inner.webhook.clone(), log: log.clone() }),
        http: Arc::new(services::Recorded { inner: inner.http.clone(), log: log.clone() }),
    }
}

/// What is known before the call.
fn begin(stage: &Stage, request: &CallRequest, input: &CallInput) -> Record {
    let (identity, scope) = (stage.identity(), &request.scope);
    let (batch, asset) = match input {
        CallInput::Batch(batch) => (batch.as_ref().clone(), None),
        CallInput::Asset(asset) => {
            let mut batch = scope.batch.as_ref().clone();
            // Without an id of the backend's, an archive's name is a digest of the batch's files.
            if batch.batch_id.is_some() || batch.job_id.is_some() {
                batch.assets.clear();
            }
            batch.recount();
            (batch, Some(asset.as_ref().clone()))
        }
    };
    Record {
        format: FORMAT.to_owned(),
        recorded_at: rfc3339(SystemTime::now()),
        host: env!("CARGO_PKG_VERSION").to_owned(),
        stage: StageRef {
            name: identity.name.clone(),
            version: identity.version.clone(),
            digest: identity.digest.clone(),
            world: stage.world(),
        },
        context: Context {
            state: scope.state.clone(),
            execution: scope.execution.clone(),
            started_at: request.started_at.clone(),
            attempt: scope.attempt,
            config: Context::config_from(&request.config),
        },
        limits: request.limits,
        grants: request.grants.clone(),
        batch,
        asset,
        surroundings: Seen::default(),
        calls: Vec::new(),
        contents: Vec::new(),
        // Replaced when the call is over.
        outcome: Outcome::Failed(crate::format::Problem { code: String::new(), message: String::new() }),
        report: Report::default(),
    }
}

pub(crate) fn rfc3339(time: SystemTime) -> String {
    let text = time::OffsetDateTime::from(time).format(&time::format_description::well_known::Rfc3339);
    text.unwrap_or_default()
}

/// One call that is being recorded.
struct RecordedCall {
    recorder: Recorder,
    keep: bool,
    record: Record,
    log: Arc<CallLog>,
    noted: Noted,
}

/// The record, complete. Without `noted` what the guest saw of chance and time was played to it.
fn complete(
    mut record: Record,
    log: Arc<CallLog>,
    noted: Option<&Noted>,
    outcome: &Result<CallOutput, Failure>,
    report: &CallReport,
) -> Recording {
    {
        let mut state = log.state();
        record.calls = std::mem::take(&mut state.calls);
        if let Some((seen, lost)) = noted.map(Noted::seen) {
            record.surroundings = seen;
            state.lost = state.lost.take().or(lost);
        }
    }
    record.recorded_at = rfc3339(report.started_at);
    record.outcome = Outcome::of(outcome);
    record.report = report.into();
    Recording { record, log }
}

#[async_trait]
impl CallWitness for RecordedCall {
    async fn end(
        self: Box<Self>,
        outcome: &Result<CallOutput, Failure>,
        report: &CallReport,
        deadline: Option<Instant>,
    ) {
        let Self { recorder, keep, record, log, noted } = *self;
        let recording = complete(record, log, Some(&noted), outcome, report);
        if let Some(sink) = &recorder.0.sink {
            crate::keep::store_or_say(&recording, sink.as_ref(), deadline).await;
        }
        if keep && recording.log.state().lost.is_none() {
            recorder.0.kept().recordings.push(recording);
        }
    }
}

/// So much is heard of a call that is made again; one that loops would be heard for ever.
const ENTRIES: usize = 100_000;

/// Records one call whose answers and surroundings are given: a replay, or a candidate in the shadow. The bytes that it
/// reads are known already and not kept again.
pub(crate) struct Listener {
    pub(crate) capabilities: Capabilities,
    pub(crate) surroundings: Surroundings,
    pub(crate) heard: Arc<Mutex<Option<Recording>>>,
}

impl Witness for Listener {
    fn begin(&self, stage: &Stage, request: &CallRequest, input: &CallInput) -> Option<Witnessed> {
        let log = Arc::new(CallLog::new(RecordLimits { bytes: 0, entries: ENTRIES }));
        let heard = Heard { record: begin(stage, request, input), log: log.clone(), into: self.heard.clone() };
        Some(Witnessed {
            capabilities: around(&self.capabilities, &log),
            surroundings: Some(self.surroundings.clone()),
            call: Box::new(heard),
        })
    }
}

struct Heard {
    record: Record,
    log: Arc<CallLog>,
    into: Arc<Mutex<Option<Recording>>>,
}

#[async_trait]
impl CallWitness for Heard {
    async fn end(self: Box<Self>, outcome: &Result<CallOutput, Failure>, report: &CallReport, _: Option<Instant>) {
        let Self { record, log, into } = *self;
        *into.lock().unwrap_or_else(PoisonError::into_inner) = Some(complete(record, log, None, outcome, report));
    }
}
