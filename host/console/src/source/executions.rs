//! Executions of the state machine, as Step Functions lists and describes them.

use async_trait::async_trait;
use serde_json::Value;
use time::OffsetDateTime;

use super::error::SourceError;

/// The state of an execution (API reference of Step Functions, `DescribeExecution`, `status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutionStatus {
    /// `RUNNING`
    Running,
    /// `SUCCEEDED`
    Succeeded,
    /// `FAILED`
    Failed,
    /// `TIMED_OUT`
    TimedOut,
    /// `ABORTED`
    Aborted,
    /// `PENDING_REDRIVE`, or one that is not known here.
    Other,
}

impl ExecutionStatus {
    /// All that can be filtered by.
    pub const ALL: [Self; 5] = [Self::Running, Self::Succeeded, Self::Failed, Self::TimedOut, Self::Aborted];

    /// Returns the service's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
            Self::Other => "PENDING_REDRIVE",
        }
    }

    /// Returns the status with this name.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.name() == name).unwrap_or(Self::Other)
    }

    /// Returns whether it is over.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Running | Self::Other)
    }
}

/// An execution in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedExecution {
    /// Its ARN.
    pub arn: String,
    /// Its name, which is unique in the state machine.
    pub name: String,
    /// Whether it runs, and how it ended.
    pub status: ExecutionStatus,
    /// When it began.
    pub started: OffsetDateTime,
    /// When it ended.
    pub stopped: Option<OffsetDateTime>,
}

/// A page of a list, the newest first.
#[derive(Clone, Debug, Default)]
pub struct ExecutionPage {
    /// The executions.
    pub executions: Vec<ListedExecution>,
    /// The token of the next page; `None` on the last.
    pub next: Option<String>,
}

/// All that Step Functions says about one execution.
#[derive(Clone, Debug)]
pub struct ExecutionFacts {
    /// What the list has as well.
    pub listed: ListedExecution,
    /// The input.
    pub input: Value,
    /// The output, once it has succeeded.
    pub output: Option<Value>,
    /// The name of the error with which it ended.
    pub error: Option<String>,
    /// The explanation.
    pub cause: Option<String>,
    /// Whether it can go on from where it ended.
    pub redrive: RedriveFacts,
}

/// Whether an execution that ended can be redriven, which is to go on from the state where it stopped (Step Functions Developer
/// Guide, "Restarting state machine executions with redrive").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveFacts {
    /// How often it was.
    pub count: u32,
    /// It can be now.
    pub possible: bool,
    /// The service's reason why it cannot.
    pub why_not: Option<String>,
}

/// An event of an execution's history, of whatever kind. Fields that the kind does not have are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PastEvent {
    /// Its number, from 1.
    pub id: i64,
    /// The event that led to it; 0 for the first.
    pub previous: i64,
    /// When it happened.
    pub at: Option<OffsetDateTime>,
    /// The kind, as the API names it: `TaskStateEntered`.
    pub kind: String,
    /// The state that was entered or left, or of which an iteration began or ended.
    pub state: Option<String>,
    /// The input, as JSON.
    pub input: Option<String>,
    /// The output of a state that was left, as JSON.
    pub output: Option<String>,
    /// It has input or output that is not here, because the history has too much of them.
    pub left_out: bool,
    /// The name of an error.
    pub error: Option<String>,
    /// Its explanation.
    pub cause: Option<String>,
}

/// The executions of one state machine.
#[async_trait]
pub trait ExecutionSource: Send + Sync + 'static {
    /// Returns the state machine's ARN.
    fn machine(&self) -> &str;

    /// Returns a page of the list, the newest first, of at most `size` executions.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if the token is of another list.
    async fn list(
        &self,
        status: Option<ExecutionStatus>,
        token: Option<&str>,
        size: u16,
    ) -> Result<ExecutionPage, SourceError>;

    /// Returns an execution.
    ///
    /// # Errors
    /// [`SourceError::Missing`].
    async fn facts(&self, arn: &str) -> Result<ExecutionFacts, SourceError>;

    /// Returns its events, the oldest first.
    ///
    /// # Errors
    /// [`SourceError::Missing`].
    async fn history(&self, arn: &str) -> Result<Vec<PastEvent>, SourceError>;

    /// Returns the number of its newest event.
    ///
    /// # Errors
    /// [`SourceError::Missing`].
    async fn newest_event(&self, arn: &str) -> Result<i64, SourceError>;

    /// Returns the definition that it runs, in the Amazon States Language.
    ///
    /// # Errors
    /// [`SourceError::Missing`].
    async fn definition(&self, arn: &str) -> Result<String, SourceError>;

    /// Starts an execution and returns its ARN.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if the input is not accepted, or another execution has the name.
    async fn start(&self, name: &str, input: &Value) -> Result<String, SourceError>;

    /// Lets an execution that ended without success go on from the state where it stopped.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if it cannot be redriven.
    async fn redrive(&self, arn: &str) -> Result<(), SourceError>;

    /// Stops an execution.
    ///
    /// # Errors
    /// [`SourceError::Missing`].
    async fn stop(&self, arn: &str, cause: &str) -> Result<(), SourceError>;
}

/// Returns the ARN of the state machine's execution with this name; `None` if no execution can have it.
pub fn execution_arn(machine: &str, name: &str) -> Option<String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=' | '@');
    if name.is_empty() || name.chars().count() > 80 || !name.chars().all(allowed) {
        return None;
    }
    // An alias or a version follows the machine's name.
    let machine: Vec<&str> = machine.splitn(8, ':').take(7).collect();
    Some(format!("{}:{name}", machine.join(":").replacen(":stateMachine:", ":execution:", 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_found_by_its_name_also_behind_an_alias() {
        let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:sm";
        let expected = Some("arn:aws:states:us-east-1:000000000000:execution:sm:listing-51_retry-0".to_owned());
        assert_eq!(execution_arn(machine, "listing-51_retry-0"), expected);
        assert_eq!(execution_arn(&format!("{machine}:live"), "listing-51_retry-0"), expected);
        for bad in ["", "a b", "a:b", "a/b", "<b>", &"x".repeat(81)] {
            assert_eq!(execution_arn(machine, bad), None, "{bad}");
        }
    }
}
