//! How a document passes through a state: filtered, shaped, merged, measured.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Visit;
use crate::error::{StateError, quoted};
use crate::intrinsics::{Budget, Expression, not_found};
use crate::limits::{SECONDS, fits};
use crate::model::{Filter, ResultPath, Setting};
use crate::path::{Path, Scope};
use crate::template::Template;

/// Applies `InputPath` or `OutputPath`.
pub(super) fn filter(filter: &Filter, document: &Value, context: &Value) -> Result<Value, StateError> {
    match filter {
        Filter::Whole => Ok(document.clone()),
        Filter::Nothing => Ok(Value::Object(Map::new())),
        Filter::Path(path) => {
            let scope = Scope { input: document, context };
            let found = path.find(scope).ok_or_else(|| {
                StateError::runtime(format!("Invalid path '{}' : No results for path: {}", path.text(), path.normal()))
            })?;
            Ok(found.into_owned())
        }
    }
}

/// Applies `Parameters`, and measures what the state is going to be called with.
pub(super) fn parameters(
    template: Option<&Template>,
    input: Value,
    context: &Value,
    state: &str,
) -> Result<Value, StateError> {
    let payload = match template {
        Some(template) => template.evaluate(Scope { input: &input, context })?,
        None => input,
    };
    limit(payload, state)
}

/// Applies `ResultPath` and `OutputPath`.
pub(super) fn output(
    visit: &Visit<'_>,
    result_path: &ResultPath,
    result: Value,
    context: &Value,
) -> Result<Value, StateError> {
    let document = place(result_path, visit.input, result)?;
    match &visit.state.output_path {
        Filter::Whole => Ok(document),
        path => filter(path, &document, context),
    }
}

/// Applies `ResultPath`.
pub(super) fn place(path: &ResultPath, input: &Value, result: Value) -> Result<Value, StateError> {
    match path {
        ResultPath::Replace => Ok(result),
        ResultPath::Discard => Ok(input.clone()),
        ResultPath::Path(path) => path.write(input.clone(), result).map_err(|no_place| {
            StateError::result_path(format!(
                "Unable to apply the ResultPath '{}': its step {} does not fit the input '{}'",
                path.text(),
                no_place.step,
                quoted(input)
            ))
        }),
    }
}

/// Refuses what is larger than a payload may be.
pub(super) fn limit(value: Value, state: &str) -> Result<Value, StateError> {
    if fits(&value) { Ok(value) } else { Err(StateError::data_limit(state)) }
}

/// Computes a field's value.
pub(super) fn compute(expression: &Expression, field: &str, scope: Scope<'_>) -> Result<Value, StateError> {
    expression.evaluate(field, scope, &Budget::new())
}

/// The value of a path in `field`.
pub(super) fn look_up<'a>(path: &Path, field: &str, scope: Scope<'a>) -> Result<Cow<'a, Value>, StateError> {
    path.find(scope).ok_or_else(|| not_found(path, field, scope))
}

/// The whole number that a setting stands for. `field` is the name of its `…Path`.
pub(super) fn whole(setting: &Setting<u64>, field: &str, least: u64, scope: Scope<'_>) -> Result<u64, StateError> {
    match setting {
        Setting::Value(number) => Ok(*number),
        Setting::Path(path) => {
            let value = look_up(path, field, scope)?;
            let number = value.as_u64().filter(|number| (least..=SECONDS).contains(number));
            number.ok_or_else(|| {
                let path = path.text();
                StateError::runtime(format!(
                    "The {field} parameter must reference a whole number from {least} to {SECONDS}: {path} == {value}"
                ))
            })
        }
    }
}

/// How long a Wait state waits, with the service's own words for what is wrong.
pub(super) fn wait_seconds(setting: &Setting<u64>, scope: Scope<'_>) -> Result<u64, StateError> {
    let path = match setting {
        Setting::Value(seconds) => return Ok(*seconds),
        Setting::Path(path) => path,
    };
    let text = path.text();
    let problem = match path.find(scope).as_deref() {
        None => format!("does not reference an input value: {text}"),
        Some(Value::Number(number)) if number.as_u64().is_some_and(|seconds| seconds <= SECONDS) => {
            return Ok(number.as_u64().unwrap_or_default());
        }
        Some(Value::Number(number)) if number.as_i64().is_some_and(|seconds| seconds < 0) => {
            format!("references a negative value: {text} == {number}")
        }
        Some(value) => format!("cannot be parsed as a long value: {text} == {}", plain(value)),
    };
    Err(StateError::runtime(format!("The SecondsPath parameter {problem}")))
}

/// A value for a cause; a string without its quotes.
pub(super) fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        other => quoted(other),
    }
}
