//! Literals that look as if they were computed: the service warns about them.

use serde_json::Value;

use crate::findings::{Code, Collector};

/// Returns whether a literal looks like a path or a call of an intrinsic function.
fn is_computed(text: &str) -> bool {
    text.starts_with("$.") || text.starts_with("$[") || text.starts_with("$$.") || text.starts_with("States.")
}

/// Notes a warning for each literal of a payload template that looks computed.
pub(super) fn check_template(value: &Value, notes: &mut Collector) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| !name.ends_with(".$")) {
                notes.at(name, |notes| match value {
                    Value::String(text) if is_computed(text) => {
                        let message = "No .$ on a field that appears to be a JSONPath or Intrinsic Function.";
                        notes.warning(Code::NoDollar, message);
                    }
                    inner => check_template(inner, notes),
                });
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| notes.at(at, |notes| check_template(item, notes)));
        }
        _ => {}
    }
}

/// Notes a warning if a literal of a field that has a second form `…Path` looks like a path.
pub(super) fn check_literal(text: &str, notes: &mut Collector) {
    if is_computed(text) {
        notes.warning(Code::NoPath, "Field value looks like a path, but field name does not end with 'Path'.");
    }
}

/// Notes a warning if something in the result of a Pass state looks computed.
pub(super) fn check_result(result: &Value, notes: &mut Collector) {
    if has_computed(result) {
        let message = "Attempt to use a path in the result of a pass state.";
        notes.at("Result", |notes| notes.warning(Code::StaticResult, message));
    }
}

fn has_computed(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| name.ends_with(".$") || has_computed(value)),
        Value::Array(items) => items.iter().any(has_computed),
        Value::String(text) => is_computed(text),
        _ => false,
    }
}
