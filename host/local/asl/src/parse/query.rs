//! The fields of a JSONata state.

use serde_json::Value;

use super::fields::Fields;
use super::waits::{NO_TIMESTAMP, WAITS};
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
            found.credentials = fields.query("Credentials", false, notes);
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
            found.tolerated_count = whole("ToleratedFailureCount", 0, fields, notes);
            found.tolerated_percentage = fields.query("ToleratedFailurePercentage", false, notes);
            if let Some(QueryTemplate::Literal(value)) = &found.tolerated_percentage
                && !value.as_f64().is_some_and(|percent| (0.0..=100.0).contains(&percent))
            {
                let (name, message) =
                    ("ToleratedFailurePercentage", "it must be a number from 0 to 100 or an expression");
                notes.at(name, |notes| notes.error(Code::Schema, message));
            }
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
    fields.exactly_one(&WAITS, notes);
    found.seconds = whole("Seconds", 0, fields, notes);
    found.timestamp = text("Timestamp", fields, notes);
    if let Some(QueryTemplate::Literal(Value::String(text))) = &found.timestamp
        && clock::parse(text).is_none()
    {
        notes.at("Timestamp", |notes| notes.error(Code::Schema, NO_TIMESTAMP));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::StateMachine;

    /// Returns `CODE: message at location` of each finding of a machine with this first state.
    fn findings(language: &str, state: &Value) -> Vec<String> {
        let machine = json!({
            "QueryLanguage": language, "StartAt": "S",
            "States": {"S": state, "T": {"Type": "Succeed"}, "U": {"Type": "Pass", "Next": "T"}}
        });
        let found = StateMachine::parse(&machine.to_string()).err().map(|error| error.findings).unwrap_or_default();
        let reached = found.into_iter().filter(|finding| finding.code != Code::Transition);
        reached.map(|found| format!("{}: {} at {}", found.code.as_str(), found.message, found.location)).collect()
    }

    fn one(language: &str, state: Value, finding: &str) {
        assert_eq!(findings(language, &state), [finding], "{state}");
    }

    #[test]
    fn a_field_of_the_other_language_is_refused_in_the_service_s_words() {
        let map = |name: &str| {
            json!({"Type": "Map", "Next": "T", name: "$.a",
                   "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}})
        };
        for (name, state) in [
            ("InputPath", json!({"Type": "Pass", "InputPath": "$.a", "Next": "T"})),
            ("Parameters", json!({"Type": "Pass", "Parameters": {}, "Next": "T"})),
            ("Result", json!({"Type": "Pass", "Result": 1, "Next": "T"})),
            ("OutputPath", json!({"Type": "Succeed", "OutputPath": "$"})),
            ("CausePath", json!({"Type": "Fail", "CausePath": "$.c"})),
            ("MaxConcurrencyPath", map("MaxConcurrencyPath")),
            ("ItemsPath", map("ItemsPath")),
        ] {
            let message = format!(
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field '{name}' is only supported for \
                 the 'JSONPath' QueryLanguage at /States/S"
            );
            one("JSONata", state, &message);
        }
        for (name, state) in [("Output", json!({"Type": "Pass", "Output": {}, "Next": "T"})), ("Items", map("Items"))] {
            let message = format!(
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field '{name}' is only supported for \
                 the 'JSONata' QueryLanguage at /States/S"
            );
            one("JSONPath", state, &message);
        }
    }

    #[test]
    fn a_state_may_change_to_jsonata_and_not_back() {
        let state = |language: &str| json!({"Type": "Pass", "QueryLanguage": language, "Next": "T"});
        assert_eq!(findings("JSONPath", &state("JSONata")), [] as [&str; 0]);
        one(
            "JSONata",
            state("JSONPath"),
            "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at \
             /States/S",
        );
        // States within a Map state inherit the machine's language and not the Map state's.
        let map = json!({
            "Type": "Map", "QueryLanguage": "JSONata", "Items": "{% [1] %}", "Next": "T",
            "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Output": 1, "End": true}}}
        });
        one(
            "JSONPath",
            map,
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the \
             'JSONata' QueryLanguage at /States/S/ItemProcessor/States/I",
        );
        one(
            "JSONPath",
            json!({"Type": "Pass", "QueryLanguage": "SQL", "Next": "T"}),
            "SCHEMA_VALIDATION_FAILED: Value should be one of the following: [JSONPath, JSONata] at \
             /States/S/QueryLanguage",
        );
    }

    #[test]
    fn an_expression_that_cannot_run_is_refused_at_its_place() {
        for (query, finding) in [
            ("1 +", "INVALID_JSONATA_EXPRESSION: Unexpected end of expression"),
            ("a[1,2)", "INVALID_JSONATA_EXPRESSION: Expected \"]\", got \",\""),
            ("\"abc", "INVALID_JSONATA_EXPRESSION: String literal must be terminated by a matching quote"),
            ("phone", "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported."),
            ("$f(phone.x)", "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported."),
            ("$$", "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$$' is not supported."),
            ("$states.errorOutput", "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.errorOutput' does not exist."),
        ] {
            let state = json!({"Type": "Pass", "Output": {"v": format!("{{% {query} %}}")}, "Next": "T"});
            one("JSONata", state, &format!("{finding} at /States/S/Output/v"));
        }
        for query in [
            "$states.input.list[price > 1].{'a': name}",
            "$map($states.input.list, function($v){ $v.name })",
            "$states.input.list^(>price).name",
            "$states.input.(a + b)",
            "$states.input.list[$.a = 1]",
            "$x.y & $states.context.Execution.Id",
        ] {
            let state = json!({"Type": "Pass", "Output": format!("{{% {query} %}}"), "Next": "T"});
            assert_eq!(findings("JSONata", &state), [] as [&str; 0], "{query}");
        }
        let caught = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "T",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "U", "Output": "{% $states.errorOutput %}",
                       "Assign": {"e": "{% $states.errorOutput.Error %}"}}]
        });
        assert_eq!(findings("JSONata", &caught), [] as [&str; 0]);
    }

    #[test]
    fn numbers_and_dates_may_be_expressions_and_literals_are_checked() {
        let wait = |name: &str, value: Value| json!({"Type": "Wait", name: value, "Next": "T"});
        for state in [
            wait("Seconds", json!(0)),
            wait("Seconds", json!("{% $states.input.s %}")),
            wait("Timestamp", json!("2026-03-14T01:59:00Z")),
            wait("Timestamp", json!("{% $now() %}")),
        ] {
            assert_eq!(findings("JSONata", &state), [] as [&str; 0], "{state}");
        }
        for (state, place) in [
            (wait("Seconds", json!("7")), "/States/S/Seconds"),
            (wait("Seconds", json!(-1)), "/States/S/Seconds"),
            (wait("Timestamp", json!("2016-12-05 21:29:29Z")), "/States/S/Timestamp"),
            (wait("Timestamp", json!(5)), "/States/S/Timestamp"),
            (json!({"Type": "Fail", "Error": 5}), "/States/S/Error"),
        ] {
            let found = findings("JSONata", &state);
            assert!(found.len() == 1 && found[0].ends_with(place), "{state}: {found:?}");
        }
    }

    #[test]
    fn variables_have_names_and_scopes() {
        for (name, finding) in [
            ("states", "RESERVED_VARIABLE_NAME: Cannot assign to reserved variable '$states'."),
            ("1a", "INVALID_VARIABLE_NAME: Invalid variable name '1a': the variable name contains invalid characters."),
            (
                "a-b",
                "INVALID_VARIABLE_NAME: Invalid variable name 'a-b': the variable name contains invalid characters.",
            ),
        ] {
            let state = json!({"Type": "Pass", "Assign": {name: 1}, "Next": "T"});
            one("JSONPath", state, &format!("{finding} at /States/S/Assign/{name}"));
        }
        let map = json!({
            "Type": "Map", "Next": "T", "Assign": {"x": 1},
            "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {"x.$": "$"}, "End": true}}}
        });
        let found = findings("JSONPath", &map);
        assert!(found.len() == 1 && found[0].contains("the variable 'x' is assigned outside"), "{found:?}");
        assert!(found[0].ends_with("/States/S/ItemProcessor/States/I"), "{found:?}");
    }
}
