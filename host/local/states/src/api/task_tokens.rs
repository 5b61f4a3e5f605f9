//! The reports for task tokens.

use serde_json::Value;
use stagehost_asl::{TokenError, json_problem, limits};

use super::requests::TaskReport;
use super::responses::empty;
use crate::error::StatesError;
use crate::service::States;

impl States {
    pub(super) fn task_success(&self, request: &TaskReport) -> Result<Value, StatesError> {
        let invalid = |reason: String| StatesError::new("InvalidOutput", format!("Invalid Output: '{reason}'"));
        let Some(output) = &request.output else {
            return Err(StatesError::validation("1 validation error detected: missing field `output`"));
        };
        if output.len() > limits::PAYLOAD_BYTES {
            return Err(invalid(format!("the output is longer than {} bytes", limits::PAYLOAD_BYTES)));
        }
        let output = serde_json::from_str(output)
            .map_err(|error| invalid(json_problem(output).unwrap_or_else(|| error.to_string())))?;
        self.tokens().send_success(&request.task_token, output).map(|()| empty()).map_err(token_error)
    }
}

/// Returns the API's error for a refused token.
pub(super) fn token_error(error: TokenError) -> StatesError {
    StatesError::new(error.name(), error.to_string())
}
