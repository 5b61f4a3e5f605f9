//! Trying one stage, outside of the state machine.

use async_trait::async_trait;
use serde_json::Value;

use super::error::SourceError;

/// The stand-in of an execution, which the host stamps documents with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedAs {
    /// An ARN that no execution has.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// RFC 3339, UTC.
    pub started_at: String,
}

/// Calls pinned stages.
#[async_trait]
pub trait StageBench: Send + Sync + 'static {
    /// Returns the states whose stages can be tried, each with its stage and version. Those that wait for jobs or tell the backend
    /// something are not among them.
    ///
    /// # Errors
    /// If the pins cannot be read.
    async fn states(&self) -> Result<Vec<(String, String)>, SourceError>;

    /// Calls the stage of a state with a batch and returns the batch that it leaves.
    ///
    /// # Errors
    /// [`SourceError::Refused`] with the error's name and message, if the call fails.
    async fn call(&self, state: &str, tried_as: &TriedAs, batch: &Value) -> Result<Value, SourceError>;
}
