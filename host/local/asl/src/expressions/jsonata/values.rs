//! Values of JSON and of the library.

use jsonata_core::value::JValue;
use serde_json::{Map, Number, Value};

use super::engine::{Bindings, Failure, Found, MOST_BYTES};

/// The deepest nesting of a result.
const MOST_NESTING: usize = 128;

/// Returns `$states`. Members that the query cannot name are left out.
pub(super) fn states(bindings: &Bindings, wanted: &[String]) -> JValue {
    let all = wanted.iter().any(|name| name == "*");
    let members = bindings.states().filter(|(name, _)| all || wanted.iter().any(|wanted| wanted == name));
    JValue::object(members.map(|(name, value)| (name.to_owned(), read(value))).collect())
}

/// Returns a value as the library reads it.
pub(super) fn read(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(value) => JValue::Bool(*value),
        Value::Number(number) => JValue::Number(number.as_f64().unwrap_or(0.0)),
        Value::String(text) => JValue::from(text.as_str()),
        Value::Array(items) => JValue::array(items.iter().map(read).collect()),
        Value::Object(fields) => {
            JValue::object(fields.iter().map(|(name, value)| (name.clone(), read(value))).collect())
        }
    }
}

/// Returns a result as JSON.
///
/// # Errors
/// It is larger or nested more deeply than an evaluation may build: parts of a value can be shared, so that its text is
/// far larger than its memory.
pub(super) fn write(value: &JValue) -> Result<Found, Failure> {
    if value.is_undefined() {
        return Ok(Found::Nothing);
    }
    let mut writer = Writer { left: MOST_BYTES, function: false };
    let value = writer.write(value, 0)?;
    Ok(if writer.function { Found::Function } else { Found::Value(value) })
}

struct Writer {
    left: usize,
    function: bool,
}

impl Writer {
    fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        self.left = self.left.checked_sub(bytes).ok_or_else(Failure::memory)?;
        Ok(())
    }

    fn write(&mut self, value: &JValue, depth: usize) -> Result<Value, Failure> {
        if depth > MOST_NESTING {
            return Err(Failure::depth());
        }
        Ok(match value {
            JValue::Null | JValue::Undefined => Value::Null,
            JValue::Bool(value) => Value::Bool(*value),
            JValue::Number(value) => {
                self.charge(8)?;
                number(*value)
            }
            JValue::String(text) => {
                self.charge(text.len())?;
                Value::String(text.to_string())
            }
            JValue::Array(items) => {
                let mut written = Vec::new();
                for item in items.iter() {
                    self.charge(1)?;
                    written.push(self.write(item, depth + 1)?);
                }
                Value::Array(written)
            }
            JValue::Object(fields) => {
                let mut written = Map::new();
                for (name, value) in fields.iter().filter(|(_, value)| !value.is_undefined()) {
                    self.charge(name.len())?;
                    written.insert(name.clone(), self.write(value, depth + 1)?);
                }
                Value::Object(written)
            }
            JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
                self.function = true;
                Value::Null
            }
        })
    }
}

/// Returns a number as the service writes it: whole numbers without a fraction while they fit 64 bits, and a number that
/// JSON cannot hold as the text that JavaScript gives it.
pub(super) fn number(value: f64) -> Value {
    // Exact: below 2^63 in size and whole.
    #[allow(clippy::cast_possible_truncation)]
    let whole = (value.fract() == 0.0 && value.abs() < 9_223_372_036_854_775_808.0).then_some(value as i64);
    match (whole, Number::from_f64(value)) {
        (Some(whole), _) => whole.into(),
        (None, Some(number)) => Value::Number(number),
        (None, None) if value.is_nan() => "NaN".into(),
        (None, None) if value > 0.0 => "Infinity".into(),
        (None, None) => "-Infinity".into(),
    }
}

/// Returns a value that passes through a query unchanged, with its numbers written as [`number`] writes them.
pub(super) fn pass(value: &Value) -> Value {
    match value {
        Value::Number(given) if given.is_f64() => given.as_f64().map_or_else(|| value.clone(), number),
        Value::Array(items) => items.iter().map(pass).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), pass(value))).collect())
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_written_as_the_service_writes_them() {
        for (value, written) in [
            (1.0, json!(1)),
            (1.5, json!(1.5)),
            (-0.0, json!(0)),
            (1e15, json!(1_000_000_000_000_000_i64)),
            (f64::INFINITY, json!("Infinity")),
            (f64::NEG_INFINITY, json!("-Infinity")),
            (f64::NAN, json!("NaN")),
        ] {
            assert_eq!(number(value), written, "{value}");
        }
    }

    #[test]
    fn a_small_value_with_a_huge_text_is_refused() {
        let mut value = JValue::from("xxxxxxxxxxxxxxxx");
        for _ in 0..40 {
            value = JValue::array(vec![value.clone(), value]);
        }
        assert_eq!(write(&value).unwrap_err(), Failure::memory());
    }
}
