//! The test of one state: what takes the place of its work, and what its fields computed.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::error::TaskError;

/// What the test of a state gives. The state is the first one of its execution; it is attempted once.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// The result of the work of a Task, Map or Parallel state; `None` for the work itself.
    pub mock: Option<Result<Value, TaskError>>,
    /// The variables that the state reads.
    pub variables: Map<String, Value>,
    /// The context object; `None` for the execution's own.
    pub context: Option<Map<String, Value>>,
    /// The number of earlier attempts.
    pub retries: u64,
    /// The number of iterations of a Map state that failed.
    pub failed_iterations: Option<u64>,
    /// The state has a role. Without one, the context object has `null` in its place.
    pub has_role: bool,
}

/// How the state's failure was handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handling {
    /// An entry of Retry would try again.
    Retry {
        /// The position of the entry.
        index: usize,
        /// The wait before the next attempt, without jitter.
        delay: Duration,
    },
    /// An entry of Catch caught it.
    Catch {
        /// The position of the entry.
        index: usize,
        /// What it caught.
        error: TaskError,
    },
}

/// The test of a state while its execution runs. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Inspector(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    given: Inspection,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    notes: Vec<(&'static str, Value)>,
    handling: Option<Handling>,
    variables: Map<String, Value>,
}

impl Inspector {
    /// Returns the test that was given.
    pub fn new(given: Inspection) -> Self {
        Self(Arc::new(Inner { given, seen: Mutex::default() }))
    }

    /// Returns what the state's fields computed, by the names of the API: `afterInputPath`, `result`.
    pub fn notes(&self) -> Vec<(&'static str, Value)> {
        self.0.seen.lock().notes.clone()
    }

    /// Returns how the state's failure was handled; `None` if it did not fail or nothing handles it.
    pub fn handling(&self) -> Option<Handling> {
        self.0.seen.lock().handling.clone()
    }

    /// Returns the variables after the state.
    pub fn variables(&self) -> Map<String, Value> {
        self.0.seen.lock().variables.clone()
    }

    pub(crate) fn given(&self) -> &Inspection {
        &self.0.given
    }

    pub(crate) fn mock(&self) -> Option<Result<Value, TaskError>> {
        self.0.given.mock.clone()
    }

    pub(crate) fn note(&self, field: &'static str, value: &Value) {
        self.0.seen.lock().notes.push((field, value.clone()));
    }

    pub(crate) fn note_handling(&self, handling: Handling) {
        self.0.seen.lock().handling = Some(handling);
    }

    pub(crate) fn note_variables(&self, variables: &Map<String, Value>) {
        self.0.seen.lock().variables = variables.clone();
    }
}
