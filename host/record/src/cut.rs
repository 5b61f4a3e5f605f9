//! The end of a record that ends before its call did.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a record ends before its call did, and why. The call itself went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// How many bytes of the call are recorded: requests, answers, and what the stage read.
    pub bytes: u64,
    /// Why the rest is not recorded.
    pub reason: CutReason,
}

/// Why a record is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutReason {
    /// Requests and answers are longer than a record may be.
    RecordTooLong,
    /// The stage read more bytes, or exchanged longer bodies, than are kept.
    ContentsTooLong,
    /// The stage made more requests than are kept.
    TooManyCalls,
    /// The stage read a clock more often than is kept.
    TooManyReadings,
    /// The temporary file could not be written, or was slow.
    TemporaryFile,
    /// All recordings of the process together used up their memory or their temporary files.
    NoRoom,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            CutReason::RecordTooLong => "the requests and answers are longer than a record may be",
            CutReason::ContentsTooLong => "the stage read more than is kept",
            CutReason::TooManyCalls => "the stage made more requests than are kept",
            CutReason::TooManyReadings => "the stage read a clock more often than is kept",
            CutReason::TemporaryFile => "the temporary file is full or slow",
            CutReason::NoRoom => "all recordings together are larger than the process allows",
        };
        write!(f, "cut at {} bytes: {reason}", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_says_where_and_why() {
        let cut = Cut { bytes: 8_388_608, reason: CutReason::TooManyCalls };
        assert_eq!(cut.to_string(), "cut at 8388608 bytes: the stage made more requests than are kept");
        assert_eq!(serde_json::json!(cut), serde_json::json!({"bytes": 8_388_608, "reason": "too-many-calls"}));
    }
}
