//! The two spellings of a document.
//!
//! The REST API writes `outputGroups`; CloudFormation, the console's export and the Step Functions integration write
//! `OutputGroups`. Templates exist in both, so both are accepted.

use serde_json::{Map, Value};

/// Objects whose keys the user chooses. The keys keep their spelling.
const OWN_KEYS: [&str; 5] = ["userMetadata", "tags", "audioSelectors", "audioSelectorGroups", "captionSelectors"];
/// Those of them whose values keep their spelling as well.
const OWN_VALUES: [&str; 2] = ["userMetadata", "tags"];

/// Renames every field to the spelling of the REST API: `outputGroups`.
pub fn lower_camel(value: Value) -> Value {
    spell(value, &lower)
}

/// Renames every field to the spelling of CloudFormation and Step Functions: `OutputGroups`.
pub fn upper_camel(value: Value) -> Value {
    spell(value, &upper)
}

fn spell(value: Value, rename: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(|item| spell(item, rename)).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let known = lower(&name);
                    let value = if OWN_VALUES.contains(&known.as_str()) {
                        value
                    } else if OWN_KEYS.contains(&known.as_str()) {
                        own_keys(value, rename)
                    } else {
                        spell(value, rename)
                    };
                    (rename(&name), value)
                })
                .collect(),
        ),
        other => other,
    }
}

fn own_keys(value: Value, rename: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, spell(value, rename))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn lower(name: &str) -> String {
    first(name, |c| c.to_ascii_lowercase())
}

fn upper(name: &str) -> String {
    first(name, |c| c.to_ascii_uppercase())
}

fn first(name: &str, change: impl Fn(char) -> char) -> String {
    let mut chars = name.chars();
    chars.next().map(change).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_the_user_chose_keep_their_spelling() {
        let spelt = lower_camel(json!({
            "Settings": {"Inputs": [{"AudioSelectors": {"Audio Selector 1": {"DefaultSelection": "DEFAULT"}}}]},
            "UserMetadata": {"ListingId": "7"},
        }));
        assert_eq!(
            spelt,
            json!({
                "settings": {"inputs": [{"audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}}]},
                "userMetadata": {"ListingId": "7"},
            })
        );
        assert_eq!(lower_camel(upper_camel(spelt.clone())), spelt);
    }

    proptest::proptest! {
        #[test]
        fn renaming_loses_no_field(names in proptest::collection::vec("[a-z][A-Za-z0-9]{0,8}", 0..8)) {
            let fields: Map<String, Value> = names.iter().map(|n| (n.clone(), json!([{n.clone(): 1}]))).collect();
            let value = Value::Object(fields);
            proptest::prop_assert_eq!(lower_camel(upper_camel(value.clone())), value);
        }
    }
}
