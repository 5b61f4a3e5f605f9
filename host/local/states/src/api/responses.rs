//! Parts of responses.

use serde_json::{Map, Value};

/// Returns an empty response.
pub(super) fn empty() -> Value {
    Value::Object(Map::new())
}

/// Adds the token of the next page.
pub(super) fn with_next(mut answer: Value, next: Option<String>) -> Value {
    if let (Some(fields), Some(next)) = (answer.as_object_mut(), next) {
        fields.insert("nextToken".into(), next.into());
    }
    answer
}
