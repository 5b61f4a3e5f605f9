//! The context object that the test of a state gives.

use serde_json::{Map, Value};

use crate::error::StatesError;

/// The type of a field of the context object.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Any,
}

/// The objects in the context object and their fields.
const OBJECTS: [(&str, &[(&str, Kind)]); 4] = [
    (
        "Execution",
        &[
            ("Id", Kind::Text),
            ("Input", Kind::Any),
            ("Name", Kind::Text),
            ("RoleArn", Kind::Text),
            ("StartTime", Kind::Text),
            ("RedriveCount", Kind::Number),
            ("RedriveTime", Kind::Text),
        ],
    ),
    ("State", &[("EnteredTime", Kind::Text), ("Name", Kind::Text), ("RetryCount", Kind::Number)]),
    ("StateMachine", &[("Id", Kind::Text), ("Name", Kind::Text)]),
    ("Task", &[("Token", Kind::Text)]),
];

/// Reads a context object. `waits` is true for a Task state that waits for a job or a token. Messages are the service's.
///
/// # Errors
/// `ValidationException`
pub(super) fn read(text: &str, waits: bool) -> Result<Map<String, Value>, StatesError> {
    let invalid = |problem: String| StatesError::validation(format!("Invalid Context object provided: {problem}"));
    let Ok(Value::Object(context)) = serde_json::from_str(text) else {
        return Err(invalid("Context object must be a JSON object".to_owned()));
    };
    for (name, value) in &context {
        if name == "Map" {
            return Err(invalid("'Map' field is not supported when mocking a Context object".to_owned()));
        }
        if name == "Task" && !waits {
            return Err(invalid(
                "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' \
                 service integration pattern"
                    .to_owned(),
            ));
        }
        let Some((_, known)) = OBJECTS.iter().find(|(known, _)| known == name) else {
            return Err(invalid(format!("Field '{name}' is not allowed")));
        };
        let Some(fields) = value.as_object() else {
            return Err(invalid(format!("{name} must be an object")));
        };
        for (field, value) in fields {
            let Some((_, kind)) = known.iter().find(|(known, _)| known == field) else {
                return Err(invalid(format!("Field '{field}' is not allowed")));
            };
            let (fits, what) = match kind {
                Kind::Text => (value.is_string(), "a string"),
                Kind::Number => (value.is_number(), "a number"),
                Kind::Any => (true, ""),
            };
            if !fits {
                return Err(invalid(format!("{name}.{field} must be {what}")));
            }
        }
    }
    Ok(context)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_context_object_has_the_service_s_fields_only() {
        assert!(read(r#"{"Execution": {}, "State": {"RetryCount": 1}, "StateMachine": {}}"#, false).is_ok());
        assert!(read(r#"{"Task": {"Token": "t"}}"#, true).is_ok());
        for (text, problem) in [
            (r#"{"Execution": {"Id": 1}}"#, "Execution.Id must be a string"),
            (r#"{"Map": {}}"#, "'Map' field is not supported when mocking a Context object"),
            (r#"{"Execution": {"x": 1}}"#, "Field 'x' is not allowed"),
            (r#"{"x": {}}"#, "Field 'x' is not allowed"),
            (r#"{"Task": {"Token": "t"}}"#, "Context object contains 'Task' when state is not"),
            ("[]", "must be a JSON object"),
        ] {
            let error = read(text, false).unwrap_err();
            assert!(error.message.starts_with("Invalid Context object provided: "), "{}", error.message);
            assert!(error.message.contains(problem), "{}", error.message);
        }
    }
}
