//! What states share while an execution runs.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::variables::{VariableScope, Variables};
use crate::clock::{self, Clock};
use crate::definition::model::{Flow, Next, State, StateMachine};
use crate::error::StateError;
use crate::expressions::path::Scope;
use crate::history::log::{Cursor, History};
use crate::tasks::execution_info::ExecutionInfo;
use crate::tasks::resources::Resources;
use crate::tasks::tokens::TokenBoard;

/// What the states of one execution share.
pub(crate) struct Run {
    pub machine: Arc<StateMachine>,
    pub info: Arc<ExecutionInfo>,
    pub resources: Arc<dyn Resources>,
    pub tokens: TokenBoard,
    pub history: Arc<History>,
    pub clock: Clock,
}

/// One thread of control: the machine, a branch of a Parallel state or an iteration of a Map state.
#[derive(Default)]
pub(crate) struct Branch {
    pub cursor: Cursor,
    pub variables: VariableScope,
    /// `$$.Map.Item`, in an iteration.
    pub item: Option<Arc<Value>>,
}

impl Branch {
    /// Returns a branch within this one.
    pub fn inner(&self, item: Option<Arc<Value>>) -> Self {
        Self { cursor: self.cursor.fork(), variables: self.variables.inner(), item }
    }
}

/// One visit to a state.
pub(crate) struct Visit<'a> {
    pub state: &'a State,
    pub branch: &'a Branch,
    /// The state's input, before `InputPath`.
    pub input: &'a Value,
    /// The id of the event `…StateEntered`.
    pub entered: u64,
    pub entered_at: OffsetDateTime,
    /// The last event before the state.
    pub before: u64,
    /// The variables as they were when the state was entered.
    pub variables: &'a Arc<Variables>,
}

/// What the paths of a state read beside a document.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub context: &'a Value,
    pub variables: &'a Variables,
}

impl<'a> Around<'a> {
    /// Returns the scope of paths into a document.
    pub fn scope(self, input: &'a Value) -> Scope<'a> {
        Scope { input, context: self.context, variables: self.variables }
    }
}

impl<'a> Visit<'a> {
    /// Returns what the state's paths read beside a document.
    pub(super) fn around(&self, context: &'a Value) -> Around<'a> {
        Around { context, variables: self.variables }
    }
}

/// What a state leaves behind: its output, the transition that follows and the variables that it assigned.
pub(super) struct Left {
    pub output: Value,
    pub next: Next,
    pub assigned: Option<Variables>,
}

/// Runs a flow to its end. Parallel and Map states get it as a parameter, because they contain flows.
pub(super) type FlowRunner =
    for<'a> fn(&'a Run, &'a Flow, Value, &'a Branch) -> BoxFuture<'a, Result<Value, StateError>>;

impl Run {
    /// Returns the context object, `$$`.
    pub fn context(&self, visit: &Visit<'_>, retries: u64, token: Option<&str>) -> Value {
        let info = &self.info;
        let mut context = json!({
            "Execution": {
                "Id": info.arn, "Input": info.input, "Name": info.name, "RoleArn": info.role_arn,
                "StartTime": clock::text(info.started_at), "RedriveCount": 0
            },
            "State": {
                "EnteredTime": clock::text(visit.entered_at), "Name": visit.state.name, "RetryCount": retries
            },
            "StateMachine": {"Id": info.state_machine_arn, "Name": info.state_machine_name}
        });
        if let Some(fields) = context.as_object_mut() {
            if let Some(item) = &visit.branch.item {
                fields.insert("Map".into(), json!({"Item": item.as_ref()}));
            }
            if let Some(token) = token {
                fields.insert("Task".into(), json!({"Token": token}));
            }
        }
        context
    }
}
