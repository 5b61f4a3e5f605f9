//! The kinds of failures of a stage, and their stable names.

use std::fmt;

/// How a call of a stage can fail. The first nine are `types.failure` of the WIT contract; the last three are the host's
/// own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Case {
    /// The input or the configuration is invalid.
    InvalidInput,
    /// A file does not exist.
    Missing,
    /// The bytes differ from what was declared.
    Mismatch,
    /// The file is well-formed, but of a kind that the stage does not handle.
    Unsupported,
    /// The file breaks the rules of its format.
    Corrupt,
    /// A limit was exceeded.
    TooLarge,
    /// The pin does not grant it.
    Denied,
    /// A retry may succeed.
    Transient,
    /// A defect in the stage.
    Internal,
    /// The call passed its deadline.
    Timeout,
    /// The call needed more memory than its limit.
    OutOfMemory,
    /// The component trapped: unreachable code, a stack overflow, an out-of-bounds access.
    Trapped,
}

impl Case {
    /// Every case, in the order of the contract.
    pub const ALL: [Case; 12] = [
        Case::InvalidInput,
        Case::Missing,
        Case::Mismatch,
        Case::Unsupported,
        Case::Corrupt,
        Case::TooLarge,
        Case::Denied,
        Case::Transient,
        Case::Internal,
        Case::Timeout,
        Case::OutOfMemory,
        Case::Trapped,
    ];

    /// Returns the name that Step Functions sees. It is stable, because the state machine's Retry and Catch refer to it.
    pub fn name(self) -> &'static str {
        match self {
            Case::InvalidInput => "Stage.InvalidInput",
            Case::Missing => "Stage.Missing",
            Case::Mismatch => "Stage.Mismatch",
            Case::Unsupported => "Stage.Unsupported",
            Case::Corrupt => "Stage.Corrupt",
            Case::TooLarge => "Stage.TooLarge",
            Case::Denied => "Stage.Denied",
            Case::Transient => "Stage.Transient",
            Case::Internal => "Stage.Internal",
            Case::Timeout => "Stage.Timeout",
            Case::OutOfMemory => "Stage.OutOfMemory",
            Case::Trapped => "Stage.Trapped",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A typed failure: the case decides what happens next, the message is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{case}: {message}")]
pub struct Failure {
    /// The kind of failure.
    pub case: Case,
    /// One sentence that names the thing and the place.
    pub message: String,
}

impl Failure {
    /// Returns a failure of `case` with a message.
    pub fn new(case: Case, message: impl Into<String>) -> Self {
        Self { case, message: message.into() }
    }
}
