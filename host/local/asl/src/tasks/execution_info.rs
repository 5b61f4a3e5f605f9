//! The identity of an execution.

use serde_json::Value;
use time::OffsetDateTime;

/// The properties of an execution that are fixed when it starts.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ExecutionInfo {
    pub arn: String,
    pub name: String,
    pub state_machine_arn: String,
    pub state_machine_name: String,
    pub role_arn: String,
    pub input: Value,
    pub trace_header: Option<String>,
    pub started_at: OffsetDateTime,
    /// The run of a distributed Map state that this is a child execution of.
    pub map_run: Option<String>,
    /// It belongs to an express workflow.
    pub express: bool,
}

impl ExecutionInfo {
    /// Returns the region in the ARN; empty if there is none.
    pub fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }
}
