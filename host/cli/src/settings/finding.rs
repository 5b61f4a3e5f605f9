//! What is wrong with a configuration, for people: the setting, what was expected, the nearest known name.

use std::fmt;

use anyhow::Result;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use stagehost_runtime::Grants;

use crate::exit::usage;
use crate::json_pointer::{below, steps};
use crate::settings::position::{Position, locate};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The JSON Pointer of the value.
    pub pointer: String,
    /// Where that is in the text.
    pub position: Option<Position>,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{} ({})", self.problem, if self.pointer.is_empty() { "/" } else { &self.pointer })
    }
}

/// Returns everything in which the document differs from the schema, in the order of the text.
///
/// # Errors
/// If the schema cannot be used: a stage from elsewhere may carry a wrong one.
pub fn findings(text: &str, document: &Value, schema: &Value) -> Result<Vec<Finding>> {
    let validator = jsonschema::draft202012::options().build(schema).map_err(|e| {
        usage!(
            "the schema of a stage's settings cannot be used: {e} (at {}); see `stagehost config schema`",
            e.schema_path()
        )
    })?;
    let mut found = Vec::new();
    for error in validator.iter_errors(document) {
        let pointer = error.instance_path().as_str();
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            let known = names_at(schema, pointer);
            found.extend(unexpected.iter().map(|name| (below(pointer, name), unknown(name, pointer, &known))));
        } else {
            found.push((pointer.to_owned(), problem(&error, schema)));
        }
    }
    whole_fractions(document, "", schema, &mut found);
    let mut findings: Vec<_> = found
        .into_iter()
        .map(|(pointer, problem)| Finding { position: locate(text, &pointer), pointer, problem })
        .collect();
    findings.sort_by_key(|finding| finding.position.map(|at| (at.line, at.column)));
    findings.dedup();
    Ok(findings)
}

/// Returns the name among `known` that was probably meant.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |candidate: &str| strsim::jaro(&name.to_lowercase(), &candidate.to_lowercase());
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    // As clap does for options.
    (likeness(best) > 0.7).then_some(*best)
}

fn unknown(name: &str, pointer: &str, known: &[&str]) -> String {
    let what = match pointer {
        "/states" => format!("the state machine has no state `{name}` that calls the host"),
        _ => format!("there is no setting `{name}`"),
    };
    match nearest(name, known) {
        Some(meant) => format!("{what}; did you mean `{meant}`?"),
        None if known.is_empty() => what,
        None => format!("{what}; there are {}", known.join(", ")),
    }
}

fn problem(error: &ValidationError<'_>, schema: &Value) -> String {
    let pointer = error.instance_path().as_str();
    if let Some(rule) = rule(error.schema_path().as_str(), schema) {
        return rule;
    }
    match error.kind() {
        ValidationErrorKind::Pattern { .. } if pointer.contains("/grants/") => {
            let prefix = error.instance().as_str().unwrap_or_default().to_owned();
            match (Grants { read: vec![prefix], ..Grants::default() }).check() {
                Err(refusal) => refusal.to_string(),
                Ok(()) => error.to_string(),
            }
        }
        ValidationErrorKind::Pattern { .. } | ValidationErrorKind::AnyOf { .. } => match described(schema, pointer) {
            Some(description) => format!("{} does not fit: {description}", error.instance()),
            None => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// Returns the rule of a stage's schema that an error comes from: rules that concern several settings are entries of
/// `allOf`, each with a description.
fn rule(schema_path: &str, schema: &Value) -> Option<String> {
    let (before, after) = schema_path.split_once("/allOf/")?;
    let entry = after.split('/').next()?;
    let rule = schema.pointer(&format!("{before}/allOf/{entry}/description"))?;
    Some(rule.as_str()?.trim_end_matches('.').to_owned())
}

/// Returns the description of the nearest setting around a value.
fn described<'a>(schema: &'a Value, pointer: &str) -> Option<&'a str> {
    let mut pointer = pointer;
    loop {
        if let Some(text) = at(schema, pointer).and_then(|part| part.get("description")?.as_str()) {
            return Some(text);
        }
        (pointer, _) = pointer.rsplit_once('/')?;
    }
}

/// Adds numbers such as `4.0` where an integer belongs. JSON Schema accepts them, the stages do not. A number that is too
/// large for 64 bits is of this kind, too.
fn whole_fractions(value: &Value, pointer: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let types = at(schema, pointer).map(|part| part["type"].to_string()).unwrap_or_default();
            if types.contains("integer") && number.as_f64().is_some_and(|n| n.fract() == 0.0) {
                let problem = format!("{number} is not an integer of at most 64 bits, written without a fraction");
                found.push((pointer.to_owned(), problem));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                whole_fractions(item, &below(pointer, index.to_string()), schema, found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                whole_fractions(field, &below(pointer, name), schema, found);
            }
        }
        _ => {}
    }
}

fn names_at<'a>(schema: &'a Value, pointer: &str) -> Vec<&'a str> {
    let properties = at(schema, pointer).and_then(|part| part["properties"].as_object());
    properties.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect()
}

/// Returns the part of the schema that describes the value at a JSON Pointer; `None` where nothing is known of it.
pub fn at<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut part = schema;
    for name in steps(pointer) {
        part = resolved(part, schema)?;
        part = part["properties"].get(&name).or_else(|| part.get("items"))?;
    }
    resolved(part, schema)
}

fn resolved<'a>(part: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    match part.get("$ref").and_then(Value::as_str) {
        Some(reference) => match reference.strip_prefix('#') {
            Some(pointer) => schema.pointer(pointer),
            None => schema["$defs"].as_object()?.values().find(|definition| definition["$id"] == *reference),
        },
        None => Some(part),
    }
}

#[cfg(test)]
#[path = "finding_tests.rs"]
mod tests;
