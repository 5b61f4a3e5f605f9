//! The errors of states.
//!
//! The service and its documentation do not always use the same name for one failure: a path in `Parameters` that finds
//! no value is documented as `States.ParameterPathFailure` and reported as `States.Runtime`. So an error has the name
//! that the service reports and, as aliases, the documented names, which a Retry or Catch may use as well.

use std::borrow::Cow;

use crate::limits::{DOCUMENT_DEPTH, Excess, PATH_RESULTS, PATH_WORK};

/// The longest error name that the service keeps, in characters.
const MOST_ERROR: usize = 256;
/// The longest cause that the service keeps, in characters.
const MOST_CAUSE: usize = 32_768;

/// The error names that the language defines.
pub mod names {
    #![allow(missing_docs)]
    pub const ALL: &str = "States.ALL";
    pub const BRANCH_FAILED: &str = "States.BranchFailed";
    pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
    pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
    pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
    pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
    pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
    pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
    pub const PARAMETER_PATH_FAILURE: &str = "States.ParameterPathFailure";
    pub const PERMISSIONS: &str = "States.Permissions";
    pub const QUERY_EVALUATION: &str = "States.QueryEvaluationError";
    pub const REFERENCE_PATH_CONFLICT: &str = "States.ReferencePathConflict";
    pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
    pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";
    pub const RUNTIME: &str = "States.Runtime";
    pub const TASK_FAILED: &str = "States.TaskFailed";
    pub const TIMEOUT: &str = "States.Timeout";
}

/// A failure that a resource reports for a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {}", .cause.as_deref().unwrap_or("no cause given"))]
pub struct TaskError {
    /// The name for Retry and Catch: `Lambda.Unknown`, `Stage.Corrupt`, `States.Permissions`.
    pub error: String,
    /// The cause, for people; often a JSON document.
    pub cause: Option<String>,
}

impl TaskError {
    /// Returns an error with a cause.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: Some(cause.into()) }
    }
}

/// A failure of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateError {
    /// The name that the service reports.
    pub error: String,
    pub cause: Option<String>,
    /// Documented names that a Retry or Catch may use as well.
    pub aliases: Vec<&'static str>,
    /// The cause already names the state.
    names_state: bool,
    /// No Retry or Catch matches it, not even by name.
    pub terminal: bool,
    /// A missing error or cause is `null` in the output of a Catch, and not an empty text.
    pub nulls: bool,
    /// The failure of a JSONata field that no event reports yet.
    pub evaluation: Option<Evaluation>,
}

/// Where an evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evaluation {
    /// The field: `Output/a/b`, `Choices[0]/Condition`.
    pub location: Option<String>,
    /// The evaluation succeeded, but the state could not use its value.
    pub late: bool,
}

impl StateError {
    /// Returns a failure that the interpreter detects. [`in_state`](Self::in_state) adds the state to its cause.
    fn found(error: &str, cause: impl Into<String>) -> Self {
        Self {
            error: error.to_owned(),
            cause: Some(cause.into()),
            aliases: Vec::new(),
            names_state: false,
            terminal: false,
            nulls: false,
            evaluation: None,
        }
    }

    /// Returns a failure whose error and cause are passed on unchanged.
    pub fn reported(error: impl Into<String>, cause: Option<String>) -> Self {
        let error = clip(error.into(), MOST_ERROR);
        let cause = cause.map(|cause| clip(cause, MOST_CAUSE));
        let aliases = Vec::new();
        Self { error, cause, aliases, names_state: true, terminal: false, nulls: false, evaluation: None }
    }

    /// Returns the failure that a caller reports for a task token. The service keeps a missing error or cause missing.
    pub fn answered(error: Option<String>, cause: Option<String>) -> Self {
        Self { nulls: true, ..Self::reported(error.unwrap_or_default(), cause) }
    }

    /// Returns a failure of the machine itself. Wildcards in Retry and Catch do not match it.
    pub fn runtime(cause: impl Into<String>) -> Self {
        Self::found(names::RUNTIME, cause)
    }

    /// Returns the failure of a path that finds no value.
    pub fn parameter_path(cause: impl Into<String>) -> Self {
        Self { aliases: vec![names::PARAMETER_PATH_FAILURE], ..Self::runtime(cause) }
    }

    /// Returns the failure of a reference path that does not fit a document. `documented` is the name that the
    /// documentation has for it; the service reports `States.ReferencePathConflict`, and its cause names no state.
    pub fn reference_path(documented: &'static str, cause: String) -> Self {
        Self { aliases: vec![documented], ..Self::reported(names::REFERENCE_PATH_CONFLICT, Some(cause)) }
    }

    /// Returns the failure of an intrinsic function.
    pub fn intrinsic(call: &str, reason: &str) -> Self {
        Self::found(names::INTRINSIC_FAILURE, format!("The function '{call}' had the following error: {reason}"))
    }

    /// Returns the failure of a Choice state without a matching rule or a Default. It is documented as
    /// `States.NoChoiceMatched` and reported as `States.Runtime`.
    pub fn no_choice() -> Self {
        let cause = "Failed to transition out of the state. The state does not point to a next state.";
        Self { aliases: vec![names::NO_CHOICE_MATCHED], ..Self::runtime(cause) }
    }

    /// Returns the failure of an expression that visits more values than the expressions of one state may.
    pub fn path_work(expression: &str) -> Self {
        Self::runtime(format!(
            "The expression '{expression}' visits or returns too many values: the expressions of one state may visit \
             {PATH_WORK} values, and one path may return {PATH_RESULTS}."
        ))
    }

    /// Returns the failure of a payload that is too large. `what` is a state or a service.
    pub fn data_limit(what: &str) -> Self {
        let cause = format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Self::reported(names::DATA_LIMIT_EXCEEDED, Some(cause))
    }

    /// Returns the failure of a document that cannot pass between states. `what` is a state or a service.
    pub fn excess(excess: Excess, what: &str) -> Self {
        match excess {
            Excess::Bytes => Self::data_limit(what),
            Excess::Depth => Self::runtime(format!(
                "The state/task '{what}' returned a result that is nested more than {DOCUMENT_DEPTH} levels deep."
            )),
        }
    }

    /// Returns the failure as one that no Retry or Catch matches.
    pub fn terminal(self) -> Self {
        Self { terminal: true, ..self }
    }

    /// Returns the failure of variables that are too large.
    pub fn too_large(cause: &str) -> Self {
        Self::found(names::DATA_LIMIT_EXCEEDED, cause)
    }

    /// Returns the failure of a state that timed out.
    pub fn timeout() -> Self {
        Self::reported(names::TIMEOUT, None)
    }

    /// Returns the failure of a missed heartbeat. The service reports it as a timeout; Retry and Catch may use the more
    /// specific name.
    pub fn heartbeat() -> Self {
        Self { aliases: vec![names::HEARTBEAT_TIMEOUT], ..Self::timeout() }
    }

    /// Returns the failure of a JSONata field. Without a location, the failure has none in its event either.
    pub fn query(location: Option<&str>, cause: impl Into<String>) -> Self {
        let evaluation = Evaluation { location: location.map(str::to_owned), late: false };
        Self { evaluation: Some(evaluation), ..Self::found(names::QUERY_EVALUATION, cause) }
    }

    /// Returns the failure of a JSONata field whose value was computed and could not be used.
    pub fn unusable(location: &str, cause: impl Into<String>) -> Self {
        let evaluation = Evaluation { location: Some(location.to_owned()), late: true };
        Self { evaluation: Some(evaluation), ..Self::found(names::QUERY_EVALUATION, cause) }
    }

    /// Returns whether the machine itself failed.
    pub fn is_runtime(&self) -> bool {
        self.error == names::RUNTIME
    }

    /// Returns whether it is a timeout.
    pub fn is_timeout(&self) -> bool {
        self.error == names::TIMEOUT
    }

    /// Adds the state to the cause, unless the cause names one already.
    pub fn in_state(mut self, name: &str, entered: u64) -> Self {
        if !self.names_state {
            self.names_state = true;
            let cause = self.cause.unwrap_or_default();
            let place =
                format!("An error occurred while executing the state '{name}' (entered at the event id #{entered}). ");
            self.cause = Some(clip(place + &cause, MOST_CAUSE));
        }
        self
    }

    /// Returns the failure with a cause that names no state.
    pub fn without_state(self) -> Self {
        Self { names_state: true, ..self }
    }

    /// Returns the failure of a branch as a failure of the state that contains it.
    pub fn of_branch(mut self) -> Self {
        if !self.aliases.contains(&names::BRANCH_FAILED) {
            self.aliases.push(names::BRANCH_FAILED);
        }
        self
    }
}

impl From<TaskError> for StateError {
    fn from(error: TaskError) -> Self {
        Self::reported(error.error, error.cause)
    }
}

/// Cuts a text to a number of characters.
fn clip(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// Returns a document for a cause, cut so that the cause stays readable.
pub(crate) fn quoted(value: &serde_json::Value) -> Cow<'static, str> {
    Cow::Owned(clip(value.to_string(), 8_192))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cause_names_the_state_once_however_many_states_it_passes_through() {
        let error = StateError::runtime("Broken.").in_state("Inner", 7).in_state("Outer", 2);
        assert_eq!(
            error.cause.unwrap(),
            "An error occurred while executing the state 'Inner' (entered at the event id #7). Broken."
        );
    }

    #[test]
    fn an_error_of_a_task_is_passed_on_unchanged() {
        let error = StateError::from(TaskError::new("Stage.Corrupt", "{}")).in_state("Work", 2);
        assert_eq!((error.error.as_str(), error.cause.as_deref()), ("Stage.Corrupt", Some("{}")));
    }

    #[test]
    fn long_names_and_causes_are_cut_between_characters() {
        let error = StateError::reported("é".repeat(300), Some("ü".repeat(40_000)));
        assert_eq!(error.error.chars().count(), 256);
        assert_eq!(error.cause.unwrap().chars().count(), 32_768);
    }
}
