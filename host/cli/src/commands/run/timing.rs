//! How long a state took.

use std::time::Duration;

/// How long a state took.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The state.
    pub state: String,
    /// From entering to leaving it.
    pub duration: Duration,
}
