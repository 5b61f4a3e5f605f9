//! A parsed and checked state machine. Only the names of states are still looked up by text.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;

use super::choice::Rule;
use super::distributed::Distributed;
use super::query::{Assign, QueryFields};
use super::resource::Resource;
use super::retry::{Catcher, Retrier};
use super::settings::{Filter, ResultPath, Setting};
use super::state_type::StateType;
use crate::expressions::intrinsics::Expression;
use crate::expressions::jsonata::template::QueryTemplate;
use crate::expressions::path::Path;
use crate::expressions::template::Template;
use crate::findings::Finding;

/// A state machine that can run. [`StateMachine::parse`] and [`StateMachine::load`] return one.
#[derive(Clone, Debug)]
pub struct StateMachine {
    pub(crate) flow: Arc<Flow>,
    /// In seconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) warnings: Vec<Finding>,
}

/// The states of a machine, of a branch or of an item processor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub start_at: String,
    pub states: HashMap<String, State>,
}

/// One state.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub name: String,
    /// A JSON pointer into the definition.
    pub location: String,
    pub input_path: Filter,
    pub output_path: Filter,
    pub next: Next,
    pub kind: StateKind,
    /// The fields of a JSONata state; `None` for a JSONPath state. The JSONPath fields of `kind` are then not used.
    pub query: Option<Box<QueryFields>>,
    pub assign: Option<Assign>,
}

/// A rule of a Choice state and what follows if it is true.
#[derive(Clone, Debug)]
pub(crate) struct ChoiceRule {
    pub rule: Rule,
    pub next: String,
    pub assign: Option<Assign>,
    /// Of a JSONata state.
    pub output: Option<QueryTemplate>,
}

/// What follows a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    State(String),
    /// The flow ends here. Succeed, Fail and Choice states have this value too: they have no `Next` of their own.
    End,
}

/// The fields that depend on the type of a state.
#[derive(Clone, Debug)]
pub(crate) enum StateKind {
    Task(Box<Task>),
    Pass(Box<Pass>),
    Choice { rules: Vec<ChoiceRule>, default: Option<String> },
    Parallel { branches: Vec<Flow>, data: Box<DataFlow>, recovery: Recovery },
    Map(Box<Map>),
    Wait(Wait),
    Succeed,
    Fail { error: Option<FailText>, cause: Option<FailText> },
}

impl StateKind {
    /// Returns whether the state has `Retry` and `Catch`.
    pub fn has_attempts(&self) -> bool {
        matches!(self, Self::Task(_) | Self::Parallel { .. } | Self::Map(_))
    }

    /// Returns the type of the state.
    pub fn state_type(&self) -> StateType {
        match self {
            Self::Task(_) => StateType::Task,
            Self::Pass(_) => StateType::Pass,
            Self::Choice { .. } => StateType::Choice,
            Self::Parallel { .. } => StateType::Parallel,
            Self::Map(_) => StateType::Map,
            Self::Wait(_) => StateType::Wait,
            Self::Succeed => StateType::Succeed,
            Self::Fail { .. } => StateType::Fail,
        }
    }
}

/// How the payload of a state and its result are computed.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataFlow {
    pub parameters: Option<Template>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
}

/// `Retry` and `Catch`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovery {
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

/// The fields of a Task state.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub resource: Resource,
    pub data: DataFlow,
    pub recovery: Recovery,
    pub timeout: Option<Setting<u64>>,
    pub heartbeat: Option<Setting<u64>>,
    /// `Credentials` of a JSONPath state.
    pub credentials: Option<Template>,
}

/// The fields of a Pass state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pass {
    pub result: Option<Value>,
    pub parameters: Option<Template>,
    pub result_path: ResultPath,
}

/// The fields of a Map state.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub items: Option<Path>,
    pub processor: Arc<Flow>,
    /// `None` for an inline Map state.
    pub distributed: Option<Box<Distributed>>,
    /// `data.parameters` is the ItemSelector.
    pub data: DataFlow,
    pub recovery: Recovery,
    /// 0 for as many as the service allows.
    pub concurrency: Setting<u64>,
}

/// How long a Wait state waits.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Seconds(Setting<u64>),
    Until(Setting<OffsetDateTime>),
}

/// `Error` or `Cause` of a Fail state, as text or computed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FailText {
    Text(String),
    Computed { expression: Expression, field: &'static str },
}

impl StateMachine {
    /// Returns the warnings about the definition.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// Returns the names and types of all states, including those in branches and item processors, in no particular
    /// order.
    pub fn states(&self) -> Vec<(&str, StateType)> {
        let mut found = Vec::new();
        self.flow.visit(&mut |state| found.push((state.name.as_str(), state.kind.state_type())));
        found
    }

    /// Returns each Task state's name and resource.
    pub fn resources(&self) -> Vec<(&str, &Resource)> {
        let mut found = Vec::new();
        self.flow.visit(&mut |state| {
            if let StateKind::Task(task) = &state.kind {
                found.push((state.name.as_str(), &task.resource));
            }
        });
        found
    }
}

impl Flow {
    /// Visits every state, outer before inner.
    pub fn visit<'a>(&'a self, inspect: &mut dyn FnMut(&'a State)) {
        for state in self.states.values() {
            inspect(state);
            match &state.kind {
                StateKind::Parallel { branches, .. } => branches.iter().for_each(|branch| branch.visit(inspect)),
                StateKind::Map(map) => map.processor.visit(inspect),
                _ => {}
            }
        }
    }
}
