//! A handle of an execution: its state, its events, and stopping it.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::history::event::{Detail, Event};
use crate::history::log::{Cursor, History};
use crate::limits::HISTORY_EVENTS;
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
    /// `None` if it cannot be redriven.
    redrive: Option<Arc<Redrive>>,
}

/// What a redrive needs.
pub(crate) struct Redrive {
    restart: Box<dyn Restart>,
    redrives: Mutex<Redrives>,
}

/// An execution that has ended and can go on.
pub(crate) trait Restart: Send + Sync {
    /// Goes on after the event that the cursor stands at. `count` is the number of redrives with this one.
    fn run_on(&self, count: u64, cursor: Cursor, stopped: watch::Receiver<Option<Stop>>);

    /// Returns about the memory that is held for it, in bytes.
    fn held_bytes(&self) -> usize;
}

impl Redrive {
    /// Returns what a redrive of this execution needs.
    pub fn new(restart: impl Restart + 'static) -> Self {
        Self { restart: Box::new(restart), redrives: Mutex::default() }
    }
}

impl fmt::Debug for Redrive {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Redrive").field("redrives", &self.redrives).finish_non_exhaustive()
    }
}

/// The redrives of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redrives {
    /// How many there were.
    pub count: u64,
    /// When the last one was.
    pub at: Option<OffsetDateTime>,
}

/// Why an execution cannot be redriven, in the service's words where it has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotRedrivable(pub String);

/// A stop that was asked for, with the reason for the last event.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    pub error: Option<String>,
    pub cause: Option<String>,
}

impl Execution {
    /// Returns a handle of an execution that runs. `stop` is where its task expects a stop.
    pub(crate) fn new(
        info: Arc<ExecutionInfo>,
        history: Arc<History>,
        stop: watch::Sender<Option<Stop>>,
        redrive: Option<Arc<Redrive>>,
    ) -> Self {
        Self { info, history, stop, redrive }
    }

    /// Goes on with an execution that ended without success, from the state where it stopped. What had succeeded is not
    /// done again; retries are counted from zero.
    ///
    /// # Errors
    /// It runs or has succeeded, it is of a kind that cannot be redriven, or its history has no more room.
    pub fn redrive(&self) -> Result<(), NotRedrivable> {
        let refuse = |reason: &str| Err(NotRedrivable(reason.to_owned()));
        let Some(redrive) = &self.redrive else {
            return refuse("Child executions are redriven with their execution");
        };
        if self.info.express {
            return refuse("Execution is EXPRESS and cannot be redriven");
        }
        // Locked until the event is recorded: of two at once, the second sees an execution that runs.
        let mut redrives = redrive.redrives.lock();
        let status = self.status();
        if matches!(status, Status::Running | Status::Succeeded) {
            return refuse(&format!("Execution is {} and cannot be redriven", status.as_str()));
        }
        if self.history.len() + 2 >= HISTORY_EVENTS {
            return refuse("Execution history has no room for the events of a redrive");
        }
        redrives.count += 1;
        let cursor = Cursor::default();
        cursor.set(self.history.len() as u64);
        self.stop.send_replace(None);
        self.history.record(&cursor, Detail::ExecutionRedriven { count: redrives.count });
        redrives.at = self.history.last().map(|event| event.timestamp);
        redrive.restart.run_on(redrives.count, cursor, self.stop.subscribe());
        Ok(())
    }

    /// Returns how often it was redriven, and when last.
    pub fn redrives(&self) -> Redrives {
        self.redrive.as_ref().map(|redrive| *redrive.redrives.lock()).unwrap_or_default()
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

    /// Returns the memory that the events and the place for a redrive hold, in bytes, so that a caller can bound what it keeps.
    pub fn history_bytes(&self) -> usize {
        self.history.bytes() + self.redrive.as_ref().map_or(0, |redrive| redrive.restart.held_bytes())
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
    /// Returns the next event; `None` after the one that ends the execution, unless a redrive went on from there.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.history.get(self.next) {
                self.next += 1;
                return Some(event);
            }
            if self.next.checked_sub(1).and_then(|last| self.history.get(last)).is_some_and(|event| event.is_last()) {
                return None;
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
