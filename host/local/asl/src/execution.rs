//! An execution as its owner sees it: started, watched, stopped.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::error::StateError;
use crate::history::{Cursor, Detail, Event, History};
use crate::interpreter::Run;
use crate::model::StateMachine;
use crate::task::Resources;
use crate::tokens::TokenBoard;

/// What an execution is started with.
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
    /// The role that the machine was made with. Nothing is done with it but showing it.
    pub role_arn: String,
    /// The document that the first state gets.
    pub input: Value,
    /// The trace that the execution belongs to, as `StartExecution` got it.
    pub trace_header: Option<String>,
}

/// What is known of an execution from its start.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ExecutionInfo {
    pub arn: String,
    pub name: String,
    pub state_machine_arn: String,
    pub state_machine_name: String,
    pub role_arn: String,
    pub input: Value,
    pub trace_header: Option<String>,
    pub started_at: OffsetDateTime,
}

impl ExecutionInfo {
    /// The region in the ARN; empty when there is none.
    pub fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }
}

/// How far an execution is.
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
    /// The name on the wire.
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
    /// What the last state gave, of an execution that succeeded.
    pub output: Option<Value>,
    /// The error's name, of one that did not.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// When.
    pub stopped_at: OffsetDateTime,
}

/// A running or ended execution. Cheap to clone; it runs on when every handle is gone.
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
    /// Starts an execution on the present tokio runtime.
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
        let started = Detail::ExecutionStarted { input: info.input.clone(), role_arn: info.role_arn.clone() };
        // What follows does not point to it, nor does the service's.
        history.record(&Cursor::default(), started);
        let (stop, stopped) = watch::channel(None);
        let execution = Self { info: info.clone(), history: history.clone(), stop };
        let run = Run { machine, info, resources, tokens, history, clock };
        tokio::spawn(supervise(run, stopped));
        execution
    }

    /// What is known of it from its start.
    pub fn info(&self) -> &ExecutionInfo {
        &self.info
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        self.outcome().map_or(Status::Running, |outcome| outcome.status)
    }

    /// How it ended, when it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.history.last().and_then(|event| outcome(&event))
    }

    /// The events so far.
    pub fn history(&self) -> Vec<Arc<Event>> {
        self.history.from(0)
    }

    /// How many bytes of inputs and outputs the events hold, for whoever keeps executions.
    pub fn history_bytes(&self) -> usize {
        self.history.bytes()
    }

    /// All events, from the first one, as they happen.
    pub fn subscribe(&self) -> Events {
        Events { history: self.history.clone(), count: self.history.watch(), next: 0 }
    }

    /// Waits for the end.
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

    /// Stops it: what it is doing is dropped at once. Returns whether it was still running.
    pub fn stop(&self, error: Option<String>, cause: Option<String>) -> bool {
        let running = self.status() == Status::Running;
        running && self.stop.send(Some(Stop { error, cause })).is_ok()
    }
}

/// The events of an execution, in order, none left out.
#[derive(Debug)]
pub struct Events {
    history: Arc<History>,
    count: watch::Receiver<usize>,
    next: usize,
}

impl Events {
    /// The next event; `None` after the one that ends the execution.
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

fn outcome(event: &Event) -> Option<Outcome> {
    let (status, output, error, cause) = match &event.detail {
        Detail::ExecutionSucceeded { output } => (Status::Succeeded, Some(output.clone()), None, None),
        Detail::ExecutionFailed { error, cause } => (Status::Failed, None, error.clone(), cause.clone()),
        Detail::ExecutionTimedOut { error, cause } => (Status::TimedOut, None, error.clone(), cause.clone()),
        Detail::ExecutionAborted { error, cause } => (Status::Aborted, None, error.clone(), cause.clone()),
        _ => return None,
    };
    Some(Outcome { status, output, error, cause, stopped_at: event.timestamp })
}

/// Runs the machine until it ends, is stopped, or its time is over; then records the one last event.
async fn supervise(run: Run, mut stopped: watch::Receiver<Option<Stop>>) {
    let cursor = Cursor::default();
    let stop = async {
        let stop = stopped.wait_for(Option::is_some).await.ok().and_then(|stop| stop.clone());
        match stop {
            Some(stop) => stop,
            // Every handle is gone: nobody can stop it any more.
            None => std::future::pending().await,
        }
    };
    let timeout = async {
        match run.machine.timeout {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    // The work is dropped before the last event is recorded, so that what it leaves open is recorded as aborted first.
    let work = AssertUnwindSafe(run.execute(&cursor)).catch_unwind();
    let last = tokio::select! {
        biased;
        Stop { error, cause } = stop => Detail::ExecutionAborted { error, cause },
        result = work => match result {
            Ok(Ok(output)) => Detail::ExecutionSucceeded { output },
            Ok(Err(error)) => failed(error, &cursor),
            Err(_) => failed(StateError::runtime("The implementation of a resource panicked."), &cursor),
        },
        () = timeout => Detail::ExecutionTimedOut { error: None, cause: None },
    };
    run.history.record(&cursor, last);
}

fn failed(error: StateError, cursor: &Cursor) -> Detail {
    if error.is_runtime() {
        // The service does not say what led to a failure of the machine itself.
        cursor.set(0);
    }
    Detail::ExecutionFailed { error: Some(error.error).filter(|name| !name.is_empty()), cause: error.cause }
}
