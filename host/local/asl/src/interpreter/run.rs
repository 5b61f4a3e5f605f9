//! What states share while an execution runs.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::progress::Progress;
use crate::clock::{self, Clock};
use crate::definition::model::{Flow, State, StateMachine};
use crate::error::StateError;
use crate::expressions::context::Context;
use crate::history::log::{Cursor, History};
use crate::history::text::JsonText;
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
    pub progress: Arc<Progress>,
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
