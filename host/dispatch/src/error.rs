//! What Step Functions sees when a call fails: a stable name for Retry and Catch, and a sentence for people.

use serde::Serialize;
use stagehost_batch::{Case, Failure};

/// An error of the host's answer. Serialised as Lambda reports errors.
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
    /// The event is of no kind that the host knows, or broken.
    pub fn bad_event(message: impl Into<String>) -> Self {
        Self { error_type: "Host.BadEvent".into(), error_message: message.into() }
    }

    /// No component is pinned to the state: a refusal, never a guess.
    pub fn no_pin(message: impl Into<String>) -> Self {
        Self { error_type: "Host.NoPin".into(), error_message: message.into() }
    }

    /// The pinned component cannot be used: missing, another digest, another world.
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
    /// Bad input, before any stage has seen it.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Failure::new(Case::InvalidInput, message).into()
    }
}
