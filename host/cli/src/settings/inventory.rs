//! Every setting of a run, with its default and where its value comes from.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::json_pointer::below;
use crate::settings::environment::{Reader, VARIABLES, Variable};
use crate::settings::file::ConfigFile;
use crate::settings::finding::at;
use crate::settings::position::{Position, locate};
use crate::settings::stage_schema::{StageSettings, StageSource};
use crate::settings::state_defaults;

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// What it belongs to.
    pub group: Group,
    /// Its name within the group, such as `limits.memoryMib`.
    pub name: String,
    /// Its value; `None` if there is none, or if it is secret.
    pub value: Option<Value>,
    /// What it is unless it is set; `None` if nothing is known of it.
    pub default: Option<Value>,
    /// Where the value comes from.
    pub from: Origin,
    /// What it is for.
    pub description: String,
}

/// What a setting belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Group {
    /// The batch as a whole.
    Batch,
    /// A state.
    State(String),
    /// Variables that the command reads.
    Command,
    /// Variables that the Lambda function reads.
    Function,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Origin {
    /// It is not set.
    Default,
    /// It is not set, and another setting decides.
    Rule {
        /// Why.
        rule: String,
    },
    /// The configuration file.
    File {
        /// The file.
        file: PathBuf,
        /// The JSON Pointer of the value, or of the object that replaces the default and leaves the value out.
        pointer: String,
        /// The same as line and column.
        position: Option<Position>,
    },
    /// An option of the command line.
    Option {
        /// Such as `--stage`.
        option: String,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
        /// Whether the value is secret, and therefore not shown.
        secret: bool,
    },
}

/// A state, and what is known of its stage.
pub type KnownState = (String, StageSettings);

/// Returns the settings of the batch and of these states. `schema` is the schema of the whole file.
pub fn of_file(file: &ConfigFile, schema: &Value, states: &[KnownState]) -> Vec<Setting> {
    let mut all = Vec::new();
    replaced(&mut all, &Group::Batch, "", "/batch", file, schema);
    for (state, known) in states {
        let group = Group::State(state.clone());
        all.push(stage(&group, state, known));
        let pointer = below("/states", state);
        config(&mut all, &group, &below(&pointer, "config"), file, known);
        replaced(&mut all, &group, "limits.", &below(&pointer, "limits"), file, schema);
        replaced(&mut all, &group, "grants.", &below(&pointer, "grants"), file, schema);
    }
    all
}

/// Returns the environment variables. `read` returns the value of one.
pub fn of_environment(read: impl Fn(&str) -> Option<String>) -> Vec<Setting> {
    let (mut command, mut function) = (Vec::new(), Vec::new());
    for variable in VARIABLES {
        let value = read(variable.name).filter(|value| !value.trim().is_empty());
        if variable.reader != Reader::Function {
            command.push(environment(Group::Command, variable, value.clone()));
        }
        if variable.reader != Reader::Command {
            function.push(environment(Group::Function, variable, value));
        }
    }
    command.extend(function);
    command
}

fn environment(group: Group, variable: &Variable, value: Option<String>) -> Setting {
    let from = match value {
        Some(_) => Origin::Environment { variable: variable.name.to_owned(), secret: variable.secret },
        None => Origin::Default,
    };
    let default = (!variable.default.is_empty()).then(|| json!(variable.default));
    Setting {
        group,
        name: variable.name.to_owned(),
        value: value.filter(|_| !variable.secret).map(Value::from).or_else(|| {
            // A secret that is set has no value to show, not even its default.
            default.clone().filter(|_| from == Origin::Default)
        }),
        default,
        from,
        description: variable.description.to_owned(),
    }
}

fn stage(group: &Group, state: &str, known: &StageSettings) -> Setting {
    let release = state_defaults::of(state).map(|defaults| defaults.stage);
    let (value, from) = match &known.source {
        StageSource::Release(stage) => (Some(json!(stage)), Origin::Default),
        StageSource::File(file) => (Some(json!(file)), Origin::Option { option: "--stage".to_owned() }),
        StageSource::Missing => (None, Origin::Default),
    };
    Setting {
        group: group.clone(),
        name: "stage".to_owned(),
        value,
        default: release.map(|stage| json!(stage)),
        from,
        description: "The stage that runs for the state.".to_owned(),
    }
}

/// Adds the fields of an object that replaces its default as a whole.
fn replaced(all: &mut Vec<Setting>, group: &Group, prefix: &str, pointer: &str, file: &ConfigFile, schema: &Value) {
    let Some(part) = at(schema, pointer) else { return };
    let given = file.document.pointer(pointer);
    for (name, field) in part["properties"].as_object().into_iter().flatten() {
        if let Some(inner) = field["properties"].as_object() {
            completed(all, group, &format!("{prefix}{name}."), &below(pointer, name), file, inner);
            continue;
        }
        let default = part["default"].get(name).unwrap_or(&field["default"]);
        let (value, from) = match given {
            None => (default, Origin::Default),
            Some(given) => match given.get(name) {
                Some(value) => (value, in_file(file, &below(pointer, name))),
                None => (&field["default"], in_file(file, pointer)),
            },
        };
        all.push(Setting {
            group: group.clone(),
            name: format!("{prefix}{name}"),
            value: Some(value.clone()),
            default: Some(default.clone()),
            from,
            description: text(&field["description"]),
        });
    }
}

/// Adds the fields of an object that is completed with defaults, one by one.
fn completed(
    all: &mut Vec<Setting>,
    group: &Group,
    prefix: &str,
    pointer: &str,
    file: &ConfigFile,
    fields: &Map<String, Value>,
) {
    for (name, field) in fields {
        let pointer = below(pointer, name);
        let given = file.document.pointer(&pointer);
        all.push(Setting {
            group: group.clone(),
            name: format!("{prefix}{name}"),
            value: Some(given.unwrap_or(&field["default"]).clone()),
            default: Some(field["default"].clone()),
            from: given.map_or(Origin::Default, |_| in_file(file, &pointer)),
            description: text(&field["description"]),
        });
    }
}

/// Adds the stage's own settings: those of its schema, or those that are given if it has none.
fn config(all: &mut Vec<Setting>, group: &Group, pointer: &str, file: &ConfigFile, known: &StageSettings) {
    let nothing = json!({});
    let given = file.document.pointer(pointer).unwrap_or(&nothing);
    let mut add = |name: &str, value: Option<Value>, default: Option<Value>, from: Origin, description: String| {
        all.push(Setting { group: group.clone(), name: format!("config.{name}"), value, default, from, description });
    };
    let schema = known.schema.as_ref().unwrap_or(&Value::Null);
    let fields = schema["properties"].as_object();
    for (name, field) in fields.into_iter().flatten() {
        let default = field.get("default").cloned();
        let (value, from) = match given.get(name) {
            Some(value) => (Some(value.clone()), in_file(file, &below(pointer, name))),
            None => match conditional_default(schema, given, name) {
                Some((value, rule)) => (Some(value), Origin::Rule { rule }),
                None => (default.clone(), Origin::Default),
            },
        };
        add(name, value, default, from, text(&field["description"]));
    }
    let given = given.as_object().into_iter().flatten();
    for (name, value) in given.filter(|(name, _)| !fields.is_some_and(|known| known.contains_key(*name))) {
        add(name, Some(value.clone()), None, in_file(file, &below(pointer, name)), String::new());
    }
}

/// Returns the default that a setting has because of the others, and the rule that says so: an entry of `allOf` with `if`,
/// `then` and a description.
fn conditional_default(schema: &Value, given: &Value, name: &str) -> Option<(Value, String)> {
    schema["allOf"].as_array()?.iter().find_map(|rule| {
        let default = rule["then"]["properties"][name].get("default")?;
        let holds = jsonschema::draft202012::new(rule.get("if")?).ok()?.is_valid(given);
        holds.then(|| (default.clone(), text(&rule["description"])))
    })
}

fn in_file(file: &ConfigFile, pointer: &str) -> Origin {
    Origin::File {
        file: file.path.clone().unwrap_or_default(),
        pointer: pointer.to_owned(),
        position: locate(&file.text, pointer),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
