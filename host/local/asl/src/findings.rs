//! Errors and warnings about a definition.
//!
//! All of them are reported at once, so that an author can fix a definition in one round.

use std::collections::BTreeSet;
use std::fmt;

use crate::definition::language::QueryLanguage;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The machine cannot run.
    Error,
    /// The machine runs, but probably not as intended.
    Warning,
}

/// The kinds of findings. The names are those of the service's `ValidateStateMachineDefinitionDiagnostic` where it has
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The text is not JSON. The location is the place in the text.
    InvalidJson,
    /// The text is JSON, but not an object. It has no location.
    NotAnObject,
    /// A field is missing, unknown, of the wrong type or out of its range.
    Schema,
    /// A transition leads to an unknown state, or a state cannot be reached.
    Transition,
    /// Two states of one machine have the same name.
    DuplicateStateName,
    /// The name of a state is empty or too long.
    InvalidStateName,
    /// The label of a distributed Map state is empty, too long or has a character that it cannot have.
    InvalidLabel,
    /// Two distributed Map states of one machine have the same label.
    DuplicateLabel,
    /// A variable cannot have this name.
    InvalidVariable,
    /// The service itself has a variable of this name.
    ReservedVariable,
    /// A path, or an intrinsic function call, that cannot be parsed.
    InvalidPath,
    /// A JSONata expression that cannot be parsed.
    InvalidJsonata,
    /// A JSONata expression that reads what the service does not offer in its place.
    UnsupportedJsonata,
    /// Valid in the language, but not supported here.
    Unsupported,
    /// A Choice state without a Default.
    NoDefault,
    /// No state ends the machine.
    NoEnd,
    /// A literal that looks like a path or a call of an intrinsic function: the name of its field does not end in `.$`.
    NoDollar,
    /// A literal that looks like a path: the name of its field does not end in `Path`.
    NoPath,
    /// The result of a Pass state, in which nothing is computed, looks as if it were.
    StaticResult,
}

impl Code {
    /// Returns the name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "INVALID_JSON_DESCRIPTION",
            Self::Schema | Self::NotAnObject => "SCHEMA_VALIDATION_FAILED",
            Self::Transition => "MISSING_TRANSITION_TARGET",
            Self::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Self::InvalidStateName => "INVALID_STATE_NAME",
            Self::InvalidLabel => "INVALID_LABEL_NAME",
            Self::DuplicateLabel => "DUPLICATE_LABEL_NAME",
            Self::InvalidVariable => "INVALID_VARIABLE_NAME",
            Self::ReservedVariable => "RESERVED_VARIABLE_NAME",
            Self::InvalidPath => "INVALID_JSON_PATH",
            Self::InvalidJsonata => "INVALID_JSONATA_EXPRESSION",
            Self::UnsupportedJsonata => "UNSUPPORTED_JSONATA_EXPRESSION",
            Self::Unsupported => "UNSUPPORTED_FEATURE",
            Self::NoDefault => "CHOICE_STATE_MISSING_DEFAULT",
            Self::NoEnd => "MISSING_END_STATE",
            Self::NoDollar => "NO_DOLLAR",
            Self::NoPath => "NO_PATH",
            Self::StaticResult => "PASS_RESULT_IS_STATIC",
        }
    }
}

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// Its code.
    pub code: Code,
    /// A JSON pointer into the definition, `/States/Work/Retry/0`; `/` for the document. Of a text that is not JSON, the
    /// place in the text.
    pub location: String,
    /// The innermost state around it.
    pub state: Option<String>,
    /// What is wrong and how to fix it.
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
    /// All findings, in the order of the definition; at least one is an error.
    pub findings: Vec<Finding>,
}

/// Collects findings while a definition is read, and tracks the place in it.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    findings: Vec<Finding>,
    location: Vec<String>,
    states: Vec<String>,
    /// The machine's query language, which its states inherit.
    pub language: QueryLanguage,
    /// The labels of distributed Map states so far.
    pub labels: BTreeSet<String>,
}

/// The largest number of findings: an untrusted definition must not fill the memory with them.
const MOST: usize = 100;

impl Collector {
    /// Calls `read` with the location extended by `step`.
    pub fn at<T>(&mut self, step: impl ToString, read: impl FnOnce(&mut Self) -> T) -> T {
        self.location.push(step.to_string());
        let value = read(self);
        self.location.pop();
        value
    }

    /// Calls `read` with the location extended by several steps, which slashes divide.
    pub fn along<T>(&mut self, steps: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.location.len();
        self.location.extend(steps.split('/').map(str::to_owned));
        let value = read(self);
        self.location.truncate(length);
        value
    }

    /// Calls `read` with the location and the state of `name`.
    pub fn in_state<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.states.push(name.to_owned());
        let value = self.at(name, read);
        self.states.pop();
        value
    }

    /// Returns the current location as a JSON pointer.
    pub fn location(&self) -> String {
        pointer(&self.location)
    }

    /// Notes an error at the current location.
    pub fn error(&mut self, code: Code, message: impl Into<String>) {
        self.push(Severity::Error, code, message.into());
    }

    /// Notes a warning at the current location.
    pub fn warning(&mut self, code: Code, message: impl Into<String>) {
        self.push(Severity::Warning, code, message.into());
    }

    /// Notes an error at a place in the text.
    pub fn in_text(&mut self, place: String, code: Code, message: String) {
        if self.findings.len() < MOST {
            self.findings.push(Finding { severity: Severity::Error, code, location: place, state: None, message });
        }
    }

    /// Notes an error at a place that was left.
    pub fn in_place(&mut self, location: &str, state: &str, code: Code, message: String) {
        if self.findings.len() < MOST {
            let (location, state) = (location.to_owned(), Some(state.to_owned()));
            self.findings.push(Finding { severity: Severity::Error, code, location, state, message });
        }
    }

    fn push(&mut self, severity: Severity, code: Code, message: String) {
        if self.findings.len() < MOST {
            let location = pointer(&self.location);
            self.findings.push(Finding { severity, code, location, state: self.states.last().cloned(), message });
        }
    }

    /// Returns all findings.
    pub fn finish(self) -> Vec<Finding> {
        self.findings
    }
}

/// Returns the JSON pointer of these steps. Without steps it is `/`, as the service writes it.
fn pointer(steps: &[String]) -> String {
    match steps {
        [] => "/".to_owned(),
        _ => steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect(),
    }
}
