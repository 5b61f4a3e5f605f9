//! What states share while an execution runs.

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::progress::Progress;
use super::variables::{VariableScope, Variables};
use crate::clock::{self, Clock};
use crate::definition::model::{Flow, Next, State, StateMachine};
use crate::error::StateError;
use crate::execution::Execution;
use crate::expressions::context::Context;
use crate::expressions::path::Scope;
use crate::history::log::{Cursor, History};
use crate::history::text::JsonText;
use crate::map_run::MapRuns;
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
    pub map_runs: MapRuns,
    pub start_child: ChildStarter,
}

/// Starts a child execution that runs this flow. An execution gets it as a value, because starting one needs the
/// interpreter.
pub(crate) type ChildStarter = fn(&Run, Arc<Flow>, ExecutionInfo) -> Execution;

/// One thread of control: the machine, a branch of a Parallel state or an iteration of a Map state.
#[derive(Default)]
pub(crate) struct Branch {
    pub cursor: Cursor,
    pub variables: VariableScope,
    /// `$$.Map.Item`, in an iteration.
    pub item: Option<Arc<Value>>,
    pub progress: Arc<Progress>,
}

impl Branch {
    /// Returns a branch within this one. It is the branch of this index of a Parallel state, or an iteration of the Map
    /// state of this name.
    pub fn inner(&self, item: Option<Arc<Value>>, index: usize, map: Option<&str>) -> Self {
        let progress = self.progress.begin(index, map);
        Self { cursor: self.cursor.fork(), variables: self.variables.inner(), item, progress }
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
    pub context: &'a Context<'a>,
    pub variables: &'a Variables,
}

impl<'a> Around<'a> {
    /// Returns the scope of paths into a document.
    pub fn scope(self, input: &'a Value) -> Scope<'a> {
        Scope { input, context: self.context, variables: self.variables }
    }
}

impl Visit<'_> {
    /// Returns what the state's paths read beside a document.
    pub(super) fn around<'b>(&'b self, context: &'b Context<'b>) -> Around<'b> {
        Around { context, variables: self.variables }
    }
}

/// What a state leaves behind: its output, the transition that follows and the variables that it assigned.
pub(super) struct Left {
    pub output: Output,
    pub next: Next,
    pub assigned: Option<Variables>,
}

/// A state's output.
pub(super) enum Output {
    /// The state's input, unchanged.
    Input,
    Value(Value),
}

impl Output {
    /// Returns a value as the output of a state with this input.
    pub fn of(value: Cow<'_, Value>, input: &Value) -> Self {
        match value {
            Cow::Borrowed(same) if std::ptr::eq(same, input) => Self::Input,
            other => Self::Value(other.into_owned()),
        }
    }
}

/// What a flow ends with.
pub(crate) struct FlowOutput {
    pub value: Value,
    pub text: JsonText,
}

/// Runs a flow to its end. Parallel and Map states get it as a parameter, because they contain flows.
pub(super) type FlowRunner =
    for<'a> fn(&'a Run, &'a Flow, Value, &'a Branch) -> BoxFuture<'a, Result<FlowOutput, StateError>>;

impl Run {
    /// Returns the context object, `$$`.
    pub fn context<'a>(&'a self, visit: &'a Visit<'_>, retries: u64, token: Option<&str>) -> Context<'a> {
        let info = &self.info;
        let token = token.map(str::to_owned);
        Context::new(&info.input, move || {
            let mut state = json!({"Name": visit.state.name, "EnteredTime": clock::text(visit.entered_at)});
            // Only states with retries have a count of them.
            if visit.state.kind.has_attempts() {
                state["RetryCount"] = retries.into();
            }
            let mut context = json!({
                "Execution": {
                    "Id": info.arn, "Input": null, "StartTime": clock::text(info.started_at), "Name": info.name,
                    "RoleArn": info.role_arn, "RedriveCount": 0
                },
                "StateMachine": {"Id": info.state_machine_arn, "Name": info.state_machine_name},
                "State": state
            });
            if let Some(fields) = context.as_object_mut() {
                if let Some(item) = &visit.branch.item {
                    fields.insert("Map".into(), json!({"Item": item.as_ref()}));
                }
                if let Some(token) = &token {
                    fields.insert("Task".into(), json!({"Token": token}));
                }
            }
            context
        })
    }
}
