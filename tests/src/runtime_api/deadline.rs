//! Deadlines of invocations, as Lambda and its emulators send them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an answer may take if its deadline cannot be understood. No test takes nearly as long.
const ODD: Duration = Duration::from_secs(120);

/// The value of `Lambda-Runtime-Deadline-Ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long from now, as Lambda sends it.
    In(Duration),
    /// One second into 1970, as a common emulator sends it.
    In1970,
    /// The end of the year 9999.
    FarFuture,
    /// Without the header.
    Absent,
    /// Any text.
    Text(&'static str),
}

impl Deadline {
    /// Longer than any tested invocation takes, and shorter than a test may take.
    pub const USUAL: Deadline = Deadline::In(Duration::from_secs(300));

    /// How long to wait for an answer.
    pub(super) fn time(&self) -> Duration {
        match self {
            Deadline::In(time) => *time,
            // Lambda never sends such a deadline.
            _ => ODD,
        }
    }

    pub(super) fn header(&self) -> Option<String> {
        match self {
            Deadline::In(time) => {
                let at = SystemTime::now() + *time;
                Some(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string())
            }
            Deadline::In1970 => Some("1000".to_owned()),
            Deadline::FarFuture => Some("253402300799000".to_owned()),
            Deadline::Absent => None,
            Deadline::Text(text) => Some((*text).to_owned()),
        }
    }
}
