//! A bound on what searches may do.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::limits::PATH_WORK;

/// The bytes of text that cost as much as one value.
const TEXT_SHARE: u64 = 32;

/// The searches of one state have visited or returned more values than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// The number of values that the searches of one state may still visit and return. A search holds its thread, so this
/// also bounds how long a stop of the execution can wait.
#[derive(Debug)]
pub(crate) struct Work(AtomicU64);

impl Work {
    pub fn new() -> Self {
        Self(AtomicU64::new(PATH_WORK))
    }

    /// Takes a number of values.
    ///
    /// # Errors
    /// [`Exhausted`], if that many are not left.
    pub fn charge(&self, values: u64) -> Result<(), Exhausted> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(values);
        self.0.store(left.unwrap_or(0), Ordering::Relaxed);
        left.map(drop).ok_or(Exhausted)
    }

    /// Takes what reading the outermost level of a value costs: its items, or a part of a long text.
    ///
    /// # Errors
    /// [`Exhausted`], if that many are not left.
    pub fn charge_reading(&self, value: &Value) -> Result<(), Exhausted> {
        self.charge(match value {
            Value::String(text) => text.len() as u64 / TEXT_SHARE,
            Value::Array(items) => items.len() as u64,
            Value::Object(fields) => fields.len() as u64,
            _ => 0,
        })
    }
}
