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
