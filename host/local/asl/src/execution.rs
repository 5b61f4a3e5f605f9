//! A handle of an execution: its state, its events, and stopping it.

use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::history::event::{Detail, Event};
use crate::history::log::History;
use crate::tasks::execution_info::ExecutionInfo;

/// The status of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    /// Returns the name in the API: `TIMED_OUT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Never [`Status::Running`].
    pub status: Status,
    /// The last state's output, if the execution succeeded.
    pub output: Option<Value>,
    /// The error's name, if it did not.
    pub error: Option<String>,
    /// The error's cause.
    pub cause: Option<String>,
    /// When it ended.
    pub stopped_at: OffsetDateTime,
}

/// A running or ended execution. Cheap to clone; it continues when every handle has been dropped.
#[derive(Clone, Debug)]
pub struct Execution {
    info: Arc<ExecutionInfo>,
    history: Arc<History>,
    stop: watch::Sender<Option<Stop>>,
}

/// A stop that was asked for, with the reason for the last event.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    pub error: Option<String>,
    pub cause: Option<String>,
}

impl Execution {
    /// Returns a handle of an execution that runs. `stop` is where its task expects a stop.
    pub(crate) fn new(info: Arc<ExecutionInfo>, history: Arc<History>, stop: watch::Sender<Option<Stop>>) -> Self {
        Self { info, history, stop }
    }

    /// Returns the properties that were fixed at its start.
    pub fn info(&self) -> &ExecutionInfo {
        &self.info
    }

    /// Returns the status.
    pub fn status(&self) -> Status {
        self.history.last().and_then(|event| status(&event)).unwrap_or(Status::Running)
    }

    /// Returns how it ended, or `None` while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        self.history.last().and_then(|event| outcome(&event))
    }

    /// Returns the events so far.
    pub fn history(&self) -> Vec<Arc<Event>> {
        self.history.from(0)
    }

    /// Returns the memory that the events hold, in bytes, so that a caller can bound what it keeps.
    pub fn history_bytes(&self) -> usize {
        self.history.bytes()
    }

    /// Returns a stream of all events from the first one on.
    pub fn subscribe(&self) -> Events {
        Events { history: self.history.clone(), count: self.history.watch(), next: 0 }
    }

    /// Waits for the end and returns how the execution ended.
    pub async fn wait(&self) -> Outcome {
        let mut count = self.history.watch();
        loop {
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            if count.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Stops it at once. Returns whether it was still running.
    pub fn stop(&self, error: Option<String>, cause: Option<String>) -> bool {
        let running = self.status() == Status::Running;
        running && self.stop.send(Some(Stop { error, cause })).is_ok()
    }
}

/// The events of an execution, in order and without gaps.
#[derive(Debug)]
pub struct Events {
    history: Arc<History>,
    count: watch::Receiver<usize>,
    next: usize,
}

impl Events {
    /// Returns the next event; `None` after the one that ends the execution.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        if self.next.checked_sub(1).and_then(|last| self.history.get(last)).is_some_and(|event| event.is_last()) {
            return None;
        }
        loop {
            if let Some(event) = self.history.get(self.next) {
                self.next += 1;
                return Some(event);
            }
            self.count.changed().await.ok()?;
        }
    }
}

/// Returns the status that an event ends the execution with.
fn status(event: &Event) -> Option<Status> {
    match &event.detail {
        Detail::ExecutionSucceeded { .. } => Some(Status::Succeeded),
        Detail::ExecutionFailed { .. } => Some(Status::Failed),
        Detail::ExecutionTimedOut { .. } => Some(Status::TimedOut),
        Detail::ExecutionAborted { .. } => Some(Status::Aborted),
        _ => None,
    }
}

fn outcome(event: &Event) -> Option<Outcome> {
    let status = status(event)?;
    let (output, error, cause) = match &event.detail {
        Detail::ExecutionSucceeded { output } => (Some(output.value()), None, None),
        Detail::ExecutionFailed { error, cause }
        | Detail::ExecutionTimedOut { error, cause }
        | Detail::ExecutionAborted { error, cause } => (None, error.clone(), cause.clone()),
        _ => return None,
    };
    Some(Outcome { status, output, error, cause, stopped_at: event.timestamp })
}
