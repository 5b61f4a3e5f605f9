//! Starting, watching and stopping an execution.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::definition::model::StateMachine;
use crate::error::StateError;
use crate::history::event::{Detail, Event};
use crate::history::log::{Cursor, History};
use crate::history::text::JsonText;
use crate::interpreter::flow::execute;
use crate::interpreter::run::Run;
use crate::tasks::execution_info::ExecutionInfo;
use crate::tasks::resources::Resources;
use crate::tasks::tokens::TokenBoard;

/// The parameters of [`Execution::start`].
#[derive(Clone, Debug, Default)]
pub struct StartRequest {
    /// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME`
    pub arn: String,
    /// The last part of the ARN.
    pub name: String,
    /// The state machine's ARN.
    pub state_machine_arn: String,
    /// The state machine's name.
    pub state_machine_name: String,
    /// The state machine's role. It is shown and not used.
    pub role_arn: String,
    /// The input of the first state.
    pub input: Value,
    /// The X-Ray trace header from `StartExecution`.
    pub trace_header: Option<String>,
}

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

#[derive(Clone, Debug)]
struct Stop {
    error: Option<String>,
    cause: Option<String>,
}

impl Execution {
    /// Starts an execution on the current tokio runtime.
    pub fn start(
        machine: Arc<StateMachine>,
        request: StartRequest,
        resources: Arc<dyn Resources>,
        tokens: TokenBoard,
    ) -> Self {
        let clock = Clock::new();
        let info = Arc::new(ExecutionInfo {
            arn: request.arn,
            name: request.name,
            state_machine_arn: request.state_machine_arn,
            state_machine_name: request.state_machine_name,
            role_arn: request.role_arn,
            input: request.input,
            trace_header: request.trace_header,
            started_at: clock.now(),
        });
        let history = Arc::new(History::new(clock));
        let started = Detail::ExecutionStarted { input: JsonText::of(&info.input), role_arn: info.role_arn.clone() };
        // The next event does not point to this one; it does not on the service either.
        history.record(&Cursor::default(), started);
        let (stop, stopped) = watch::channel(None);
        let execution = Self { info: info.clone(), history: history.clone(), stop };
        let run = Run { machine, info, resources, tokens, history, clock };
        tokio::spawn(supervise(run, stopped));
        execution
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

/// Runs the machine until it ends, is stopped or times out, and records the last event.
async fn supervise(run: Run, mut stopped: watch::Receiver<Option<Stop>>) {
    let cursor = Cursor::default();
    let stop = async {
        let stop = stopped.wait_for(Option::is_some).await.ok().and_then(|stop| stop.clone());
        match stop {
            Some(stop) => stop,
            // Every handle has been dropped, so it cannot be stopped.
            None => std::future::pending().await,
        }
    };
    let timeout = async {
        match run.machine.timeout {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let work = AssertUnwindSafe(execute(&run, &cursor)).catch_unwind();
    let last = tokio::select! {
        biased;
        Stop { error, cause } = stop => {
            // On the service, a stop has no previous event.
            cursor.set(0);
            Detail::ExecutionAborted { error, cause }
        }
        result = work => match result {
            Ok(Ok(output)) => Detail::ExecutionSucceeded { output: output.text },
            Ok(Err(error)) => failed(error, &cursor),
            Err(_) => failed(StateError::runtime("The implementation of a resource panicked."), &cursor),
        },
        () = timeout => Detail::ExecutionTimedOut { error: None, cause: None },
    };
    run.history.record(&cursor, last);
}

fn failed(error: StateError, cursor: &Cursor) -> Detail {
    if error.is_runtime() {
        // A failure of the machine itself points to the last event, even to one beside the chain.
        cursor.set(cursor.published());
    }
    Detail::ExecutionFailed { error: Some(error.error).filter(|name| !name.is_empty()), cause: error.cause }
}
