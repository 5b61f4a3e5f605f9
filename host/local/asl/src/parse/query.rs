//! The fields of a JSONata state.

use serde_json::Value;

use super::fields::Fields;
use crate::clock;
use crate::definition::language::QueryLanguage;
use crate::definition::query::QueryFields;
use crate::expressions::jsonata::template::QueryTemplate;
use crate::findings::{Code, Collector};
use crate::limits::SECONDS;

/// The fields that only a JSONPath state has.
const JSON_PATH: [&str; 14] = [
    "InputPath",
    "Parameters",
    "ResultSelector",
    "ResultPath",
    "OutputPath",
    "Result",
    "ItemsPath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "MaxConcurrencyPath",
    "ErrorPath",
    "CausePath",
];
/// The fields that only a JSONata state has.
const JSONATA: [&str; 3] = ["Arguments", "Output", "Items"];

/// Notes an error for each field of the other query language.
pub(super) fn foreign(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) {
    match language {
        QueryLanguage::JsonPath => fields.foreign(&JSONATA, language, notes),
        QueryLanguage::Jsonata => fields.foreign(&JSON_PATH, language, notes),
    }
}

/// Reads the fields that hold expressions.
pub(super) fn read(fields: &mut Fields<'_>, state_type: &str, notes: &mut Collector) -> QueryFields {
    let mut found = QueryFields::default();
    if state_type != "Fail" {
        found.output = fields.query("Output", false, notes);
    }
    match state_type {
        "Task" => {
            found.arguments = fields.query("Arguments", false, notes);
            found.timeout = whole("TimeoutSeconds", 1, fields, notes);
            found.heartbeat = whole("HeartbeatSeconds", 1, fields, notes);
            if let [Some(timeout), Some(heartbeat)] = [&found.timeout, &found.heartbeat].map(literal)
                && heartbeat >= timeout
            {
                notes.error(Code::Schema, "'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'");
            }
        }
        "Parallel" => found.arguments = fields.query("Arguments", false, notes),
        "Map" => {
            found.items = fields.query("Items", false, notes);
            if let Some(QueryTemplate::Literal(value)) = &found.items
                && !value.is_array()
            {
                let message = "'Items' must be an array or an expression";
                notes.at("Items", |notes| notes.error(Code::Schema, message));
            }
            found.selector = fields.query("ItemSelector", false, notes);
            found.concurrency = whole("MaxConcurrency", 0, fields, notes);
        }
        "Wait" => wait(&mut found, fields, notes),
        "Fail" => {
            found.error = text("Error", fields, notes);
            found.cause = text("Cause", fields, notes);
        }
        _ => {}
    }
    found
}

fn literal(field: &Option<QueryTemplate>) -> Option<u64> {
    match field {
        Some(QueryTemplate::Literal(value)) => value.as_u64(),
        _ => None,
    }
}

fn wait(found: &mut QueryFields, fields: &mut Fields<'_>, notes: &mut Collector) {
    if fields.exclusive(&["Seconds", "Timestamp"], notes) == 0 {
        notes.error(Code::Schema, "one of Seconds, Timestamp is missing");
    }
    found.seconds = whole("Seconds", 0, fields, notes);
    found.timestamp = text("Timestamp", fields, notes);
    if let Some(QueryTemplate::Literal(Value::String(text))) = &found.timestamp
        && clock::parse(text).is_none()
    {
        let message = format!("'{text}' is not a timestamp such as 2026-03-14T01:59:00Z");
        notes.at("Timestamp", |notes| notes.error(Code::Schema, message));
    }
}

/// Reads a whole number or an expression.
fn whole(name: &'static str, least: u64, fields: &mut Fields<'_>, notes: &mut Collector) -> Option<QueryTemplate> {
    let field = fields.query(name, false, notes)?;
    if let QueryTemplate::Literal(value) = &field
        && !value.as_u64().is_some_and(|number| (least..=SECONDS).contains(&number))
    {
        let message = format!("'{name}' must be a whole number from {least} to {SECONDS} or an expression");
        notes.at(name, |notes| notes.error(Code::Schema, message));
    }
    Some(field)
}

/// Reads a string or an expression.
fn text(name: &'static str, fields: &mut Fields<'_>, notes: &mut Collector) -> Option<QueryTemplate> {
    let field = fields.query(name, false, notes)?;
    if !matches!(&field, QueryTemplate::Query(_) | QueryTemplate::Literal(Value::String(_))) {
        notes.at(name, |notes| notes.error(Code::Schema, format!("'{name}' must be a string")));
    }
    Some(field)
}
