//! The kinds of fault.

/// A kind of fault. The first ten happen to requests and events, the other two to the function itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Nothing listens for a moment, and the connection is closed before the request has an effect.
    Refused,
    /// The connection is reset after the request was read and before it has an effect.
    Reset,
    /// The answer is late.
    Slow,
    /// The answer's body ends in the middle.
    Cut,
    /// The request has its effect; the connection is reset before the answer.
    AnswerLost,
    /// 500 without an effect.
    InternalError,
    /// 503 without an effect.
    SlowDown,
    /// A conditional request meets another one: 409 without an effect, or the answer of a second try, such as 412.
    Conflict,
    /// 429 or `ThrottlingException` without an effect.
    Throttled,
    /// A message or an event is delivered twice, or events arrive out of order.
    Events,
    /// `kill -9` of the function's process.
    Kill,
    /// The engine no longer waits for an invocation, which goes on, and tries again.
    GivenUp,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [FaultKind; 12] = [
        Self::Refused,
        Self::Reset,
        Self::Slow,
        Self::Cut,
        Self::AnswerLost,
        Self::InternalError,
        Self::SlowDown,
        Self::Conflict,
        Self::Throttled,
        Self::Events,
        Self::Kill,
        Self::GivenUp,
    ];

    /// Returns the name in tables and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Slow => "slow",
            Self::Cut => "body cut",
            Self::AnswerLost => "answer lost",
            Self::InternalError => "500",
            Self::SlowDown => "503",
            Self::Conflict => "409/412",
            Self::Throttled => "throttled",
            Self::Events => "events",
            Self::Kill => "kill -9",
            Self::GivenUp => "given up",
        }
    }
}
