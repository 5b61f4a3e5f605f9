//! A state machine as it runs: parsed, checked, nothing left to look up by text but the states' names.

use std::collections::HashMap;

use serde_json::Value;
use time::OffsetDateTime;

use crate::choice::Rule;
use crate::findings::Finding;
use crate::history::StateType;
use crate::intrinsics::Expression;
use crate::path::{Path, ReferencePath};
use crate::resource::Resource;
use crate::retry::{Catcher, Retrier};
use crate::template::Template;

/// A state machine that can run. Made by [`StateMachine::parse`] or [`StateMachine::load`].
#[derive(Clone, Debug)]
pub struct StateMachine {
    pub(crate) flow: Flow,
    /// Seconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) warnings: Vec<Finding>,
}

/// States that belong together: a machine's, a branch's, an iteration's.
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
    pub kind: Kind,
}

/// Where a state leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    State(String),
    /// The flow ends here. Also of Succeed, Fail and Choice, which say otherwise how they go on.
    End,
}

/// `InputPath` or `OutputPath`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Filter {
    #[default]
    Whole,
    /// `null`: an empty object instead.
    Nothing,
    Path(Path),
}

/// `ResultPath`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum ResultPath {
    /// The result replaces the input.
    #[default]
    Replace,
    /// `null`: the input stays, the result is dropped.
    Discard,
    Path(ReferencePath),
}

/// A value of the definition, or of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting<T> {
    Value(T),
    Path(Path),
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Task(Box<Task>),
    Pass(Box<Pass>),
    Choice { rules: Vec<(Rule, String)>, default: Option<String> },
    Parallel { branches: Vec<Flow>, shape: Box<Shape>, recovery: Recovery },
    Map(Box<Map>),
    Wait(Wait),
    Succeed,
    Fail { error: Option<Words>, cause: Option<Words> },
}

impl Kind {
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

/// How a payload goes in and a result comes out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub parameters: Option<Template>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
}

/// What is done about a failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovery {
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub resource: Resource,
    pub shape: Shape,
    pub recovery: Recovery,
    pub timeout: Option<Setting<u64>>,
    pub heartbeat: Option<Setting<u64>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub result: Option<Value>,
    pub parameters: Option<Template>,
    pub result_path: ResultPath,
}

#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub items: Option<Path>,
    pub processor: Flow,
    /// `shape.parameters` is the ItemSelector.
    pub shape: Shape,
    pub recovery: Recovery,
    /// 0 for as many as allowed.
    pub concurrency: Setting<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Seconds(Setting<u64>),
    Until(Setting<OffsetDateTime>),
}

/// `Error` or `Cause` of a Fail state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Words {
    Text(String),
    Computed { expression: Expression, field: &'static str },
}

impl StateMachine {
    /// What is questionable in the definition, though it can run.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The names and types of all states, those of branches and iterations too, in no particular order.
    pub fn states(&self) -> Vec<(&str, StateType)> {
        let mut found = Vec::new();
        self.flow.visit(&mut |state| found.push((state.name.as_str(), state.kind.state_type())));
        found
    }

    /// The resources of all Task states with the states' names.
    pub fn resources(&self) -> Vec<(&str, &Resource)> {
        let mut found = Vec::new();
        self.flow.visit(&mut |state| {
            if let Kind::Task(task) = &state.kind {
                found.push((state.name.as_str(), &task.resource));
            }
        });
        found
    }
}

impl Flow {
    /// Visits every state, outer before inner.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a State)) {
        for state in self.states.values() {
            see(state);
            match &state.kind {
                Kind::Parallel { branches, .. } => branches.iter().for_each(|branch| branch.visit(see)),
                Kind::Map(map) => map.processor.visit(see),
                _ => {}
            }
        }
    }
}
