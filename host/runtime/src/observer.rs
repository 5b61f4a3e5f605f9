//! Events of running calls, for progress display and metrics.

use std::time::SystemTime;

use stagehost_batch::Failure;

use crate::call::CallReport;
use crate::capability::CallScope;

/// An event of a call or of a transcoding job.
#[derive(Clone, Copy, Debug)]
pub enum AssetEvent<'a> {
    /// A call began.
    Started {
        /// The state.
        state: &'a str,
        /// The asset's key; `None` for a batch stage.
        key: Option<&'a str>,
    },
    /// A stage reported its progress.
    Progress {
        /// The state.
        state: &'a str,
        /// The asset's key; `None` for a batch stage.
        key: Option<&'a str>,
        /// The amount done, in the stage's own unit.
        done: u64,
        /// The total, in the same unit.
        total: u64,
    },
    /// A transcoding job reported its progress.
    Job {
        /// The service's id of the job.
        id: &'a str,
        /// Percent done, if reported.
        percent: Option<u64>,
    },
    /// A transcoding job ended.
    JobEnded {
        /// The service's id of the job.
        id: &'a str,
        /// The batch's `traceparent`, as the job was submitted with it.
        traceparent: &'a str,
        /// The state that submitted it.
        state: &'a str,
        /// The listing.
        listing: &'a str,
        /// When it was submitted, by the host's clock.
        submitted: SystemTime,
        /// When it ended, by the service's clock.
        ended: SystemTime,
        /// Why it failed, if it did.
        failure: Option<&'a str>,
    },
    /// A stage wrote a line for the log.
    Logged {
        /// Which call it was: execution, batch, and the stage that ran.
        scope: &'a CallScope,
        /// The asset's key; `None` for a batch stage.
        key: Option<&'a str>,
        /// The line.
        line: LogLine<'a>,
    },
    /// A stage measured something. One event for each call that did, before its end.
    Measured {
        /// Which call it was: execution, batch, and the stage that ran.
        scope: &'a CallScope,
        /// One for each name.
        measures: &'a [Measure],
    },
    /// A call ended.
    Ended {
        /// The state.
        state: &'a str,
        /// Which call it was: execution, batch, and the stage that ran.
        scope: &'a CallScope,
        /// The asset's key; `None` for a batch stage.
        key: Option<&'a str>,
        /// Why it failed, if it did.
        failure: Option<&'a Failure>,
        /// Time and resources that it used.
        report: &'a CallReport,
        /// The end of what it printed on standard output and standard error: at most 8 KiB.
        printed: &'a str,
    },
    /// A batch stage returned a note.
    Note {
        /// The state.
        state: &'a str,
        /// One line for the person who watches.
        note: &'a str,
    },
}

/// How important a stage says that a line of its log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum StageLogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl StageLogLevel {
    /// Returns its name, as in the host's own lines: `INFO`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }
}

/// A line that a stage wrote for the log; its length is bounded.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// How important it is.
    pub level: StageLogLevel,
    /// The text, of at most 4 KiB. Untrusted.
    pub message: &'a str,
    /// Names and values, at most 16. Untrusted.
    pub fields: &'a [(String, String)],
}

/// Numbers of one name that a call measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// The numbers.
    pub value: MeasuredValue,
}

/// The numbers of a [`Measure`].
#[derive(Clone, Debug, PartialEq)]
pub enum MeasuredValue {
    /// The sum of a counter.
    Count(u64),
    /// Durations in milliseconds, at most 100.
    Milliseconds(Vec<f64>),
}

/// Receives the events of calls. Must not block.
pub trait Observer: Send + Sync + 'static {
    /// Receives one event.
    fn on(&self, event: AssetEvent<'_>);

    /// Returns whether a line of this level is kept. Others are not counted against what is kept of one call.
    fn keeps(&self, _level: StageLogLevel) -> bool {
        true
    }
}

impl Observer for () {
    fn on(&self, _: AssetEvent<'_>) {}
}
