//! What is wrong, or questionable, in a definition.
//!
//! A machine is refused as a whole, and every reason is given at once: an author fixes a definition in one round.

use std::fmt;

use crate::path::pointer;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The machine cannot run.
    Error,
    /// The machine runs, but probably not as meant.
    Warning,
}

/// The kinds of findings. The names are those of the service's `ValidateStateMachineDefinition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The text is not JSON.
    InvalidJson,
    /// A field is missing, unknown, of the wrong type or out of its range.
    Schema,
    /// A transition leads nowhere, or a state cannot be reached.
    Transition,
    /// Two states of one machine have the same name.
    DuplicateStateName,
    /// A path, or an intrinsic function call, that cannot be parsed.
    InvalidPath,
    /// Right in the language, not supported here.
    Unsupported,
    /// A Choice state without a Default.
    NoDefault,
    /// No state from which the machine could end.
    NoEnd,
}

impl Code {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "INVALID_JSON_DESCRIPTION",
            Self::Schema => "SCHEMA_VALIDATION_FAILED",
            Self::Transition => "MISSING_TRANSITION_TARGET",
            Self::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Self::InvalidPath => "INVALID_JSON_PATH",
            Self::Unsupported => "UNSUPPORTED_FEATURE",
            Self::NoDefault => "CHOICE_STATE_MISSING_DEFAULT",
            Self::NoEnd => "NO_TERMINAL_STATE",
        }
    }
}

/// One thing found in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// A JSON pointer into the definition, `/States/Work/Retry/0`; `/` for the document.
    pub location: String,
    /// The innermost state around it.
    pub state: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            Some(state) => write!(out, "state '{state}': {} (at {})", self.message, self.location),
            None => write!(out, "{} (at {})", self.message, self.location),
        }
    }
}

/// A definition that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state machine is refused: {}", .findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct LoadError {
    /// Everything found, in the order of the definition; at least one error among it.
    pub findings: Vec<Finding>,
}

/// Collects findings while a definition is read. Knows where the reader is.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    findings: Vec<Finding>,
    location: Vec<String>,
    states: Vec<String>,
}

/// More findings than this say nothing new, and an untrusted definition must not fill the memory with them.
const MOST: usize = 100;

impl Collector {
    /// Reads something below `step` of the present location.
    pub fn at<T>(&mut self, step: impl ToString, read: impl FnOnce(&mut Self) -> T) -> T {
        self.location.push(step.to_string());
        let value = read(self);
        self.location.pop();
        value
    }

    /// Reads the state `name`.
    pub fn in_state<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.states.push(name.to_owned());
        let value = self.at(name, read);
        self.states.pop();
        value
    }

    /// Where the reader is, as a JSON pointer.
    pub fn location(&self) -> String {
        pointer(&self.location)
    }

    /// Notes an error here.
    pub fn error(&mut self, code: Code, message: impl Into<String>) {
        self.push(Severity::Error, code, message.into());
    }

    /// Notes a warning here.
    pub fn warning(&mut self, code: Code, message: impl Into<String>) {
        self.push(Severity::Warning, code, message.into());
    }

    fn push(&mut self, severity: Severity, code: Code, message: String) {
        if self.findings.len() < MOST {
            let location = pointer(&self.location);
            self.findings.push(Finding { severity, code, location, state: self.states.last().cloned(), message });
        }
    }

    /// Everything that was noted.
    pub fn finish(self) -> Vec<Finding> {
        self.findings
    }
}
