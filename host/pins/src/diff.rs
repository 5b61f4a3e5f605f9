//! The differences between two revisions, place by place, for the person who is about to put one in force.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::document::Pins;

/// A place where two revisions differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Names separated by dots: `states.GenerateThumbnails.config.quality`.
    pub place: String,
    /// The value before; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value now; absent if it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {}: {} → {}", self.place, plain(before), plain(after)),
            (None, Some(after)) => write!(f, "+ {}: {}", self.place, plain(after)),
            (Some(before), None) => write!(f, "- {}: {}", self.place, plain(before)),
            (None, None) => Ok(()),
        }
    }
}

/// Returns all differences between two revisions except their numbers and authors.
pub fn differences(before: &Pins, after: &Pins) -> Vec<Difference> {
    let value = |pins: &Pins| {
        let mut value = serde_json::to_value(pins).unwrap_or_default();
        if let Some(document) = value.as_object_mut() {
            document.retain(|name, _| !matches!(name.as_str(), "revision" | "change"));
        }
        value
    };
    let mut found = Vec::new();
    compare(String::new(), Some(&value(before)), Some(&value(after)), &mut found);
    found
}

fn compare(place: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    match (fields(before), fields(after)) {
        (Some(old), Some(new)) => {
            let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                let inner = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                compare(inner, old.get(name), new.get(name), found);
            }
        }
        _ => found.push(Difference { place, before: before.cloned(), after: after.cloned() }),
    }
}

/// Returns a text without quotes, and any other value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::{pin, pins};

    fn lines(before: &Pins, after: &Pins) -> Vec<String> {
        differences(before, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_place_that_differs_is_named_with_both_values() {
        let before = pins(1, "1.0.0", '0');
        let mut after = before.pinning("X", pin("x", "1.1.0", '0'));
        after.states.get_mut("X").into_iter().for_each(|pin| {
            pin.config.insert("quality".into(), 80.into());
        });
        after.states.insert("Y".into(), pin("y", "1.0.0", '1'));
        let changes = lines(&before, &after);
        assert!(changes.contains(&"~ states.X.version: 1.0.0 → 1.1.0".to_owned()), "{changes:?}");
        assert!(changes.contains(&r#"+ states.X.config: {"quality":80}"#.to_owned()), "{changes:?}");
        assert!(changes.iter().any(|line| line.starts_with("+ states.Y: {")), "{changes:?}");
        assert!(lines(&after, &before).iter().any(|line| line.starts_with("- states.Y: {")));
    }

    #[test]
    fn number_and_author_of_a_revision_are_not_compared() {
        assert!(lines(&pins(1, "1.0.0", '0'), &pins(2, "1.0.0", '0')).is_empty());
    }
}
