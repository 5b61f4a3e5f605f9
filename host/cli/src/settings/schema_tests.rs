#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use stagehost_runtime::Grants;

use super::*;
use crate::settings::file::{Settings, StateSettings};
use crate::settings::state_defaults::RELEASE;

fn shipped() -> Value {
    let states: Vec<String> = RELEASE.iter().map(|defaults| defaults.state.to_owned()).collect();
    schema(&states, &[]).unwrap()
}

fn accepts(schema: &Value, document: &Value) -> bool {
    jsonschema::draft202012::new(schema).unwrap().is_valid(document)
}

/// Every configuration that a guide shows: the README, and the guides in `docs/`.
fn examples() -> Vec<Value> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut guides = vec![repository.join("README.md")];
    for entry in std::fs::read_dir(repository.join("docs")).into_iter().flatten() {
        guides.push(entry.unwrap().path());
    }
    let mut examples = Vec::new();
    for guide in guides.iter().filter(|guide| guide.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(guide).unwrap();
        for block in text.split("```json\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let document: Value = serde_json::from_str(block).unwrap_or_default();
            examples.extend(document["states"].is_object().then_some(document));
        }
    }
    examples
}

/// Returns the document again and again, each time with another name misspelt.
fn misspelt(document: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match document {
        Value::Object(fields) => {
            for (name, field) in fields {
                let mut wrong = fields.clone();
                wrong.remove(name);
                wrong.insert(format!("{name}x"), field.clone());
                all.push(Value::Object(wrong));
                for inner in misspelt(field) {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), inner);
                    all.push(Value::Object(changed));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for inner in misspelt(item) {
                    let mut changed = items.clone();
                    changed[index] = inner;
                    all.push(Value::Array(changed));
                }
            }
        }
        _ => {}
    }
    all
}

#[test]
fn the_schema_accepts_the_examples_of_the_guides_and_refuses_them_with_any_name_misspelt() {
    let mut states: Vec<String> = RELEASE.iter().map(|defaults| defaults.state.to_owned()).collect();
    // The state that the guide for authors adds.
    states.push("AddNotes".to_owned());
    let schema = schema(&states, &[]).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let mut refused = 0;
    for mut example in examples() {
        assert!(accepts(&schema, &example), "{example:#}");
        // The schema of its settings is in the component of the guide, which is not here.
        if let Some(state) = example["states"].get_mut("AddNotes").and_then(Value::as_object_mut) {
            state.remove("config");
        }
        for document in misspelt(&example) {
            assert!(!accepts(&schema, &document), "{document:#}");
            refused += 1;
        }
    }
    assert!(refused > 15, "{refused}");
}

#[test]
fn every_setting_of_the_shipped_stages_has_a_title_a_description_and_a_default_that_fits() {
    let schema = shipped();
    let mut everything = json!({"batch": schema["properties"]["batch"]["default"], "states": {}});
    for (state, part) in schema["properties"]["states"]["properties"].as_object().unwrap() {
        let mut settings = json!({"config": {}});
        let reference = part["properties"]["config"]["$ref"].as_str().unwrap();
        for (name, setting) in schema.pointer(&reference[1..]).unwrap()["properties"].as_object().unwrap() {
            settings["config"][name] = setting["default"].clone();
        }
        for name in ["limits", "grants"] {
            let part = &part["properties"][name];
            settings[name] = part["default"].clone();
            let quotas = part["properties"].get("quotas").map(|quotas| quotas["properties"].as_object().unwrap());
            let quotas = quotas.into_iter().flat_map(|quotas| quotas.values());
            for setting in part["properties"].as_object().unwrap().values().chain(quotas).chain([part]) {
                assert!(setting["title"].is_string() && setting["description"].is_string(), "{setting}");
            }
        }
        everything["states"][state] = settings;
    }
    assert!(accepts(&schema, &everything), "{everything:#}");
    assert!(accepts(&schema, &json!({"$schema": "./stagehost.schema.json"})));
}

#[test]
fn batch_limits_and_grants_have_the_settings_and_defaults_of_their_types() {
    let schema = shipped();
    let state = &schema["properties"]["states"]["properties"]["ProcessVideos"]["properties"];
    for (part, default) in [
        (&schema["properties"]["batch"], json!(BatchLimits::default())),
        // Quotas and tags that are the defaults are left out of documents.
        (&state["limits"], with(json!(Limits::default()), "quotas", json!({}))),
        (&state["limits"]["properties"]["quotas"], json!(Quotas::default())),
        (&state["grants"], with(with(json!(Grants::default()), "tags", json!([])), "secrets", json!([]))),
    ] {
        let mut defaults = Map::new();
        for (name, setting) in part["properties"].as_object().unwrap() {
            defaults.insert(name.clone(), setting["default"].clone());
        }
        assert_eq!(Value::Object(defaults), default);
    }
    assert_eq!(state["limits"]["default"], json!({"memoryMib": 64, "deadlineMs": 120_000}));
}

fn with(mut document: Value, name: &str, value: Value) -> Value {
    document[name] = value;
    document
}

#[test]
fn the_file_and_a_state_have_the_settings_of_their_types() {
    let schema = shipped();
    let refused = |error: serde_json::Error| {
        let text = error.to_string();
        let (_, known) = text.split_once("expected one of ").unwrap();
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let names = |part: &Value| part["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(refused(serde_json::from_str::<Settings>(r#"{"x":1}"#).unwrap_err()), names(&schema));
    let state = &schema["properties"]["states"]["properties"]["ProcessVideos"];
    assert_eq!(refused(serde_json::from_str::<StateSettings>(r#"{"x":1}"#).unwrap_err()), names(state));
}

#[test]
fn a_component_s_own_schema_is_a_part_of_the_whole_with_its_references() {
    let own = json!({
        "properties": {"size": {"$ref": "#/$defs/size"}},
        "$defs": {"size": {"type": "integer"}},
        "additionalProperties": false
    });
    let name = "component-1";
    let settings = StageSettings { source: StageSource::File("x.wasm".into()), schema: Some(own.clone()) };
    let whole = json!({
        "properties": {"config": config(&settings, name)},
        "$defs": {name: embeddable(own, name)}
    });
    assert!(accepts(&whole, &json!({"config": {"size": 1}})));
    assert!(!accepts(&whole, &json!({"config": {"size": "1"}})));
    assert!(!accepts(&whole, &json!({"config": {"sizes": 1}})));
}

#[test]
fn a_state_without_a_known_stage_takes_any_config() {
    let schema = schema(&["AddNotes".to_owned()], &[]).unwrap();
    assert!(accepts(&schema, &json!({"states": {"AddNotes": {"config": {"anything": [1]}}}})));
    assert!(!accepts(&schema, &json!({"states": {"AddNotes": {"limit": {}}}})));
    assert!(!accepts(&schema, &json!({"states": {"GenerateThumbnails": {}}})));
}

proptest! {
    #[test]
    fn the_pattern_of_a_grant_is_the_runtime_s_rule(
        prefix in r"(pipeline/|pipe|\{listingId\}|\{|\}|\{other\}|raw|/|\n|ä){0,6}"
    ) {
        let pattern = json!({"pattern": PREFIX});
        let rule = Grants { read: vec![prefix.clone()], ..Grants::default() }.check();
        prop_assert_eq!(accepts(&pattern, &json!(prefix)), rule.is_ok());
    }
}
