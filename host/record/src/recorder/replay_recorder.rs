//! Records a call that repeats a recorded one: a replay, or a candidate in the shadow.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use stagehost_batch::Failure;
use stagehost_runtime::capability::Capabilities;
use stagehost_runtime::{
    CallEnd, CallInput, CallOutput, CallReport, CallRequest, ClocksAndRandom, Interception, Interceptor, Stage, lock,
};

use super::capabilities::recorded;
use super::record::{begin, complete};
use crate::budget::RecordBudget;
use crate::log::{CallLog, RecordLimits};
use crate::record_format::Record;
use crate::recording::Recording;

/// Records one call with given capabilities and clocks. The bytes that it reads are recorded already and not kept again.
pub(crate) struct ReplayRecorder {
    pub(crate) capabilities: Capabilities,
    pub(crate) clocks_and_random: ClocksAndRandom,
    /// How much of the repeated call is kept. A limit of zero for `bytes` is right: what it reads is recorded already.
    pub(crate) limits: RecordLimits,
    /// What the record is charged to.
    pub(crate) budget: RecordBudget,
    /// Receives the recording when the call has ended.
    pub(crate) recording: Arc<Mutex<Option<Recording>>>,
}

impl Interceptor for ReplayRecorder {
    fn intercept(&self, stage: &Stage, request: &CallRequest, input: &CallInput) -> Option<Interception> {
        let log = Arc::new(CallLog::new(self.limits, &self.budget));
        let record = begin(stage, request, input);
        let call = ReplayedCall { record, log: log.clone(), recording: self.recording.clone() };
        Some(Interception {
            capabilities: recorded(&self.capabilities, &log),
            clocks_and_random: Some(self.clocks_and_random.clone()),
            on_end: Box::new(call),
        })
    }
}

struct ReplayedCall {
    record: Record,
    log: Arc<CallLog>,
    recording: Arc<Mutex<Option<Recording>>>,
}

#[async_trait]
impl CallEnd for ReplayedCall {
    async fn ended(self: Box<Self>, outcome: &Result<CallOutput, Failure>, report: &CallReport, _: Option<Instant>) {
        let Self { record, log, recording } = *self;
        *lock(&recording) = Some(complete(record, log, None, outcome, report));
    }
}
