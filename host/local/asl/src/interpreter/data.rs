//! The data flow of a state: paths, payload templates, limits.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

use super::run::Around;
use crate::clock::{self, Clock};
use crate::definition::model::{FailText, Wait};
use crate::definition::settings::{Filter, ResultPath, Setting};
use crate::error::{StateError, quoted};
use crate::expressions::intrinsics::{Budget, Expression, not_found};
use crate::expressions::path::{Path, Scope};
use crate::expressions::template::Template;
use crate::limits::{SECONDS, fits};

/// Applies `InputPath` or `OutputPath`.
pub(super) fn filter(filter: &Filter, document: &Value, around: Around<'_>) -> Result<Value, StateError> {
    match filter {
        Filter::Whole => Ok(document.clone()),
        Filter::Empty => Ok(Value::Object(Map::new())),
        Filter::Path(path) => {
            let scope = around.scope(document);
            let found = path.find(scope).ok_or_else(|| {
                StateError::runtime(format!("Invalid path '{}' : No results for path: {}", path.text(), path.normal()))
            })?;
            Ok(found.into_owned())
        }
    }
}

/// Applies `Parameters` and checks the size of the payload.
pub(super) fn parameters(
    template: Option<&Template>,
    input: Value,
    around: Around<'_>,
    state: &str,
) -> Result<Value, StateError> {
    let payload = match template {
        Some(template) => template.evaluate(around.scope(&input))?,
        None => input,
    };
    limit(payload, state)
}

/// Applies `ResultPath` and `OutputPath`.
pub(super) fn output(
    output_path: &Filter,
    result_path: &ResultPath,
    input: &Value,
    result: Value,
    around: Around<'_>,
) -> Result<Value, StateError> {
    let document = place(result_path, input, result)?;
    match output_path {
        Filter::Whole => Ok(document),
        path => filter(path, &document, around),
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

/// Returns the value.
///
/// # Errors
/// `States.DataLimitExceeded`, if it is larger than a payload may be.
pub(super) fn limit(value: Value, state: &str) -> Result<Value, StateError> {
    if fits(&value) { Ok(value) } else { Err(StateError::data_limit(state)) }
}

/// Computes a field's value.
fn compute(expression: &Expression, field: &str, scope: Scope<'_>) -> Result<Value, StateError> {
    expression.evaluate(field, scope, &Budget::new())
}

/// Returns the value of a path in `field`.
pub(super) fn look_up<'a>(path: &Path, field: &str, scope: Scope<'a>) -> Result<Cow<'a, Value>, StateError> {
    path.find(scope).ok_or_else(|| not_found(path, field, scope))
}

/// Returns the whole number of a setting. `field` is the name of its `…Path` field.
pub(super) fn whole(setting: &Setting<u64>, field: &str, least: u64, scope: Scope<'_>) -> Result<u64, StateError> {
    match setting {
        Setting::Value(number) => Ok(*number),
        Setting::Path(path) => {
            let value = look_up(path, field, scope)?;
            // The service reads a text of digits here too, which was recorded for a variable "1".
            let text = value.as_str().filter(|_| field == "MaxConcurrencyPath");
            let number = value.as_u64().or_else(|| text?.parse().ok());
            let number = number.filter(|number| (least..=SECONDS).contains(number));
            number.ok_or_else(|| {
                let path = path.text();
                StateError::runtime(format!(
                    "The {field} parameter must reference a whole number from {least} to {SECONDS}: {path} == {value}"
                ))
            })
        }
    }
}

/// Returns how long a Wait state waits.
pub(super) fn wait_time(wait: &Wait, scope: Scope<'_>, clock: &Clock) -> Result<Duration, StateError> {
    match wait {
        Wait::Seconds(setting) => wait_seconds(setting, scope).map(Duration::from_secs),
        Wait::Until(Setting::Value(date)) => Ok(clock.until(*date)),
        Wait::Until(Setting::Path(path)) => {
            let value = look_up(path, "TimestampPath", scope)?;
            let date = value.as_str().and_then(clock::parse).ok_or_else(|| {
                    StateError::runtime(format!(
                        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {} == {}",
                        path.text(),
                        plain(&value)
                    ))
                })?;
            Ok(clock.until(date))
        }
    }
}

/// Returns the seconds that a Wait state waits. Error texts are the service's.
fn wait_seconds(setting: &Setting<u64>, scope: Scope<'_>) -> Result<u64, StateError> {
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

/// Returns a value for a cause; a string without its quotes.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        other => quoted(other),
    }
}

/// Returns the text of a Fail state's `Error` or `Cause`.
pub(super) fn fail_text(text: &FailText, scope: Scope<'_>) -> Result<String, StateError> {
    match text {
        FailText::Text(text) => Ok(text.clone()),
        FailText::Computed { expression, field } => match compute(expression, field, scope)? {
            Value::String(text) => Ok(text),
            other => Err(StateError::runtime(format!("The '{field}' field must give a string but gave {other}."))),
        },
    }
}
