//! Fields of a JSON object, read leniently: `null` counts as absent, numbers may be written as text.

use serde_json::{Map, Value};

use super::error::{InputError, describe};
use crate::id::Id;
use crate::traceparent::TraceParent;

/// The longest id that is accepted, in bytes.
pub(super) const ID_MAX: usize = 256;

/// An object and its place in the document.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Fields<'a> {
    pub fn new(object: &'a Map<String, Value>, path: &'a str) -> Self {
        Fields { object, path }
    }

    /// Returns the JSON path of a field.
    pub fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Returns a field; `None` if it is absent or `null`.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Returns an id. A number stays a number and a text a text, because a backend that sends `"4"` expects `"4"` back. An
    /// empty text counts as absent.
    pub fn id(&self, name: &str) -> Result<Option<Id>, InputError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value {
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) if text.len() <= ID_MAX => Ok(Some(Id::Text(text.clone()))),
            Value::Number(number) if number.is_u64() => Ok(number.as_u64().map(Id::Number)),
            other => Err(InputError::unexpected(
                self.path_of(name),
                other,
                "a whole number that is not negative, or a text of at most 256 bytes, is accepted",
            )),
        }
    }

    /// Returns a text. A number becomes a text.
    pub fn text(&self, name: &str) -> Result<Option<String>, InputError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(InputError::unexpected(self.path_of(name), other, "a text is accepted")),
        }
    }

    /// Returns a count, written as a number or as digits.
    pub fn count(&self, name: &str) -> Result<Option<u32>, InputError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match whole(value).map(u32::try_from) {
            Some(Ok(count)) => Ok(Some(count)),
            _ => Err(InputError::Unexpected {
                path: self.path_of(name),
                found: describe(value),
                accepted: "a whole number from 0 to 4294967295 is accepted",
            }),
        }
    }

    /// Returns a trace context in the W3C form. Anything else counts as absent: the text goes into HTTP headers, and an
    /// invalid trace is not a reason to refuse a batch.
    pub fn trace(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Value::as_str).filter(|text| is_traceparent(text)).map(str::to_owned)
    }
}

/// Returns a whole number that is not negative, written as a number or as digits.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

/// Returns whether a text is a `traceparent` that may go into HTTP headers.
pub(super) fn is_traceparent(text: &str) -> bool {
    TraceParent::parse(text).is_some() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic())
}
