//! Records the calls of a [`Fanout`](stagehost_runtime::Fanout).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use stagehost_batch::Failure;
use stagehost_runtime::{
    CallEnd, CallInput, CallOutput, CallReport, CallRequest, Interception, Interceptor, Stage, lock,
};
use stagehost_storage::Storage;

use super::capabilities::recorded;
use super::record::{begin, complete};
use crate::budget::RecordBudget;
use crate::clocks::ClockRecorder;
use crate::log::{CallLog, RecordLimits, cost};
use crate::record_format::Record;
use crate::recording::Recording;
use crate::store::store_or_log;

/// Records every call that it intercepts, by `fanout.intercepted(Arc::new(recorder)).run(…)`.
///
/// Recording never fails a call: a record that reaches a limit is cut there, and if a call cannot be recorded, the log says
/// so. A call's answer waits for the storing of its record at most [`RecordLimits::wait`], and at most half of the time until
/// its deadline. Once the store was too slow, this recorder stores nothing more.
///
/// The dispatcher makes a recorder for each state of an execution that the pins' `recordings` or `shadows` select. Cheap to
/// clone; clones share the recordings.
#[derive(Clone)]
pub struct CallRecorder(Arc<Inner>);

struct Inner {
    limits: RecordLimits,
    budget: RecordBudget,
    sink: Option<Arc<dyn Storage>>,
    /// Whether the store was too slow once.
    gave_up: AtomicBool,
    kept: Mutex<Kept>,
}

/// Recordings that are kept in memory.
#[derive(Default)]
struct Kept {
    /// How many more may be kept.
    room: usize,
    recordings: Vec<Recording>,
}

impl CallRecorder {
    /// Returns a recorder that stores every call in `sink` as soon as it has ended.
    pub fn storing(sink: Arc<dyn Storage>, limits: RecordLimits, budget: RecordBudget) -> Self {
        Self::new(Some(sink), limits, budget, 0)
    }

    /// Returns a recorder that keeps the first `calls` calls for [`take`](Self::take), for a shadow.
    pub fn keeping(calls: usize, limits: RecordLimits, budget: RecordBudget) -> Self {
        Self::new(None, limits, budget, calls)
    }

    /// Returns a recorder that stores every call and keeps the first `calls` calls.
    pub fn storing_and_keeping(
        sink: Arc<dyn Storage>,
        calls: usize,
        limits: RecordLimits,
        budget: RecordBudget,
    ) -> Self {
        Self::new(Some(sink), limits, budget, calls)
    }

    fn new(sink: Option<Arc<dyn Storage>>, limits: RecordLimits, budget: RecordBudget, room: usize) -> Self {
        let (gave_up, kept) = (AtomicBool::new(false), Mutex::new(Kept { room, recordings: Vec::new() }));
        Self(Arc::new(Inner { limits, budget, sink, gave_up, kept }))
    }

    /// Takes the kept calls that have ended.
    pub fn take(&self) -> Vec<Recording> {
        std::mem::take(&mut lock(&self.0.kept).recordings)
    }
}

impl Interceptor for CallRecorder {
    fn intercept(&self, stage: &Stage, request: &CallRequest, input: &CallInput) -> Option<Interception> {
        let keep = {
            let mut kept = lock(&self.0.kept);
            let keep = kept.room > 0;
            kept.room -= usize::from(keep);
            keep
        };
        if !keep && self.0.sink.is_none() {
            return None;
        }
        let state = &request.scope.state;
        let log = Arc::new(CallLog::new(self.0.limits, &self.0.budget));
        let Some(clocks) = ClockRecorder::new(log.clone()) else {
            tracing::warn!(state, "a call is not recorded: the machine gives no random numbers");
            return None;
        };
        let clocks_and_random = clocks.clocks_and_random();
        let record = begin(stage, request, input);
        let bytes = cost(&record);
        if !log.charge(bytes) {
            tracing::warn!(state, bytes, "a call is not recorded: there is no room for its input");
            return None;
        }
        let call = RecordedCall { recorder: self.clone(), keep, record, log: log.clone(), clocks };
        Some(Interception {
            capabilities: recorded(&request.capabilities, &log),
            clocks_and_random: Some(clocks_and_random),
            on_end: Box::new(call),
        })
    }
}

/// A call that is being recorded.
struct RecordedCall {
    recorder: CallRecorder,
    keep: bool,
    record: Record,
    log: Arc<CallLog>,
    clocks: ClockRecorder,
}

#[async_trait]
impl CallEnd for RecordedCall {
    async fn ended(
        self: Box<Self>,
        outcome: &Result<CallOutput, Failure>,
        report: &CallReport,
        deadline: Option<Instant>,
    ) {
        let Self { recorder, keep, record, log, clocks } = *self;
        let recording = complete(record, log, Some(&clocks), outcome, report);
        // A record that is only cut in what was read is complete for a shadow, which reads the objects themselves.
        let keep = keep && recording.log.state().cut.is_none();
        let Inner { limits, budget, sink, gave_up, kept } = &*recorder.0;
        let kept_one = match sink {
            None => keep.then_some(recording),
            Some(_) if gave_up.load(Ordering::Relaxed) => keep.then_some(recording),
            Some(sink) => {
                let kept_one = keep.then(|| recording.clone());
                if !store_or_log(recording, sink, budget, limits.wait, deadline).await {
                    gave_up.store(true, Ordering::Relaxed);
                }
                kept_one
            }
        };
        lock(kept).recordings.extend(kept_one);
    }
}
