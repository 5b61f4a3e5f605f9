//! Records the calls of a [`Fanout`](stagehost_runtime::Fanout).

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
use crate::clocks::ClockRecorder;
use crate::log::{CallLog, RecordLimits};
use crate::record_format::Record;
use crate::recording::Recording;
use crate::store::store_or_log;

/// Records every call that it intercepts, by `fanout.intercepted(Arc::new(recorder)).run(…)`.
///
/// Recording never fails a call: if a call cannot be recorded, the log says so. Storing a record takes at most half of the
/// time until the call's deadline, and at most 20 seconds.
///
/// The dispatcher makes a recorder for each state of an execution that the pins' `recordings` or `shadows` select. Cheap to
/// clone; clones share the recordings.
#[derive(Clone)]
pub struct CallRecorder(Arc<Inner>);

struct Inner {
    limits: RecordLimits,
    sink: Option<Arc<dyn Storage>>,
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
    pub fn storing(sink: Arc<dyn Storage>, limits: RecordLimits) -> Self {
        Self::new(Some(sink), limits, 0)
    }

    /// Returns a recorder that keeps the first `calls` calls for [`take`](Self::take), for a shadow.
    pub fn keeping(calls: usize, limits: RecordLimits) -> Self {
        Self::new(None, limits, calls)
    }

    /// Returns a recorder that stores every call and keeps the first `calls` calls.
    pub fn storing_and_keeping(sink: Arc<dyn Storage>, calls: usize, limits: RecordLimits) -> Self {
        Self::new(Some(sink), limits, calls)
    }

    fn new(sink: Option<Arc<dyn Storage>>, limits: RecordLimits, room: usize) -> Self {
        Self(Arc::new(Inner { limits, sink, kept: Mutex::new(Kept { room, recordings: Vec::new() }) }))
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
        let Some(clocks) = ClockRecorder::new() else {
            tracing::warn!(state = %request.scope.state, "a call is not recorded: the machine gives no random numbers");
            return None;
        };
        let log = Arc::new(CallLog::new(self.0.limits));
        let clocks_and_random = clocks.clocks_and_random();
        let record = begin(stage, request, input);
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
        if let Some(sink) = &recorder.0.sink {
            store_or_log(&recording, sink.as_ref(), deadline).await;
        }
        if keep && recording.log.state().calls_missing.is_none() {
            lock(&recorder.0.kept).recordings.push(recording);
        }
    }
}
