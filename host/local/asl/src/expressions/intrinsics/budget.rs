//! A bound on what one expression may produce.

use std::cell::Cell;

use serde_json::Value;

use crate::error::StateError;
use crate::limits::{PAYLOAD_BYTES, json_bytes};

/// The bytes that one expression may still produce. Without it, a definition could repeat a large input many times
/// before the result is measured.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    /// Returns a budget of eight times the largest payload: intermediate values count as well.
    pub fn new() -> Self {
        Self(Cell::new(8 * PAYLOAD_BYTES))
    }

    /// Subtracts the size of a value.
    ///
    /// # Errors
    /// `States.DataLimitExceeded` if the budget is used up.
    pub fn charge(&self, value: &Value) -> Result<(), StateError> {
        let left = self.0.get().checked_sub(json_bytes(value));
        self.0.set(left.unwrap_or(0));
        left.map(drop).ok_or_else(|| StateError::data_limit("States.Payload"))
    }
}
