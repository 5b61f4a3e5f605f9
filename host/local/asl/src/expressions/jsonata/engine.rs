//! What the interpreter needs from a library that evaluates JSONata.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value};

/// The longest time that one evaluation may take.
pub(crate) const MOST_TIME: Duration = Duration::from_secs(5);
/// The deepest nesting of an evaluation; the service refuses the next level.
pub(super) const MOST_DEPTH: usize = 99;
/// The longest sequence that an evaluation may build; the service refuses one more item.
pub(super) const MOST_ITEMS: usize = 873_782;
/// The most bytes of a value that an evaluation may build, counted as the service does: 8 for a number, 1 for a
/// character.
pub(super) const MOST_BYTES: usize = 8 * MOST_ITEMS;
/// The longest expression, in bytes.
pub(super) const MOST_TEXT: usize = 65_536;

/// The values that a query can read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    /// `$states.input`
    pub input: Arc<Value>,
    /// `$states.context`
    pub context: Arc<Value>,
    /// `$states.result`, once there is one.
    pub result: Option<Arc<Value>>,
    /// `$states.errorOutput`, in a Catch.
    pub error: Option<Arc<Value>>,
    /// The assigned variables by name.
    pub variables: Arc<Map<String, Value>>,
}

impl Bindings {
    /// Returns the members of `$states` by name.
    pub fn states(&self) -> impl Iterator<Item = (&'static str, &Arc<Value>)> {
        let given = [("input", Some(&self.input)), ("context", Some(&self.context))];
        let later = [("result", self.result.as_ref()), ("errorOutput", self.error.as_ref())];
        given.into_iter().chain(later).filter_map(|(name, value)| Some((name, value?)))
    }
}

/// What a query yields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    Value(Value),
    /// Undefined.
    Nothing,
    /// A function, or a value that contains one.
    Function,
}

/// Why an evaluation failed, in the service's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// An error of the language, with its code: `T2001: The left side of …`.
    #[error("{0}")]
    Coded(String),
    /// A limit was reached.
    #[error("{0}")]
    Limit(&'static str),
}

impl Failure {
    /// Returns the failure of an evaluation that takes too long or was cancelled.
    pub fn time() -> Self {
        Self::Limit("Expression evaluation timeout: Check for infinite loop")
    }

    /// Returns the failure of an evaluation that needs too much memory.
    pub fn memory() -> Self {
        Self::Limit("Expression evaluation memory limit exceeded: Check for excessive memory usage")
    }

    /// Returns the failure of an evaluation that nests too deeply.
    pub fn depth() -> Self {
        Self::Limit(
            "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive",
        )
    }
}

/// A query that has been parsed. Each evaluation is independent of the others.
pub(crate) trait Compiled: fmt::Debug + Send + Sync {
    /// Evaluates the query.
    ///
    /// # Errors
    /// An error of the language, or a limit.
    fn evaluate(&self, bindings: &Bindings, cancel: &Cancel) -> Result<Found, Failure>;

    /// Returns the names of the variables that the query reads and does not bind itself, sorted, without `states`.
    fn variables(&self) -> &[String];

    /// Returns why the service does not support the query in its place. `caught` is true in an entry of Catch.
    fn unsupported(&self, caught: bool) -> Option<&str>;
}

/// Cancels evaluations. Clones share one state.
#[derive(Clone, Default)]
pub(crate) struct Cancel(Arc<Mutex<CancelState>>);

#[derive(Default)]
struct CancelState {
    cancelled: bool,
    /// Stops the evaluation that runs.
    stop: Option<Box<dyn Fn() + Send>>,
}

impl Cancel {
    /// Ends the evaluation that runs, and every later one, with the failure of a timeout.
    pub fn cancel(&self) {
        let mut state = self.0.lock();
        state.cancelled = true;
        if let Some(stop) = &state.stop {
            stop();
        }
    }

    /// Sets what stops the evaluation that begins now.
    pub fn stops(&self, stop: impl Fn() + Send + 'static) {
        let mut state = self.0.lock();
        if state.cancelled {
            stop();
        }
        state.stop = Some(Box::new(stop));
    }
}
