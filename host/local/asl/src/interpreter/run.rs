//! What states share while an execution runs.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::clock::{self, Clock};
use crate::definition::model::{Flow, State, StateMachine};
use crate::error::StateError;
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
#[derive(Clone, Default)]
pub(crate) struct Branch {
    pub cursor: Cursor,
    /// `$$.Map.Item`, in an iteration.
    pub item: Option<Arc<Value>>,
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
