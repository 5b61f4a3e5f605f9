//! A call of an intrinsic function, and how it is computed.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::apply;
use super::budget::Budget;
use super::function::Function;
use crate::error::{StateError, quoted};
use crate::expressions::path::{Path, Scope};

/// A call of an intrinsic function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// The call as written; errors quote it.
    pub(super) text: String,
    pub(super) function: Function,
    pub(super) arguments: Vec<Argument>,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Argument {
    Path(Path),
    Call(Call),
    Text(Text),
    Number(Number),
    Bool(bool),
    Null,
}

/// A string in single quotes, cut at its placeholders. Only an unescaped pair of braces is a placeholder; an escaped
/// brace is a character of the string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(super) pieces: Vec<String>,
}

impl Text {
    fn whole(&self) -> String {
        self.pieces.join("{}")
    }
}

impl Call {
    /// Returns the function's name: `States.Format`.
    pub fn name(&self) -> &'static str {
        Function::ALL.iter().find(|(_, function)| *function == self.function).map_or("", |(name, _)| name)
    }

    /// Returns the arguments in order.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Calls `each` with every path.
    pub fn paths<'a>(&'a self, each: &mut dyn FnMut(&'a Path)) {
        for argument in &self.arguments {
            match argument {
                Argument::Path(path) => each(path),
                Argument::Call(call) => call.paths(each),
                _ => {}
            }
        }
    }

    /// Computes the call. `whole` is the call that contains it, or itself; errors quote that one.
    pub(super) fn evaluate(&self, scope: Scope<'_>, budget: &Budget, whole: &Self) -> Result<Value, StateError> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(argument.evaluate(scope, budget, whole)?);
        }
        let work = scope.context.work();
        if values.iter().any(|value| work.charge_reading(value).is_err()) {
            return Err(StateError::path_work(&whole.text));
        }
        let template = match self.arguments.first() {
            Some(Argument::Text(text)) => Some(text.pieces.as_slice()),
            _ => None,
        };
        let value = apply::apply(self.function, template, &values)
            .map_err(|reason| StateError::intrinsic(&whole.text, &reason))?;
        budget.charge(&value)?;
        Ok(value)
    }
}

impl Argument {
    fn evaluate<'a>(&self, scope: Scope<'a>, budget: &Budget, whole: &Call) -> Result<Cow<'a, Value>, StateError> {
        Ok(match self {
            Self::Path(path) => path.find_or(scope, |not_found| {
                // The service names the state's input here even if the path reads the context object.
                let place = path.text().strip_prefix('$').filter(|_| path.is_context()).unwrap_or(path.text());
                let reason = match not_found.reason {
                    // The words of the service's JSONPath library show through.
                    reason if reason.starts_with("Filter: ") => reason,
                    _ => format!(
                        "The JsonPath argument for the field '{place}' could not be found in the input '{}'",
                        quoted(scope.input)
                    ),
                };
                StateError::parameter_path(format!("The function '{}' had the following error: {reason}", whole.text))
            })?,
            Self::Call(call) => Cow::Owned(call.evaluate(scope, budget, whole)?),
            Self::Text(text) => Cow::Owned(Value::String(text.whole())),
            Self::Number(number) => Cow::Owned(Value::Number(number.clone())),
            Self::Bool(value) => Cow::Owned(Value::Bool(*value)),
            Self::Null => Cow::Owned(Value::Null),
        })
    }
}
