//! What a state fails with while it runs.
//!
//! The service and its documentation do not always use the same name for one failure: a path in `Parameters` that finds
//! nothing is documented as `States.ParameterPathFailure`, and reported as `States.Runtime`. An error therefore carries
//! the name which the service reports, and the documented ones by which a Retry or Catch may name it as well.

use std::borrow::Cow;

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
    pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
    pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
    pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
    pub const PARAMETER_PATH_FAILURE: &str = "States.ParameterPathFailure";
    pub const PERMISSIONS: &str = "States.Permissions";
    pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
    pub const RUNTIME: &str = "States.Runtime";
    pub const TASK_FAILED: &str = "States.TaskFailed";
    pub const TIMEOUT: &str = "States.Timeout";
}

/// A failure of a task, as the resource reports it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {}", .cause.as_deref().unwrap_or("no cause given"))]
pub struct TaskError {
    /// The name for Retry and Catch: `Lambda.Unknown`, `Stage.Corrupt`, `States.Permissions`.
    pub error: String,
    /// What happened, for people; often a JSON document.
    pub cause: Option<String>,
}

impl TaskError {
    /// An error with a cause.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: Some(cause.into()) }
    }
}

/// A failure of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateError {
    /// The reported name.
    pub error: String,
    pub cause: Option<String>,
    /// Documented names which match as well.
    pub aliases: Vec<&'static str>,
    /// The cause already says in which state it happened.
    placed: bool,
}

impl StateError {
    /// A failure that the interpreter itself finds; its cause will name the state.
    fn found(error: &str, cause: impl Into<String>) -> Self {
        Self { error: error.to_owned(), cause: Some(cause.into()), aliases: Vec::new(), placed: false }
    }

    /// A failure whose error and cause are somebody else's words.
    pub fn reported(error: impl Into<String>, cause: Option<String>) -> Self {
        let error = clip(error.into(), MOST_ERROR);
        Self { error, cause: cause.map(|cause| clip(cause, MOST_CAUSE)), aliases: Vec::new(), placed: true }
    }

    /// The machine cannot go on: nothing catches this by a wildcard.
    pub fn runtime(cause: impl Into<String>) -> Self {
        Self::found(names::RUNTIME, cause)
    }

    /// A path found nothing.
    pub fn parameter_path(cause: impl Into<String>) -> Self {
        Self { aliases: vec![names::PARAMETER_PATH_FAILURE], ..Self::runtime(cause) }
    }

    /// A `ResultPath` that does not fit the input.
    pub fn result_path(cause: impl Into<String>) -> Self {
        Self::found(names::RESULT_PATH_MATCH_FAILURE, cause)
    }

    /// An intrinsic function refused its arguments.
    pub fn intrinsic(call: &str, reason: &str) -> Self {
        Self::found(names::INTRINSIC_FAILURE, format!("The function '{call}' had the following error: {reason}"))
    }

    /// No rule of a Choice state holds, and there is no Default.
    pub fn no_choice() -> Self {
        let cause = "Failed to transition out of the state. The state does not point to a next state.";
        Self::found(names::NO_CHOICE_MATCHED, cause)
    }

    /// More bytes than a payload may have. `what` is a state or a service.
    pub fn data_limit(what: &str) -> Self {
        let cause = format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Self::reported(names::DATA_LIMIT_EXCEEDED, Some(cause))
    }

    /// The state's own time is over.
    pub fn timeout() -> Self {
        Self::reported(names::TIMEOUT, None)
    }

    /// No sign of life in time. The service reports it as a timeout; Retry and Catch know the finer name.
    pub fn heartbeat() -> Self {
        Self { aliases: vec![names::HEARTBEAT_TIMEOUT], ..Self::timeout() }
    }

    /// Whether the machine itself failed.
    pub fn is_runtime(&self) -> bool {
        self.error == names::RUNTIME
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        self.error == names::TIMEOUT
    }

    /// Says in the cause where it happened, once.
    pub fn in_state(mut self, name: &str, entered: u64) -> Self {
        if !self.placed {
            self.placed = true;
            let cause = self.cause.unwrap_or_default();
            let place =
                format!("An error occurred while executing the state '{name}' (entered at the event id #{entered}). ");
            self.cause = Some(clip(place + &cause, MOST_CAUSE));
        }
        self
    }

    /// The failure of a branch, as the state around it sees it.
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

/// Shortens to a number of characters.
fn clip(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// A document for a cause, shortened so that the cause stays readable.
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
    fn what_a_task_reports_is_passed_on_word_for_word() {
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
