//! The errors of the API.

use stagehost_asl::Finding;

use crate::diagnostics::{Diagnostic, diagnostic, is_reported};

/// An error of the API: a name that SDKs turn into a type, and a message for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct StatesError {
    /// `StateMachineDoesNotExist`, `ValidationException`, …
    pub name: &'static str,
    /// What is wrong, with the name of the resource.
    pub message: String,
}

impl StatesError {
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// Returns the error of a value that breaks a rule of the service's model. `rule` is in the model's words.
    pub(crate) fn constraint(value: &str, place: &str, rule: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: {rule}"
        ))
    }

    pub(crate) fn invalid_arn(arn: &str) -> Self {
        Self::new("InvalidArn", format!("Invalid Arn: '{arn}'"))
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        Self::new("InvalidName", format!("Invalid Name: '{name}'"))
    }

    pub(crate) fn no_machine(arn: &str) -> Self {
        Self::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
    }

    pub(crate) fn no_execution(arn: &str) -> Self {
        Self::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
    }

    /// Returns the error of a definition, with every finding.
    pub(crate) fn invalid_definition(findings: &[Finding]) -> Self {
        let findings = findings.iter().filter(|finding| is_reported(finding)).map(|finding| {
            let Diagnostic { code, message, location, .. } = diagnostic(finding);
            match location {
                Some(location) => format!("{code}: {message} at {location}"),
                None => format!("{code}: {message}"),
            }
        });
        let message = findings.collect::<Vec<_>>().join(", ");
        Self::new("InvalidDefinition", format!("Invalid State Machine Definition: '{message}'"))
    }

    pub(crate) fn no_activity(arn: &str) -> Self {
        Self::new("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'"))
    }

    pub(crate) fn no_resource() -> Self {
        Self::new("ResourceNotFound", "Request references a resource that does not exist.")
    }

    /// Returns the error of an operation that is only for the other type of state machine.
    pub(crate) fn wrong_kind() -> Self {
        let message = "This operation is not supported by this type of state machine";
        Self::new("StateMachineTypeNotSupported", message)
    }

    pub(crate) fn invalid_page() -> Self {
        Self::new("InvalidToken", "Invalid Token: 'Invalid token'")
    }
}
