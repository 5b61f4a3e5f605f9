//! The data flow of a state: paths, payload templates, limits.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

use super::run::Around;
use crate::clock::{self, Clock};
use crate::definition::model::{FailText, Wait};
use crate::definition::settings::{Filter, ResultPath, Setting};
use crate::error::{StateError, names, quoted};
use crate::expressions::intrinsics::{Budget, Expression, not_found};
use crate::expressions::path::{Failure, Path, Scope};
use crate::expressions::reference_path;
use crate::expressions::template::Template;
use crate::limits::{self, SECONDS};

/// The longest that a Wait state waits, in seconds: the service counts them in 32 bits.
const LONGEST_WAIT: u64 = i32::MAX.unsigned_abs() as u64;

/// Applies `InputPath` or `OutputPath`.
pub(super) fn filter<'a>(
    filter: &Filter,
    document: &'a Value,
    around: Around<'a>,
) -> Result<Cow<'a, Value>, StateError> {
    match filter {
        Filter::Whole => Ok(Cow::Borrowed(document)),
        Filter::Empty => Ok(Cow::Owned(Value::Object(Map::new()))),
        Filter::Path(path) => follow(path, around.scope(document)),
    }
}

/// Returns the value of a path whose field the service does not name in its cause.
fn follow<'a>(path: &Path, scope: Scope<'a>) -> Result<Cow<'a, Value>, StateError> {
    path.find_or(scope, |not_found| {
        StateError::runtime(format!("Invalid path '{}' : {}", path.text(), not_found.reason))
    })
}

/// Applies `Parameters` and checks the size of the payload.
pub(super) fn parameters(
    template: Option<&Template>,
    input: Cow<'_, Value>,
    around: Around<'_>,
    state: &str,
) -> Result<Value, StateError> {
    let payload = match template {
        Some(template) => template.evaluate(around.scope(&input))?,
        None => input.into_owned(),
    };
    limit(payload, state)
}

/// Applies `ResultPath` and `OutputPath`.
pub(super) fn output<'a>(
    output_path: &Filter,
    result_path: &ResultPath,
    input: &'a Value,
    result: Cow<'a, Value>,
    around: Around<'a>,
) -> Result<Cow<'a, Value>, StateError> {
    let document = place(result_path, input, result)?;
    // A failure here is after the work of the state.
    let filtered = match (output_path, document) {
        (Filter::Whole, document) => Ok(document),
        (path, Cow::Borrowed(document)) => filter(path, document, around),
        (path, Cow::Owned(document)) => filter(path, &document, around).map(|output| Cow::Owned(output.into_owned())),
    };
    filtered.map_err(StateError::terminal)
}

/// Applies `ResultPath`.
pub(super) fn place<'a>(
    path: &ResultPath,
    input: &'a Value,
    result: Cow<'a, Value>,
) -> Result<Cow<'a, Value>, StateError> {
    match path {
        ResultPath::Replace => Ok(result),
        ResultPath::Discard => Ok(Cow::Borrowed(input)),
        ResultPath::Path(path) => path.write(input.clone(), result.into_owned()).map(Cow::Owned).map_err(|no_place| {
            StateError::reference_path(names::RESULT_PATH_MATCH_FAILURE, no_place.cause(path.text(), input))
        }),
    }
}

/// Returns the value of `ItemsPath`. The service reads it step by step, as a reference path.
pub(super) fn items_at<'a>(path: &Path, scope: Scope<'a>) -> Result<Cow<'a, Value>, StateError> {
    path.find_or(scope, |_| match reference_path::absent(path, scope.input) {
        Some(no_place) => {
            StateError::reference_path(names::PARAMETER_PATH_FAILURE, no_place.cause(path.text(), scope.input))
        }
        None => not_found(path, "ItemsPath", scope),
    })
}

/// Returns the value.
///
/// # Errors
/// `States.DataLimitExceeded`, if it is larger than a payload may be; `States.Runtime`, if it is nested too deeply.
pub(super) fn limit(value: Value, state: &str) -> Result<Value, StateError> {
    match limits::text(&value) {
        Ok(_) => Ok(value),
        Err(excess) => Err(StateError::excess(excess, state)),
    }
}

/// Computes a field's value.
fn compute(expression: &Expression, field: &str, scope: Scope<'_>) -> Result<Value, StateError> {
    expression.evaluate(field, scope, &Budget::new())
}

/// Returns the value of a path in `field`.
pub(super) fn look_up<'a>(path: &Path, field: &str, scope: Scope<'a>) -> Result<Cow<'a, Value>, StateError> {
    path.find_or(scope, |_| not_found(path, field, scope))
}

/// Returns the whole number of a setting. `field` is the name of its `…Path` field.
pub(super) fn whole(setting: &Setting<u64>, field: &str, least: u64, scope: Scope<'_>) -> Result<u64, StateError> {
    match setting {
        Setting::Value(number) => Ok(*number),
        Setting::Path(path) => {
            let value = follow(path, scope)?;
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

/// Returns `MaxConcurrency`. Error texts are the service's.
pub(super) fn concurrency(setting: &Setting<u64>, scope: Scope<'_>) -> Result<u64, StateError> {
    let path = match setting {
        Setting::Value(number) => return Ok(*number),
        Setting::Path(path) => path,
    };
    match number(path, "MaxConcurrencyPath", true, scope)? {
        // Whole, and far fewer than 2^53 child executions ever run.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        number if number >= 0.0 => Ok(number as u64),
        number => {
            let cause = format!("Expected non-negative integer for MaxConcurrency, got '{number}' instead.");
            Err(StateError::runtime(cause))
        }
    }
}

/// Returns the number that a path in `field` finds. Error texts are the service's.
pub(super) fn number(path: &Path, field: &str, whole: bool, scope: Scope<'_>) -> Result<f64, StateError> {
    let value = look_up(path, field, scope)?;
    // The numbers that states count with are exact.
    #[allow(clippy::cast_precision_loss)]
    let found = match value.as_ref() {
        Value::Number(number) if whole => number.as_i64().map(|number| number as f64),
        Value::Number(number) => number.as_f64(),
        Value::String(text) if whole => text.parse::<i64>().ok().map(|number| number as f64),
        Value::String(text) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
        _ => None,
    };
    found.ok_or_else(|| {
        let (value, kind, path) = (plain(&value), if whole { "integer" } else { "float" }, path.text());
        let cause = format!("The {field} field refers to value \"{value}\" which is not a valid {kind}: {path}");
        StateError::runtime(cause)
    })
}

/// Returns how long a Wait state waits.
pub(super) fn wait_time(wait: &Wait, scope: Scope<'_>, clock: &Clock) -> Result<Duration, StateError> {
    let time = asked_time(wait, scope, clock)?;
    match time.as_secs() > LONGEST_WAIT {
        true => Err(StateError::runtime("Wait state delay is too long.")),
        false => Ok(time),
    }
}

fn asked_time(wait: &Wait, scope: Scope<'_>, clock: &Clock) -> Result<Duration, StateError> {
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
    let found = match path.find(scope) {
        Err(Failure::Exhausted) => return Err(StateError::path_work(text)),
        Err(Failure::NotFound(_)) => None,
        Ok(value) => Some(value),
    };
    let problem = match found.as_deref() {
        None => format!("does not reference an input value: {text}"),
        Some(Value::Number(number)) if number.is_u64() => {
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
