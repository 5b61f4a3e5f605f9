//! The ways in which a stage fails, and their stable names.

use std::fmt;

/// Every way in which a call of a stage can fail. The first nine mirror `types.failure` of the WIT contract; the last
/// three are the host's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Case {
    /// The call or the configuration makes no sense.
    InvalidInput,
    /// A file that should be there is not.
    Missing,
    /// The bytes are not what was declared.
    Mismatch,
    /// A well-formed file of a kind that the stage does not handle.
    Unsupported,
    /// A file that claims a format and breaks its rules.
    Corrupt,
    /// A limit was passed.
    TooLarge,
    /// The pin does not grant it.
    Denied,
    /// It may work if tried again.
    Transient,
    /// A defect in the stage.
    Internal,
    /// The call passed its deadline.
    Timeout,
    /// The call wanted more memory than it may have.
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

    /// The name under which Step Functions sees it. Stable: the state machine's Retry and Catch refer to it.
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
    /// Which kind it is.
    pub case: Case,
    /// One sentence that names the thing and the place.
    pub message: String,
}

impl Failure {
    /// A failure of `case`, told as `message`.
    pub fn new(case: Case, message: impl Into<String>) -> Self {
        Self { case, message: message.into() }
    }
}
