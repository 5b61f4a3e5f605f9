//! Calls that are looked at more closely than others: recorded, or made a second time by a candidate in the shadow of the
//! pinned stage. Neither changes an answer; both cost time, which is why pins say for how many executions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stagehost_batch::Batch;
use stagehost_pins::{Pin, Pins};
use stagehost_record::{Candidate, RecordLimits, Recorder, Shadow};
use stagehost_runtime::Witness;
use stagehost_storage::Storage;

use crate::dispatcher::StageSource;

/// How many calls of a state a candidate repeats: enough to compare, few enough to wait for.
const SHADOWED_CALLS: usize = 16;

/// What is kept of one call: all of them together fit into half of a function's folder for temporary files, which has 512 MiB
/// unless told otherwise. Of a call that read more, what is left out is said.
const RECORDED_BYTES: u64 = 16 << 20;

/// The longest that an answer waits for a candidate.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where recordings and reports go.
pub struct Trials {
    shadow: Shadow,
    records: Arc<dyn Storage>,
}

impl Trials {
    /// Candidates run in `shadow`; recordings go to `records`.
    pub fn new(shadow: Shadow, records: Arc<dyn Storage>) -> Self {
        Self { shadow, records }
    }

    /// What the pins want of this state in this execution; `None`, as nearly always, if nothing.
    pub(crate) fn begin(&self, pins: &Pins, state: &str, execution: &str) -> Option<Trial> {
        let shadow = pins.shadow(state, execution).cloned();
        let limits = RecordLimits { bytes: RECORDED_BYTES, ..RecordLimits::default() };
        let recorder = match (pins.records(state, execution), &shadow) {
            (false, None) => return None,
            (true, None) => Recorder::storing(self.records.clone(), limits),
            (false, Some(_)) => Recorder::keeping(SHADOWED_CALLS, limits),
            (true, Some(_)) => Recorder::storing_and_keeping(self.records.clone(), SHADOWED_CALLS, limits),
        };
        Some(Trial { recorder, shadow, running: self.shadow.clone() })
    }
}

/// One state of one execution, looked at.
pub(crate) struct Trial {
    recorder: Recorder,
    shadow: Option<Pin>,
    running: Shadow,
}

impl Trial {
    pub(crate) fn witness(&self) -> Arc<dyn Witness> {
        Arc::new(self.recorder.clone())
    }

    /// Has the candidate repeat what was done, if there is one. `after` is the batch as the pinned stage left it. By the
    /// deadline it is back, whatever the candidate or the store that it comes from may do.
    pub(crate) async fn end(self, stages: &dyn StageSource, after: &Batch, deadline: Option<Instant>) {
        let patience = Instant::now() + PATIENCE;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        if tokio::time::timeout_at(until.into(), self.run_shadow(stages, after, until)).await.is_err() {
            tracing::warn!("there was no time to run a shadow");
        }
    }

    async fn run_shadow(self, stages: &dyn StageSource, after: &Batch, until: Instant) {
        let Some(pin) = self.shadow else { return };
        let stage = match stages.stage(&pin).await {
            Ok(stage) => stage,
            Err(error) => {
                tracing::warn!(stage = %pin.stage, version = %pin.version, %error, "a shadow's stage cannot be loaded");
                return;
            }
        };
        let config = serde_json::Value::Object(pin.config).to_string();
        let candidate = Candidate { stage, config, limits: pin.limits, grants: pin.grants };
        if let Some(report) = self.running.run(&candidate, self.recorder.take(), after, Some(until)).await {
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
