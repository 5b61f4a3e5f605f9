//! The record of a call, before and after it.

use std::sync::Arc;
use std::time::SystemTime;

use stagehost_batch::Failure;
use stagehost_runtime::{CallInput, CallOutput, CallReport, CallRequest, Stage};

use crate::clocks::ClockRecorder;
use crate::log::{CallLog, cost};
use crate::record_format::{Context, FORMAT, Outcome, Problem, Record, Report, SeedAndReadings, StageRef};
use crate::recording::Recording;
use crate::timestamp::rfc3339;

/// Returns a record with everything that is known before the call.
pub(super) fn begin(stage: &Stage, request: &CallRequest, input: &CallInput) -> Record {
    let scope = &request.scope;
    let (batch, asset) = match input {
        CallInput::Batch(batch) => (batch.as_ref().clone(), None),
        CallInput::Asset(asset) => {
            let mut batch = scope.batch.as_ref().clone();
            // The files are needed only if archives are named after them, which they are without an id of the backend.
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
        stage: StageRef::of(stage),
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
        clocks_and_random: SeedAndReadings::default(),
        calls: Vec::new(),
        contents: Vec::new(),
        // Replaced when the call has ended.
        outcome: Outcome::Failed(Problem { code: String::new(), message: String::new() }),
        report: Report::default(),
        cut: None,
    }
}

/// Completes a record after the call. Without `clocks`, the guest saw replayed clocks, and neither these nor the bytes that
/// it read are recorded again.
pub(super) fn complete(
    mut record: Record,
    log: Arc<CallLog>,
    clocks: Option<&ClockRecorder>,
    outcome: &Result<CallOutput, Failure>,
    report: &CallReport,
) -> Recording {
    if let Some(clocks) = clocks {
        record.clocks_and_random = clocks.finish();
    }
    record.recorded_at = rfc3339(report.started_at);
    record.outcome = Outcome::of(outcome);
    let bytes = cost(&record.outcome);
    if !log.charge(bytes) {
        record.outcome = Outcome::NotRecorded { bytes };
    }
    {
        let mut state = log.state();
        record.calls = std::mem::take(&mut state.calls);
        record.cut = state.cut.or(state.contents_cut.filter(|_| clocks.is_some()));
    }
    record.report = report.into();
    Recording { record: Arc::new(record), log }
}
