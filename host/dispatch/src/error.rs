//! The error that Step Functions sees: a stable name for Retry and Catch, and a sentence for people.

use serde::Serialize;
use stagehost_batch::{Case, Failure};

/// An error as the host's answer. Serialised in Lambda's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{error_type}: {error_message}")]
pub struct DispatchError {
    /// `Stage.Transient`, `Host.NoPin`, … Only `Stage.Transient` is worth a retry.
    pub error_type: String,
    /// One sentence.
    pub error_message: String,
}

impl DispatchError {
    /// Returns `Host.BadEvent`: the event is of an unknown kind, or malformed.
    pub fn bad_event(message: impl Into<String>) -> Self {
        Self { error_type: "Host.BadEvent".into(), error_message: message.into() }
    }

    /// Returns `Host.NoPin`: no component is pinned to the state.
    pub fn no_pin(message: impl Into<String>) -> Self {
        Self { error_type: "Host.NoPin".into(), error_message: message.into() }
    }

    /// Returns `Host.SweepFailed`: open tickets could not be looked after. The next sweep tries again.
    pub fn sweep_failed(message: impl Into<String>) -> Self {
        Self { error_type: "Host.SweepFailed".into(), error_message: message.into() }
    }

    /// Returns `Host.BadStage`: the pinned component is missing, or has another digest or world.
    pub fn bad_stage(message: impl Into<String>) -> Self {
        Self { error_type: "Host.BadStage".into(), error_message: message.into() }
    }
}

impl From<Failure> for DispatchError {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.case.name().into(), error_message: failure.message }
    }
}

impl DispatchError {
    /// Returns `Stage.InvalidInput`, for input that the host refuses before a stage sees it.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Failure::new(Case::InvalidInput, message).into()
    }
}
