//! How a document differs from the expected one, place by place.

use serde_json::Value;

/// The longest text of a value in a difference.
const LONGEST: usize = 200;

/// Returns a line for every place at which `found` is not `expected`.
pub fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", expected, found, &mut lines);
    lines
}

fn compare(place: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                match b.get(name) {
                    Some(other) => compare(&place, value, other, lines),
                    None => lines.push(format!("{place}: expected {}, found nothing", short(value))),
                }
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                lines.push(format!("{place}: found {}, expected nothing", short(value)));
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for (index, (value, other)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}[{index}]"), value, other, lines);
            }
            for (index, value) in a.iter().enumerate().skip(b.len()) {
                lines.push(format!("{place}[{index}]: expected {}, found nothing", short(value)));
            }
            for (index, value) in b.iter().enumerate().skip(a.len()) {
                lines.push(format!("{place}[{index}]: found {}, expected nothing", short(value)));
            }
        }
        (a, b) if a == b => {}
        (a, b) => lines.push(format!("{place}: expected {}, found {}", short(a), short(b))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_is_named() {
        let expected = json!({"outcome": {"assets": [{"key": "a", "title": "x"}, {"key": "b"}]}, "effects": []});
        let found = json!({"outcome": {"assets": [{"key": "a", "title": "y", "more": 1}]}, "effects": [1]});
        assert_eq!(
            differences(&expected, &found),
            [
                "outcome.assets[0].title: expected \"x\", found \"y\"",
                "outcome.assets[0].more: found 1, expected nothing",
                "outcome.assets[1]: expected {\"key\":\"b\"}, found nothing",
                "effects[0]: found 1, expected nothing",
            ]
        );
        assert_eq!(differences(&expected, &expected), Vec::<String>::new());
    }
}
