//! When an answer is due, in the ways in which functions were told so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an answer may take if its deadline is none. Nothing that is tested takes nearly as long.
const ODD: Duration = Duration::from_secs(120);

/// The value of `Lambda-Runtime-Deadline-Ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long from now: what Lambda sends.
    In(Duration),
    /// One second into 1970, as a widespread emulator says.
    In1970,
    /// The end of the year 9999.
    FarFuture,
    /// No such header.
    Absent,
    /// Whatever text.
    Text(&'static str),
}

impl Deadline {
    /// Enough for whatever is tested, and less than a test may take.
    pub const USUAL: Deadline = Deadline::In(Duration::from_secs(300));

    /// How long to wait for an answer.
    pub(super) fn time(&self) -> Duration {
        match self {
            Deadline::In(time) => *time,
            // What Lambda would do is not known, for it never says so.
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
