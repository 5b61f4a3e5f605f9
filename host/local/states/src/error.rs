//! The errors of the API.

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

    pub(crate) fn invalid_arn(arn: &str) -> Self {
        Self::new("InvalidArn", format!("Invalid Arn: '{arn}'"))
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        Self::new(
            "InvalidName",
            format!(
                "Invalid Name: '{name}': 1 to 80 characters, no white space, no control characters, and none of <>{{}}[]?*\"#%\\^|~`$&,;:/"
            ),
        )
    }

    pub(crate) fn no_machine(arn: &str) -> Self {
        Self::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
    }

    pub(crate) fn no_execution(arn: &str) -> Self {
        Self::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
    }

    pub(crate) fn invalid_page() -> Self {
        Self::new("InvalidToken", "Invalid Token: 'Invalid token'")
    }
}
