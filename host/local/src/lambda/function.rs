//! The Lambda function that the host is.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

/// Answers invocations: the host's dispatcher. One value for all names of the function.
#[async_trait]
pub trait Function: Send + Sync + 'static {
    /// Handles one event, a JSON document, and returns the result, another one.
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError>;
}

/// An error of the function, as its runtime reports it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// A stable name, such as `Stage.Corrupt`, for Retry and Catch of the state machine.
    pub error_type: String,
    /// The message for people.
    pub error_message: String,
    /// The payload in which a function reported it, which may say more, such as a stack trace.
    payload: Option<String>,
}

impl FunctionError {
    /// Returns an error of this name and message.
    pub fn new(error_type: impl Into<String>, error_message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), error_message: error_message.into(), payload: None }
    }

    /// Returns the error that a function reports with this payload. It has no name if the payload has no `errorType`.
    pub(crate) fn reported(payload: &str) -> Self {
        let document: Value = serde_json::from_str(payload).unwrap_or_default();
        let text = |name: &str| document[name].as_str().unwrap_or_default();
        Self { payload: Some(payload.trim().to_owned()), ..Self::new(text("errorType"), text("errorMessage")) }
    }

    /// Returns the payload of the response, which is also the Cause in Step Functions.
    pub(crate) fn payload(&self) -> String {
        self.payload
            .clone()
            .unwrap_or_else(|| json!({"errorType": self.error_type, "errorMessage": self.error_message}).to_string())
    }
}
