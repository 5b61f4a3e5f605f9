//! The calls of one state, gathered until the invocation ends.
//!
//! A state has one call per file. A line and a segment for each would cost more than the work; so they are gathered,
//! in bounded memory: sums go on for ever, single calls are kept up to a limit.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use stagehost_batch::{Case, Failure};
use stagehost_runtime::CallReport;
use stagehost_runtime::capability::CallScope;

/// How many calls of a state are kept one by one. A batch has 60 files unless its limits are raised.
const KEPT: usize = 1000;

/// How much of a failure's message is kept, in characters.
const MESSAGE: usize = 500;

/// Which state of which execution, and what ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
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

impl Context {
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

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The file; `None` for a batch stage.
    pub(crate) key: Option<String>,
    pub(crate) report: CallReport,
    pub(crate) failure: Option<(Case, String)>,
}

impl Call {
    pub(crate) fn ended_at(&self) -> SystemTime {
        self.report.started_at.checked_add(self.report.duration).unwrap_or(self.report.started_at)
    }
}

/// What there is to say of one state.
#[derive(Clone, Debug)]
pub(crate) struct StateCalls {
    pub(crate) context: Context,
    /// All calls, those that were not kept included.
    pub(crate) count: u64,
    pub(crate) failures: BTreeMap<&'static str, u64>,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    /// The first calls to end.
    pub(crate) kept: Vec<Call>,
}

impl StateCalls {
    pub(crate) fn new(context: Context) -> Self {
        Self { context, count: 0, failures: BTreeMap::new(), bytes_read: 0, bytes_written: 0, kept: Vec::new() }
    }

    pub(crate) fn add(&mut self, key: Option<&str>, failure: Option<&Failure>, report: &CallReport) {
        self.count += 1;
        self.bytes_read = self.bytes_read.saturating_add(report.bytes_read);
        self.bytes_written = self.bytes_written.saturating_add(report.bytes_written);
        if let Some(failure) = failure {
            *self.failures.entry(failure.case.name()).or_default() += 1;
        }
        if self.kept.len() < KEPT {
            let failure = failure.map(|f| (f.case, f.message.chars().take(MESSAGE).collect()));
            self.kept.push(Call { key: key.map(str::to_owned), report: *report, failure });
        }
    }

    /// From the first call's begin to the last one's end.
    pub(crate) fn span(&self) -> Option<(SystemTime, SystemTime)> {
        let begin = self.kept.iter().map(|call| call.report.started_at).min()?;
        let end = self.kept.iter().map(Call::ended_at).max()?;
        Some((begin, end))
    }
}

/// Milliseconds, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
