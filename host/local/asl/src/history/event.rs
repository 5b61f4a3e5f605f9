//! The events of an execution.

use std::sync::Arc;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::text::JsonText;
use crate::definition::resource::Resource;
use crate::definition::state_type::StateType;
use crate::memory::allocated;

/// One event of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Numbered from 1.
    pub id: u64,
    /// The event that led to this one; 0 for the first events and for a failure of the machine itself.
    pub previous_event_id: u64,
    /// Rounded down to milliseconds.
    pub timestamp: OffsetDateTime,
    /// What happened.
    pub detail: Detail,
}

/// What happened, with the fields of the event type.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Detail {
    ExecutionStarted {
        input: JsonText,
        role_arn: String,
    },
    ExecutionSucceeded {
        output: JsonText,
    },
    ExecutionFailed {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionAborted {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionTimedOut {
        error: Option<String>,
        cause: Option<String>,
    },
    /// The execution goes on from where it stopped. `count` is the number of its redrives.
    ExecutionRedriven {
        count: u64,
    },
    StateEntered {
        state: StateType,
        name: String,
        input: JsonText,
    },
    StateExited {
        state: StateType,
        name: String,
        output: JsonText,
        /// The variables that the state assigned.
        assigned: Option<Arc<Map<String, Value>>>,
    },
    /// A JSONata field of the state could not be evaluated.
    EvaluationFailed {
        state: String,
        location: Option<String>,
        error: String,
        cause: Option<String>,
    },
    /// Only Task, Wait, Parallel and Map states are ever aborted: the others take no time.
    StateAborted {
        state: StateType,
    },
    TaskScheduled {
        resource: Resource,
        region: String,
        parameters: JsonText,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
        /// The role of `Credentials`.
        role_arn: Option<String>,
    },
    TaskStarted {
        resource: Resource,
    },
    /// A worker took the task of an activity.
    ActivityStarted {
        worker: Option<String>,
    },
    TaskSubmitted {
        resource: Resource,
        output: JsonText,
    },
    TaskSucceeded {
        resource: Resource,
        output: JsonText,
    },
    /// The error is empty if a caller reported none.
    TaskFailed {
        resource: Resource,
        error: String,
        cause: Option<String>,
    },
    TaskTimedOut {
        resource: Resource,
        error: String,
        cause: Option<String>,
    },
    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,
    MapStateStarted {
        length: usize,
    },
    MapStateSucceeded,
    MapStateFailed,
    MapRunStarted {
        arn: String,
    },
    MapRunSucceeded,
    MapRunFailed {
        error: String,
        cause: Option<String>,
    },
    MapIterationStarted {
        name: String,
        index: usize,
    },
    MapIterationSucceeded {
        name: String,
        index: usize,
    },
    MapIterationFailed {
        name: String,
        index: usize,
    },
    MapIterationAborted {
        name: String,
        index: usize,
    },
}

impl Detail {
    /// Returns the input or output that the event holds.
    pub(super) fn payload(&self) -> Option<&JsonText> {
        match self {
            Self::ExecutionStarted { input: payload, .. }
            | Self::ExecutionSucceeded { output: payload }
            | Self::StateEntered { input: payload, .. }
            | Self::StateExited { output: payload, .. }
            | Self::TaskScheduled { parameters: payload, .. }
            | Self::TaskSubmitted { output: payload, .. }
            | Self::TaskSucceeded { output: payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// Returns whether the event ends the execution.
    pub(super) fn ends_execution(&self) -> bool {
        matches!(
            self,
            Self::ExecutionSucceeded { .. }
                | Self::ExecutionFailed { .. }
                | Self::ExecutionAborted { .. }
                | Self::ExecutionTimedOut { .. }
        )
    }

    /// Returns the bytes of the texts that the event holds beside its input or output.
    pub(super) fn text_bytes(&self) -> usize {
        let text = |text: &String| allocated(text.len());
        let error = |error: &Option<String>, cause: &Option<String>| {
            error.as_ref().map_or(0, text) + cause.as_ref().map_or(0, text)
        };
        match self {
            Self::StateEntered { name, .. }
            | Self::StateExited { name, .. }
            | Self::MapIterationStarted { name, .. }
            | Self::MapIterationSucceeded { name, .. }
            | Self::MapIterationFailed { name, .. }
            | Self::MapIterationAborted { name, .. } => text(name),
            Self::ExecutionFailed { error: name, cause }
            | Self::ExecutionAborted { error: name, cause }
            | Self::ExecutionTimedOut { error: name, cause } => error(name, cause),
            Self::MapRunStarted { arn } => text(arn),
            Self::TaskFailed { error: name, cause, .. }
            | Self::TaskTimedOut { error: name, cause, .. }
            | Self::MapRunFailed { error: name, cause } => text(name) + cause.as_ref().map_or(0, text),
            _ => 0,
        }
    }
}

impl Detail {
    /// Returns the variables that the event holds.
    pub(super) fn assigned(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::StateExited { assigned, .. } => assigned.as_deref(),
            _ => None,
        }
    }
}

impl Event {
    /// Returns the service's name for the type: `TaskStateEntered`, `LambdaFunctionScheduled`, `ExecutionFailed`.
    pub fn event_type(&self) -> String {
        let lambda = |resource: &Resource, what: &str| match resource {
            Resource::LambdaFunction { .. } => format!("LambdaFunction{what}"),
            Resource::Activity { .. } => format!("Activity{what}"),
            Resource::Service { .. } => format!("Task{what}"),
        };
        match &self.detail {
            Detail::StateEntered { state, .. } => format!("{}StateEntered", state.as_str()),
            Detail::StateExited { state, .. } => format!("{}StateExited", state.as_str()),
            Detail::EvaluationFailed { .. } => "EvaluationFailed".into(),
            Detail::StateAborted { state } => format!("{}StateAborted", state.as_str()),
            Detail::TaskScheduled { resource, .. } => lambda(resource, "Scheduled"),
            Detail::TaskStarted { resource } => lambda(resource, "Started"),
            Detail::TaskSubmitted { resource, .. } => lambda(resource, "Submitted"),
            Detail::TaskSucceeded { resource, .. } => lambda(resource, "Succeeded"),
            Detail::TaskFailed { resource, .. } => lambda(resource, "Failed"),
            Detail::TaskTimedOut { resource, .. } => lambda(resource, "TimedOut"),
            Detail::ActivityStarted { .. } => "ActivityStarted".into(),
            Detail::ExecutionRedriven { .. } => "ExecutionRedriven".into(),
            Detail::ExecutionStarted { .. } => "ExecutionStarted".into(),
            Detail::ExecutionSucceeded { .. } => "ExecutionSucceeded".into(),
            Detail::ExecutionFailed { .. } => "ExecutionFailed".into(),
            Detail::ExecutionAborted { .. } => "ExecutionAborted".into(),
            Detail::ExecutionTimedOut { .. } => "ExecutionTimedOut".into(),
            Detail::ParallelStateStarted => "ParallelStateStarted".into(),
            Detail::ParallelStateSucceeded => "ParallelStateSucceeded".into(),
            Detail::ParallelStateFailed => "ParallelStateFailed".into(),
            Detail::MapStateStarted { .. } => "MapStateStarted".into(),
            Detail::MapStateSucceeded => "MapStateSucceeded".into(),
            Detail::MapStateFailed => "MapStateFailed".into(),
            Detail::MapRunStarted { .. } => "MapRunStarted".into(),
            Detail::MapRunSucceeded => "MapRunSucceeded".into(),
            Detail::MapRunFailed { .. } => "MapRunFailed".into(),
            Detail::MapIterationStarted { .. } => "MapIterationStarted".into(),
            Detail::MapIterationSucceeded { .. } => "MapIterationSucceeded".into(),
            Detail::MapIterationFailed { .. } => "MapIterationFailed".into(),
            Detail::MapIterationAborted { .. } => "MapIterationAborted".into(),
        }
    }

    /// Returns whether the event ends the execution.
    pub fn is_last(&self) -> bool {
        self.detail.ends_execution()
    }
}
