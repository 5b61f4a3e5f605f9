//! A path or a function call, as it stands in a field.

use std::borrow::Cow;

use serde_json::Value;

use super::budget::Budget;
use super::call::Call;
use super::parse;
use crate::error::{StateError, quoted};
use crate::expressions::path::{Failure, NotFound, Path, Scope};

/// A path or a function call: a value that is computed from the input and the context object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Path(Path),
    Call(Call),
}

impl Expression {
    /// Parses a path (`$…`) or a call (`States.…`).
    ///
    /// # Errors
    /// The reason, as the message of a finding.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Path::parse(text).map(Self::Path).map_err(|error| error.to_string());
        }
        parse::call(text).map(Self::Call)
    }

    /// Calls `each` with every path.
    pub fn paths<'a>(&'a self, each: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::Path(path) => each(path),
            Self::Call(call) => call.paths(each),
        }
    }

    /// Computes the value. `field` is the name of the field that holds the expression; errors quote it.
    pub fn evaluate(&self, field: &str, scope: Scope<'_>, budget: &Budget) -> Result<Value, StateError> {
        match self {
            Self::Path(path) => {
                path.check_input(scope)?;
                let value = match path.find(scope) {
                    // In a payload template, an index after the end of an array is null.
                    Err(Failure::NotFound(NotFound { beyond_end: true, .. })) => Cow::Owned(Value::Null),
                    Err(Failure::NotFound(_)) => return Err(not_found(path, field, scope)),
                    Err(Failure::Exhausted) => return Err(StateError::path_work(path.text())),
                    Ok(value) => value,
                };
                budget.charge(&value)?;
                Ok(value.into_owned())
            }
            Self::Call(call) => call.evaluate(scope, budget, call),
        }
    }
}

/// Returns the error for a path in `field` that finds no value.
pub(crate) fn not_found(path: &Path, field: &str, scope: Scope<'_>) -> StateError {
    let input = quoted(path.base(scope));
    let path = path.text();
    StateError::parameter_path(format!(
        "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
    ))
}
