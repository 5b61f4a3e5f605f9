//! The context object, `$$`.

use std::fmt;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::jsonpath::{Segment, Work};

/// The context object of one state. It is made when a path first reads it: it contains the execution's input, which may
/// be large, and most states read nothing of it.
pub(crate) struct Context<'a> {
    /// The execution's input, `$$.Execution.Input`.
    input: &'a Value,
    /// Makes the object without the execution's input.
    make: Box<dyn Fn() -> Value + Send + Sync + 'a>,
    small: OnceLock<Value>,
    whole: OnceLock<Value>,
    work: Work,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Context").field("made", &self.small).finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// Returns a context that `make` makes when it is read. `Execution.Input` of its result is replaced by `input`.
    pub fn new(input: &'a Value, make: impl Fn() -> Value + Send + Sync + 'a) -> Self {
        Self { input, make: Box::new(make), small: OnceLock::new(), whole: OnceLock::new(), work: Work::new() }
    }

    /// Returns a context of a value that exists.
    #[cfg(test)]
    pub fn of(value: Value) -> Self {
        let context = Self::new(&Value::Null, || Value::Null);
        let _ = (context.small.set(value.clone()), context.whole.set(value));
        context
    }

    /// Returns what the searches of the state may still do.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Returns the whole object.
    pub fn value(&self) -> &Value {
        self.whole.get_or_init(|| {
            let mut whole = self.small().clone();
            if let Some(input @ Value::Null) = whole.pointer_mut("/Execution/Input") {
                *input = self.input.clone();
            }
            whole
        })
    }

    /// Returns a document in which the path can be followed, and the pieces that are left, without making more of the
    /// object than they read.
    pub fn part<'s>(&self, segments: &'s [Segment]) -> (&Value, &'s [Segment]) {
        let name = |segment: Option<&'s Segment>| match segment {
            Some(Segment::Names(names)) if names.len() == 1 => names.first().map(String::as_str),
            _ => None,
        };
        match (name(segments.first()), name(segments.get(1))) {
            (Some("Execution"), Some("Input")) if self.small().pointer("/Execution/Input") == Some(&json!(null)) => {
                (self.input, segments.get(2..).unwrap_or_default())
            }
            (Some("Execution"), Some("Input") | None) | (None, _) => (self.value(), segments),
            (Some(_), _) => (self.small(), segments),
        }
    }

    /// Returns whether the whole object, with a copy of the input, has been made.
    #[cfg(test)]
    pub fn is_whole(&self) -> bool {
        self.whole.get().is_some()
    }

    fn small(&self) -> &Value {
        self.small.get_or_init(|| (self.make)())
    }
}
