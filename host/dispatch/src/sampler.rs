//! Samples of executions: calls that are recorded, or repeated by a candidate in the shadow of the pinned stage.
//! Sampling changes no answer but costs time, so the pins say for which share of the executions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stagehost_batch::Batch;
use stagehost_pins::{Pin, Pins};
use stagehost_record::{CallRecorder, Candidate, RecordBudget, RecordLimits, Shadow};
use stagehost_runtime::Interceptor;
use stagehost_storage::Storage;

use crate::stage_source::StageSource;

/// How many calls of a state a candidate repeats: enough to compare, few enough to wait for.
const SHADOWED_CALLS: usize = 16;

/// The most bytes that are kept of one call. The record of a call that read more is cut. All calls together need at most half
/// of a function's `/tmp`, which has 512 MiB by default; see [`RecordBudget`].
const RECORDED_BYTES: u64 = 16 << 20;

/// The longest that an answer waits for a candidate. A Lambda function is frozen once it has answered, so the candidate must
/// run before.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// Decides which executions are sampled.
pub struct Sampler {
    shadow: Shadow,
    records: Arc<dyn Storage>,
    budget: RecordBudget,
}

impl Sampler {
    /// Returns a sampler that runs candidates in `shadow` and stores records in `records`.
    pub fn new(shadow: Shadow, records: Arc<dyn Storage>) -> Self {
        Self { shadow, records, budget: RecordBudget::default() }
    }

    /// Returns the sample that the pins ask for of this state in this execution; `None` for most executions.
    pub(crate) fn sample(&self, pins: &Pins, state: &str, execution: &str) -> Option<Sample> {
        let shadow = pins.shadow(state, execution).cloned();
        let limits = RecordLimits { bytes: RECORDED_BYTES, ..RecordLimits::default() };
        let (sink, budget) = (self.records.clone(), self.budget.clone());
        let recorder = match (pins.records(state, execution), &shadow) {
            (false, None) => return None,
            (true, None) => CallRecorder::storing(sink, limits, budget),
            (false, Some(_)) => CallRecorder::keeping(SHADOWED_CALLS, limits, budget),
            (true, Some(_)) => CallRecorder::storing_and_keeping(sink, SHADOWED_CALLS, limits, budget),
        };
        Some(Sample { recorder, candidate: shadow, shadow: self.shadow.clone() })
    }
}

/// One state of one execution that is sampled.
pub(crate) struct Sample {
    recorder: CallRecorder,
    candidate: Option<Pin>,
    shadow: Shadow,
}

impl Sample {
    pub(crate) fn interceptor(&self) -> Arc<dyn Interceptor> {
        Arc::new(self.recorder.clone())
    }

    /// Lets the candidate, if there is one, repeat the calls. `after` is the batch as the pinned stage left it. Returns by
    /// the deadline in any case.
    pub(crate) async fn end(self, stages: &dyn StageSource, after: &Batch, deadline: Option<Instant>) {
        let latest = Instant::now() + MAX_WAIT;
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        if tokio::time::timeout_at(until.into(), self.run_shadow(stages, after, until)).await.is_err() {
            tracing::warn!("there was no time to run a shadow");
        }
    }

    async fn run_shadow(self, stages: &dyn StageSource, after: &Batch, until: Instant) {
        let Some(pin) = self.candidate else { return };
        let stage = match stages.stage(&pin).await {
            Ok(stage) => stage,
            Err(error) => {
                tracing::warn!(stage = %pin.stage, version = %pin.version, %error, "a shadow's stage cannot be loaded");
                return;
            }
        };
        let config = serde_json::Value::Object(pin.config).to_string();
        let candidate = Candidate { stage, config, limits: pin.limits, grants: pin.grants };
        if let Some(report) = self.shadow.run(&candidate, self.recorder.take(), after, Some(until)).await {
            tracing::info!(
                state = %report.state,
                execution = %report.execution,
                stage = %report.candidate.name,
                version = %report.candidate.version,
                digest = %report.candidate.digest,
                calls = report.calls.len(),
                not_run = report.not_run,
                "a candidate ran in the shadow"
            );
        }
    }
}
