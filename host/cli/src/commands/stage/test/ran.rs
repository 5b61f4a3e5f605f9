//! What came of one case.

use std::time::Duration;

/// A case that was run.
pub struct Ran {
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

impl Ran {
    /// Returns whether it did what is expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}
