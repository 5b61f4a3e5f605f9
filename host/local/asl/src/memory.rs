//! How much memory values hold.
//!
//! A document of many small values needs ten times the memory of its text and more, so that sizes of texts say little.

use serde_json::Value;

/// The least that an allocator gives for anything, and the steps in which it gives more, in bytes.
const STEP: usize = 16;
/// What an allocator needs for itself for each piece of memory, in bytes.
const OWN: usize = 8;
/// The fewest places for which an array or an object gets memory.
const FEWEST: usize = 4;
/// A field of an object: its hash, its name, its value, and its place in the table of the names.
const FIELD: usize = size_of::<u64>() + size_of::<String>() + size_of::<Value>() + 2 * (size_of::<usize>() + 1);

/// Returns the memory that a piece of this size takes, in bytes.
pub(crate) fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => (bytes + OWN).next_multiple_of(STEP).max(2 * STEP),
    }
}

/// Returns about the memory that a value needs, in bytes.
pub(crate) fn weight(value: &Value) -> usize {
    size_of::<Value>() + inner(value)
}

/// Returns the memory that a value needs beside its own place.
fn inner(value: &Value) -> usize {
    match value {
        Value::String(text) => allocated(text.capacity()),
        Value::Array(items) => {
            allocated(items.capacity() * size_of::<Value>()) + items.iter().map(inner).sum::<usize>()
        }
        Value::Object(fields) if !fields.is_empty() => {
            let places = fields.len().next_power_of_two().max(FEWEST);
            let fields = fields.iter().map(|(name, value)| allocated(name.capacity()) + inner(value));
            allocated(places * FIELD) + fields.sum::<usize>()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn small_values_weigh_far_more_than_their_text() {
        let nested = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
        assert!(weight(&nested) > 100 * 300, "{}", weight(&nested));
        let text = json!("x".repeat(10_000));
        assert!((10_000..11_000).contains(&weight(&text)), "{}", weight(&text));
        assert_eq!(weight(&json!({})), size_of::<Value>());
    }
}
