//! Runs state machines on a clock that is not waited for.

use std::cell::OnceCell;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use stagehost_asl::{
    Event, Execution, Outcome, Resource, Resources, StartRequest, StateMachine, TaskCall, TaskError, TokenBoard,
    Unsupported,
};
use tokio::runtime::{Builder, Runtime};

/// An execution is stopped after so many events.
pub(crate) const MOST_EVENTS: usize = 400;

/// Answers every task with its own parameters.
struct Echo;

#[async_trait]
impl Resources for Echo {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        Ok(call.parameters)
    }
}

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// Runs a machine to its end and returns its events and how it ended.
pub(crate) fn run(machine: &Arc<StateMachine>, input: Value) -> (Vec<Arc<Event>>, Outcome) {
    RUNTIME.with(|runtime| {
        let runtime =
            runtime.get_or_init(|| match Builder::new_current_thread().enable_time().start_paused(true).build() {
                Ok(runtime) => runtime,
                Err(error) => panic!("no runtime: {error}"),
            });
        runtime.block_on(async {
            let request = StartRequest {
                arn: "arn:aws:states:eu-west-1:111122223333:execution:machine:run-1".into(),
                name: "run-1".into(),
                state_machine_arn: "arn:aws:states:eu-west-1:111122223333:stateMachine:machine".into(),
                state_machine_name: "machine".into(),
                input,
                ..StartRequest::default()
            };
            let execution = Execution::start(machine.clone(), request, Arc::new(Echo), TokenBoard::new());
            let (mut events, mut seen) = (execution.subscribe(), Vec::new());
            while let Some(event) = events.next().await {
                seen.push(event);
                if seen.len() == MOST_EVENTS {
                    execution.stop(None, None);
                }
            }
            (seen, execution.wait().await)
        })
    })
}

/// Returns the output of a machine that is written as JSON; `None` if it is refused or fails.
pub(crate) fn output(machine: &Value, input: Value) -> Option<Value> {
    let machine = StateMachine::parse(&machine.to_string()).ok()?;
    run(&Arc::new(machine), input).1.output
}
