//! Whole executions on a paused clock: results and histories.

#![allow(clippy::unwrap_used)]

mod attacks;
mod data_flow;
mod distributed;
mod failures;
mod fan_out;
mod histories;
mod jsonata;
mod mutations;
mod redrives;
mod tokens;
mod variables;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    Event, Execution, Outcome, Resource, Resources, StartRequest, StateMachine, TaskCall, TaskError, TokenBoard,
    Unsupported,
};

pub(super) const INVOKE: &str = "arn:aws:states:::lambda:invoke";
pub(super) const CALLBACK: &str = "arn:aws:states:::lambda:invoke.waitForTaskToken";

/// The answer of the resource and the seconds before it.
#[derive(Clone)]
pub(super) struct Reply {
    pub after: u64,
    pub answer: Result<Value, TaskError>,
}

/// The answers for each state, in order; the last one is repeated. Without answers, a state gets its parameters back.
#[derive(Default)]
pub(super) struct Script {
    replies: HashMap<String, Vec<Reply>>,
    /// State, parameters, retry count, seconds since the start.
    pub calls: Mutex<Vec<(String, Value, u64, u64)>>,
    pub tokens: Mutex<Vec<String>>,
    pub dropped: Arc<Mutex<Vec<String>>>,
    started: Option<Instant>,
}

impl Script {
    pub fn new() -> Self {
        Self { started: Some(Instant::now()), ..Self::default() }
    }

    pub fn reply(mut self, state: &str, after: u64, answer: Result<Value, TaskError>) -> Self {
        self.replies.entry(state.to_owned()).or_default().push(Reply { after, answer });
        self
    }

    pub fn fails(self, state: &str, error: &str) -> Self {
        self.reply(state, 0, Err(TaskError::new(error, "because")))
    }

    /// Returns the start of each call of the state, in seconds.
    pub fn times(&self, state: &str) -> Vec<u64> {
        self.calls.lock().unwrap().iter().filter(|call| call.0 == state).map(|call| call.3).collect()
    }
}

/// Notes a future that was dropped before it ended.
struct Dropped(Arc<Mutex<Vec<String>>>, Option<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.lock().unwrap().extend(self.1.take());
    }
}

#[async_trait]
impl Resources for Script {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        let seconds = self.started.unwrap().elapsed().as_secs();
        let earlier = {
            let mut calls = self.calls.lock().unwrap();
            let earlier = calls.iter().filter(|earlier| earlier.0 == call.state).count();
            calls.push((call.state.clone(), call.parameters.clone(), call.retry_count, seconds));
            earlier
        };
        self.tokens.lock().unwrap().extend(call.task_token);
        let replies = self.replies.get(&call.state);
        let Some(reply) = replies.and_then(|replies| replies.get(earlier).or(replies.last())) else {
            return Ok(call.parameters);
        };
        let mut dropped = Dropped(self.dropped.clone(), Some(call.state));
        tokio::time::sleep(Duration::from_secs(reply.after)).await;
        dropped.1 = None;
        reply.answer.clone()
    }
}

pub(super) fn start(states: Value, input: Value, script: &Arc<Script>, tokens: &TokenBoard) -> Execution {
    let start_at = states.as_object().unwrap().keys().next().unwrap().clone();
    start_machine(json!({"StartAt": start_at, "States": states}), input, script, tokens)
}

pub(super) fn start_machine(machine: Value, input: Value, script: &Arc<Script>, tokens: &TokenBoard) -> Execution {
    let machine = StateMachine::parse(&machine.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let request = StartRequest {
        arn: "arn:aws:states:eu-west-1:111122223333:execution:machine:run-1".into(),
        name: "run-1".into(),
        state_machine_arn: "arn:aws:states:eu-west-1:111122223333:stateMachine:machine".into(),
        state_machine_name: "machine".into(),
        role_arn: "arn:aws:iam::111122223333:role/r".into(),
        input,
        trace_header: None,
        ..StartRequest::default()
    };
    Execution::start(Arc::new(machine), request, script.clone(), tokens.clone())
}

/// Runs a machine of these states, beginning with the first, to its end.
pub(super) async fn run(states: Value, input: Value, script: &Arc<Script>) -> Outcome {
    start(states, input, script, &TokenBoard::new()).wait().await
}

/// Returns the output of a machine that must succeed without calls.
pub(super) async fn output(states: Value, input: Value) -> Value {
    let outcome = run(states, input, &Arc::new(Script::new())).await;
    outcome.output.clone().unwrap_or_else(|| panic!("{outcome:?}"))
}

/// Returns the error and cause of a machine that must fail without calls.
pub(super) async fn failure(states: Value, input: Value) -> (String, String) {
    let outcome = run(states, input, &Arc::new(Script::new())).await;
    assert_eq!(outcome.status, crate::Status::Failed, "{outcome:?}");
    (outcome.error.unwrap_or_default(), outcome.cause.unwrap_or_default())
}

/// Returns `id previous type` of each event.
pub(super) fn chain(events: &[Arc<Event>]) -> Vec<String> {
    events.iter().map(|event| format!("{} {} {}", event.id, event.previous_event_id, event.event_type())).collect()
}
