//! The host, as a Lambda function sees itself.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

/// What answers invocations: the host's dispatcher. One for all functions' names.
#[async_trait]
pub trait Function: Send + Sync + 'static {
    /// Handles one event, a JSON document, and returns another.
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError>;
}

/// An error of the function itself, as its runtime reports it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// A stable name, such as `Stage.Corrupt`: what the state machine's Retry and Catch see.
    pub error_type: String,
    /// For people.
    pub error_message: String,
}

impl FunctionError {
    /// An error by its name and text.
    pub fn new(error_type: impl Into<String>, error_message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), error_message: error_message.into() }
    }

    /// The payload of the reply, and the Cause in Step Functions.
    pub(crate) fn document(&self) -> Value {
        json!({"errorType": self.error_type, "errorMessage": self.error_message})
    }
}
