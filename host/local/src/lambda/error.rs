//! The errors of Invoke.

use axum::http::StatusCode;

/// Why an invocation did not reach the function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct InvokeError {
    /// The exception's name in the API.
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl InvokeError {
    /// Returns the error for a payload of more than `largest` bytes.
    pub(crate) fn too_large(largest: usize) -> Self {
        Self {
            code: "RequestTooLargeException",
            status: StatusCode::PAYLOAD_TOO_LARGE,
            message: format!("Request must be smaller than {largest} bytes for the InvokeFunction operation"),
        }
    }
}
