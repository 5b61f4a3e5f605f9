//! Starting an execution and running it to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::definition::model::{Flow, StateMachine};
use crate::error::StateError;
use crate::execution::{Execution, Redrive, Restart, Stop};
use crate::history::event::Detail;
use crate::history::log::{Cursor, History};
use crate::history::text::JsonText;
use crate::inspector::Inspector;
use crate::interpreter::flow::execute;
use crate::interpreter::resume::ResumePlace;
use crate::interpreter::run::Run;
use crate::limits::EXPRESS_SECONDS;
use crate::map_run::MapRuns;
use crate::memory::weight;
use crate::tasks::activities::Activities;
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
    /// Where the runs of its distributed Map states are kept.
    pub map_runs: MapRuns,
    /// Watches the first state, in a test of a state.
    pub inspector: Option<Inspector>,
    /// The activities that its Task states use.
    pub activities: Activities,
    /// It belongs to an express workflow.
    pub express: bool,
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
        let info = ExecutionInfo {
            arn: request.arn,
            name: request.name,
            state_machine_arn: request.state_machine_arn,
            state_machine_name: request.state_machine_name,
            role_arn: request.role_arn,
            input: request.input,
            trace_header: request.trace_header,
            started_at: clock.now(),
            map_run: None,
            express: request.express,
        };
        let services = Services {
            resources,
            tokens,
            map_runs: request.map_runs,
            activities: request.activities,
            inspector: request.inspector,
        };
        let run = start(machine, info, clock, services);
        let (stop, stopped) = watch::channel(None);
        let redrive = Redrive::new(Redrivable(run.clone()));
        let execution = Execution::new(run.info.clone(), run.history.clone(), stop, Some(Arc::new(redrive)));
        tokio::spawn(supervise(run, Cursor::default(), stopped));
        execution
    }
}

/// Starts an execution of a machine.
fn start(machine: Arc<StateMachine>, info: ExecutionInfo, clock: Clock, services: Services) -> Arc<Run> {
    let history = Arc::new(History::new(clock));
    let started = Detail::ExecutionStarted { input: JsonText::of(&info.input), role_arn: info.role_arn.clone() };
    // The next event does not point to this one; it does not on the service either.
    history.record(&Cursor::default(), started);
    history.hold(weight(&info.input));
    let Services { resources, tokens, map_runs, activities, inspector } = services;
    Arc::new(Run {
        machine,
        info: Arc::new(info),
        resources,
        tokens,
        history,
        clock,
        map_runs,
        activities,
        inspector,
        start_child,
        redrives: AtomicU64::new(0),
        place: ResumePlace::default(),
        held: AtomicUsize::new(0),
    })
}

/// What an execution works with.
struct Services {
    resources: Arc<dyn Resources>,
    tokens: TokenBoard,
    map_runs: MapRuns,
    activities: Activities,
    inspector: Option<Inspector>,
}

/// Starts a child execution of a run of a distributed Map state.
fn start_child(parent: &Run, flow: Arc<Flow>, info: ExecutionInfo) -> Execution {
    let machine = StateMachine { flow, timeout: None, warnings: Vec::new() };
    let services = Services {
        resources: parent.resources.clone(),
        tokens: parent.tokens.clone(),
        map_runs: parent.map_runs.clone(),
        activities: parent.activities.clone(),
        inspector: None,
    };
    let run = start(Arc::new(machine), info, parent.clock, services);
    let (stop, stopped) = watch::channel(None);
    // A child execution is redriven with its run only, so its handle does not keep what a redrive needs.
    let execution = Execution::new(run.info.clone(), run.history.clone(), stop, None);
    tokio::spawn(supervise(run, Cursor::default(), stopped));
    execution
}

/// An execution that can be redriven.
struct Redrivable(Arc<Run>);

impl Restart for Redrivable {
    fn run_on(&self, count: u64, cursor: Cursor, stopped: watch::Receiver<Option<Stop>>) {
        self.0.redrives.store(count, Ordering::Relaxed);
        tokio::spawn(supervise(self.0.clone(), cursor, stopped));
    }

    fn held_bytes(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }
}

/// Runs the machine until it ends, is stopped or times out, and records the last event.
async fn supervise(run: Arc<Run>, cursor: Cursor, mut stopped: watch::Receiver<Option<Stop>>) {
    let stop = async {
        let stop = stopped.wait_for(Option::is_some).await.ok().and_then(|stop| stop.clone());
        match stop {
            Some(stop) => stop,
            // Every handle has been dropped, so it cannot be stopped.
            None => std::future::pending().await,
        }
    };
    let timeout = async {
        let express = run.info.express.then_some(EXPRESS_SECONDS);
        match run.machine.timeout.into_iter().chain(express).min() {
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
    // What is kept for a redrive does not change until there is one.
    run.held.store(run.place.bytes(), Ordering::Relaxed);
    run.history.record(&cursor, last);
    run.history.rest();
}

fn failed(error: StateError, cursor: &Cursor) -> Detail {
    if error.is_runtime() {
        // A failure of the machine itself points to the last event, even to one beside the chain.
        cursor.set(cursor.published());
    }
    Detail::ExecutionFailed { error: Some(error.error).filter(|name| !name.is_empty()), cause: error.cause }
}
