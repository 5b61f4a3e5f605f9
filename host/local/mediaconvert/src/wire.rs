//! Two spellings of one document.
//!
//! The REST API writes `outputGroups`; CloudFormation, the console's export and the Step Functions integration write
//! `OutputGroups`. Templates come in both, so both are read.

use serde_json::{Map, Value};

/// Objects whose keys are the user's own words: they keep their spelling.
const OWN_KEYS: [&str; 5] = ["userMetadata", "tags", "audioSelectors", "audioSelectorGroups", "captionSelectors"];
/// Of those, the ones whose values are the user's own, too.
const OWN_VALUES: [&str; 2] = ["userMetadata", "tags"];

/// Spells every field as the REST API does: `outputGroups`.
pub fn lower_camel(value: Value) -> Value {
    spell(value, &lower)
}

/// Spells every field as CloudFormation and Step Functions do: `OutputGroups`.
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

/// Lays a job's settings over its template's, field by field. Lists of objects (inputs, output groups, outputs, …) are
/// matched by position: what the job leaves out of an element, or out of the list, is the template's. AWS does not write
/// this down; its Video on Demand solution (`source/encode/index.js` of aws-solutions/video-on-demand-on-aws) relies on
/// it when it sends an empty list of outputs.
pub(crate) fn overlay(template: Value, job: Value) -> Value {
    match (template, job) {
        (below, Value::Null) => below,
        (Value::Object(mut below), Value::Object(above)) => {
            for (name, value) in above {
                let under = below.shift_remove(&name).unwrap_or(Value::Null);
                below.insert(name, overlay(under, value));
            }
            Value::Object(below)
        }
        (Value::Array(below), Value::Array(above)) if above.iter().all(Value::is_object) => {
            let mut below = below.into_iter();
            let mut merged: Vec<_> =
                above.into_iter().map(|value| overlay(below.next().unwrap_or(Value::Null), value)).collect();
            merged.extend(below);
            Value::Array(merged)
        }
        (_, above) => above,
    }
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

    #[test]
    fn a_job_fills_in_what_its_template_leaves_open() {
        let merged = overlay(
            json!({"inputs": [{"videoSelector": {"rotate": "AUTO"}}], "outputGroups": [{"outputs": [{"extension": "mp4"}]}]}),
            json!({"inputs": [{"fileInput": "s3://b/k"}], "outputGroups": [{"outputGroupSettings": {"type": "X"}}]}),
        );
        assert_eq!(merged["inputs"][0], json!({"videoSelector": {"rotate": "AUTO"}, "fileInput": "s3://b/k"}));
        assert_eq!(merged["outputGroups"][0]["outputs"], json!([{"extension": "mp4"}]));
        assert_eq!(merged["outputGroups"][0]["outputGroupSettings"], json!({"type": "X"}));
    }

    #[test]
    fn outputs_are_merged_by_position_and_an_empty_list_leaves_the_templates() {
        let template = json!({"outputGroups": [{"outputs": [{"nameModifier": "_1080p", "extension": "mp4"}, {"nameModifier": "_720p"}]}]});
        let merged = overlay(template.clone(), json!({"outputGroups": [{"outputs": [{"nameModifier": "_big"}]}]}));
        let outputs = &merged["outputGroups"][0]["outputs"];
        assert_eq!(*outputs, json!([{"extension": "mp4", "nameModifier": "_big"}, {"nameModifier": "_720p"}]));
        assert_eq!(overlay(template.clone(), json!({"outputGroups": [{"outputs": []}]})), template);
    }

    #[test]
    fn a_list_of_plain_values_is_replaced() {
        assert_eq!(overlay(json!({"tracks": [1, 2]}), json!({"tracks": [3]})), json!({"tracks": [3]}));
    }

    proptest::proptest! {
        #[test]
        fn spelling_loses_nothing(names in proptest::collection::vec("[a-z][A-Za-z0-9]{0,8}", 0..8)) {
            let fields: Map<String, Value> = names.iter().map(|n| (n.clone(), json!([{n.clone(): 1}]))).collect();
            let value = Value::Object(fields);
            proptest::prop_assert_eq!(lower_camel(upper_camel(value.clone())), value);
        }
    }
}
