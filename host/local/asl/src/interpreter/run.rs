//! What states share while an execution runs.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::flow_output::FlowOutput;
use super::progress::Progress;
use super::resume::ResumePlace;
use super::variables::{VariableScope, Variables};
use crate::clock::{self, Clock};
use crate::definition::model::{Flow, Next, State, StateMachine};
use crate::error::StateError;
use crate::execution::Execution;
use crate::expressions::context::Context;
use crate::expressions::path::Scope;
use crate::history::log::{Cursor, History};
use crate::inspector::Inspector;
use crate::map_run::MapRuns;
use crate::tasks::activities::Activities;
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
    pub activities: Activities,
    pub inspector: Option<Inspector>,
    pub start_child: ChildStarter,
    /// How often the execution was redriven.
    pub redrives: AtomicU64,
    /// Where it stopped.
    pub place: ResumePlace,
    /// The memory that the place held when it stopped, in bytes.
    pub held: AtomicUsize,
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
    pub place: ResumePlace,
}

impl Branch {
    /// Returns a branch within this one. It is the branch of this index of a Parallel state, or an iteration of the Map
    /// state of this name.
    pub fn inner(&self, item: Option<Arc<Value>>, index: usize, map: Option<&str>) -> Self {
        let progress = self.progress.begin(index, map);
        let place = self.place.inner(index);
        Self { cursor: self.cursor.fork(), variables: self.variables.inner(), item, progress, place }
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

/// Runs a flow to its end. Parallel and Map states get it as a parameter, because they contain flows.
pub(super) type FlowRunner =
    for<'a> fn(&'a Run, &'a Flow, Value, &'a Branch) -> BoxFuture<'a, Result<FlowOutput, StateError>>;

/// The id of the event with which an execution enters its first state.
const FIRST_ENTERED: u64 = 2;

impl Run {
    /// Returns what watches the state; only the first one is watched.
    pub(super) fn inspector(&self, visit: &Visit<'_>) -> Option<&Inspector> {
        self.inspector.as_ref().filter(|_| visit.entered == FIRST_ENTERED)
    }

    /// Notes what a field of the state gave, if it is watched.
    pub(super) fn inspect(&self, visit: &Visit<'_>, field: &'static str, value: &Value) {
        if let Some(inspector) = self.inspector(visit) {
            inspector.note(field, value);
        }
    }

    /// Notes what a state works on, if it is watched.
    pub(super) fn inspect_input(&self, visit: &Visit<'_>, parameters: &Value) {
        let field = if visit.state.query.is_some() { "afterArguments" } else { "afterParameters" };
        self.inspect(visit, field, parameters);
    }

    /// Returns the context object, `$$`.
    pub fn context<'a>(&'a self, visit: &'a Visit<'_>, retries: u64, token: Option<&str>) -> Context<'a> {
        let info = &self.info;
        let token = token.map(str::to_owned);
        Context::new(&info.input, move || {
            if let Some(given) = self.inspector(visit).and_then(|inspector| inspector.given().context.as_ref()) {
                return Value::Object(given.clone());
            }
            let mut state = json!({"Name": visit.state.name, "EnteredTime": clock::text(visit.entered_at)});
            // Only states with retries have a count of them.
            if visit.state.kind.has_attempts() {
                state["RetryCount"] = retries.into();
            }
            let mut context = json!({
                "Execution": {
                    "Id": info.arn, "Input": null, "StartTime": clock::text(info.started_at), "Name": info.name,
                    "RoleArn": info.role_arn
                },
                "StateMachine": {"Id": info.state_machine_arn, "Name": info.state_machine_name},
                "State": state
            });
            match &self.inspector {
                Some(inspector) if inspector.given().has_role => {}
                Some(_) => context["Execution"]["RoleArn"] = Value::Null,
                // Executions of express workflows, as which states are tested, are never redriven.
                None if info.express => {}
                None => context["Execution"]["RedriveCount"] = self.redrives.load(Ordering::Relaxed).into(),
            }
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
