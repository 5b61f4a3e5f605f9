//! The result of one case.

use std::time::Duration;

/// What a case did, compared with what is expected.
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// The time of its calls.
    pub took: Duration,
    /// How it differs from what is expected; empty if it passed.
    pub differences: Vec<String>,
    /// What the stage printed, a text for every call that printed something.
    pub printed: Vec<String>,
    /// Whether its expectation was written.
    pub updated: bool,
}

impl CaseResult {
    /// Returns whether it did what is expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}
