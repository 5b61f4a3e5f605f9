//! The calls of one state, collected until the invocation ends.
//!
//! A state has one call per file. A line and a segment for each call as it ends would cost more than the call. So calls
//! are collected in bounded memory: sums include every call, details are kept up to a limit.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use stagehost_batch::{Case, Failure};
use stagehost_runtime::CallReport;
use stagehost_runtime::capability::CallScope;

/// How many calls of a state are kept with their details. A batch has 60 files unless its limits are raised.
const MAX_CALLS: usize = 1000;

/// How many characters of a failure's message are kept.
const MAX_MESSAGE: usize = 500;

/// The state of an execution, and the stage that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateContext {
    pub(crate) state: String,
    pub(crate) execution: String,
    pub(crate) attempt: u32,
    pub(crate) listing: String,
    pub(crate) batch: Option<String>,
    pub(crate) job: Option<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) stage: String,
    pub(crate) version: String,
    pub(crate) digest: String,
}

impl StateContext {
    pub(crate) fn of(scope: &CallScope) -> Self {
        Self {
            state: scope.state.clone(),
            execution: scope.execution.clone(),
            attempt: scope.attempt,
            listing: scope.batch.listing.id.to_string(),
            batch: scope.batch.batch_id.as_ref().map(ToString::to_string),
            job: scope.batch.job_id.as_ref().map(ToString::to_string),
            traceparent: scope.batch.traceparent.clone(),
            stage: scope.provenance.stage.clone(),
            version: scope.provenance.version.clone(),
            digest: scope.provenance.digest.clone(),
        }
    }
}

/// A call that has ended.
#[derive(Clone, Debug)]
pub(crate) struct EndedCall {
    /// The key of the file; `None` for a stage that is called once per batch.
    pub(crate) key: Option<String>,
    pub(crate) report: CallReport,
    pub(crate) failure: Option<(Case, String)>,
}

impl EndedCall {
    pub(crate) fn ended_at(&self) -> SystemTime {
        self.report.started_at.checked_add(self.report.duration).unwrap_or(self.report.started_at)
    }
}

/// All calls of one state.
#[derive(Clone, Debug)]
pub(crate) struct StateCalls {
    pub(crate) context: StateContext,
    /// The number of all calls, including those that are not kept.
    pub(crate) count: u64,
    /// The number of failed calls by the name of their case.
    pub(crate) failures: BTreeMap<&'static str, u64>,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    /// The calls that ended first, up to the limit.
    pub(crate) kept: Vec<EndedCall>,
}

impl StateCalls {
    pub(crate) fn new(context: StateContext) -> Self {
        Self { context, count: 0, failures: BTreeMap::new(), bytes_read: 0, bytes_written: 0, kept: Vec::new() }
    }

    pub(crate) fn add(&mut self, key: Option<&str>, failure: Option<&Failure>, report: &CallReport) {
        self.count += 1;
        self.bytes_read = self.bytes_read.saturating_add(report.bytes_read);
        self.bytes_written = self.bytes_written.saturating_add(report.bytes_written);
        if let Some(failure) = failure {
            *self.failures.entry(failure.case.name()).or_default() += 1;
        }
        if self.kept.len() < MAX_CALLS {
            let failure = failure.map(|f| (f.case, f.message.chars().take(MAX_MESSAGE).collect()));
            self.kept.push(EndedCall { key: key.map(str::to_owned), report: *report, failure });
        }
    }

    /// Returns when the first call began and when the last one ended; `None` without calls.
    pub(crate) fn span(&self) -> Option<(SystemTime, SystemTime)> {
        let begin = self.kept.iter().map(|call| call.report.started_at).min()?;
        let end = self.kept.iter().map(EndedCall::ended_at).max()?;
        Some((begin, end))
    }
}

/// Returns milliseconds with three decimals.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A transcoding job that has ended.
pub(crate) struct EndedJob<'a> {
    pub(crate) id: &'a str,
    pub(crate) state: &'a str,
    pub(crate) listing: &'a str,
    /// From the submission to the end.
    pub(crate) span: (SystemTime, SystemTime),
    /// Why it failed, if it did.
    pub(crate) failure: Option<&'a str>,
}
