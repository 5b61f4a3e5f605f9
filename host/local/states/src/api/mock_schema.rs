//! The form that the mocked result of a service has: the test of a state refuses another one.
//!
//! Known are the services that Task states call here, and two more that pipelines often use. The result of another
//! service is taken as it is.

use serde_json::Value;
use stagehost_asl::{Pattern, Resource};

/// The type of a field.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Object,
    Any,
    /// An array of objects with these fields.
    List(&'static [Field]),
}

#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const LAMBDA: [Field; 5] = [
    field("ExecutedVersion", Kind::Text),
    field("FunctionError", Kind::Text),
    field("LogResult", Kind::Text),
    field("Payload", Kind::Any),
    field("StatusCode", Kind::Number),
];
const SQS: [Field; 5] = [
    field("MD5OfMessageAttributes", Kind::Text),
    field("MD5OfMessageBody", Kind::Text),
    field("MD5OfMessageSystemAttributes", Kind::Text),
    field("MessageId", Kind::Text),
    field("SequenceNumber", Kind::Text),
];
const EVENT: [Field; 3] =
    [field("ErrorCode", Kind::Text), field("ErrorMessage", Kind::Text), field("EventId", Kind::Text)];
const EVENTS: [Field; 2] = [field("Entries", Kind::List(&EVENT)), field("FailedEntryCount", Kind::Number)];
const EXECUTION: [Field; 2] = [
    Field { name: "ExecutionArn", kind: Kind::Text, required: true },
    Field { name: "StartDate", kind: Kind::Text, required: true },
];
const JOB: [Field; 1] = [field("Job", Kind::Object)];

/// Checks a mocked result. With `strict`, required fields must be there.
///
/// # Errors
/// What is wrong, in the service's words.
pub(super) fn check(resource: &Resource, result: &Value, strict: bool) -> Result<(), String> {
    let Resource::Service { service, action, pattern: Pattern::RequestResponse, .. } = resource else {
        return Ok(());
    };
    let known: &[Field] = match (service.as_str(), action.as_str()) {
        ("lambda", "invoke") => &LAMBDA,
        ("sqs", "sendMessage") => &SQS,
        ("events", "putEvents") => &EVENTS,
        ("states", "startExecution") => &EXECUTION,
        ("mediaconvert", "createJob") => &JOB,
        _ => return Ok(()),
    };
    check_fields(known, result, strict).map_err(|problem| format!("Mock result schema validation error: {problem}"))
}

fn check_fields(known: &[Field], value: &Value, strict: bool) -> Result<(), String> {
    let fields = value.as_object().ok_or("Mock result must be a JSON object")?;
    for Field { name, kind, required } in known {
        let Some(value) = fields.get(*name) else {
            if *required && strict {
                return Err(format!("Required field '{name}' is missing"));
            }
            continue;
        };
        let (fits, what) = match kind {
            Kind::Text => (value.is_string(), "a string"),
            Kind::Number => (value.is_number(), "a number"),
            Kind::Object => (value.is_object(), "an object"),
            Kind::List(_) => (value.is_array(), "an array"),
            Kind::Any => (true, ""),
        };
        if !fits {
            return Err(format!("Field '{name}' must be {what}"));
        }
        if let (Kind::List(inner), Some(items)) = (kind, value.as_array()) {
            items.iter().try_for_each(|item| check_fields(inner, item, strict))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_of_the_wrong_type_is_named_and_unknown_fields_are_taken() {
        for (arn, result, problem) in [
            ("lambda:invoke", json!({"StatusCode": "200"}), "Field 'StatusCode' must be a number"),
            ("events:putEvents", json!({"Entries": {}}), "Field 'Entries' must be an array"),
            ("events:putEvents", json!({"Entries": [{}, {"EventId": 1}]}), "Field 'EventId' must be a string"),
            ("states:startExecution", json!({"executionArn": "a"}), "Required field 'ExecutionArn' is missing"),
            (
                "states:startExecution",
                json!({"ExecutionArn": "a", "StartDate": 1}),
                "Field 'StartDate' must be a string",
            ),
        ] {
            let resource = Resource::parse(&format!("arn:aws:states:::{arn}")).unwrap();
            let error = check(&resource, &result, true).unwrap_err();
            assert_eq!(error, format!("Mock result schema validation error: {problem}"));
        }
        let lambda = Resource::parse("arn:aws:states:::lambda:invoke").unwrap();
        assert_eq!(check(&lambda, &json!({"random": "json"}), true), Ok(()));
        let start = Resource::parse("arn:aws:states:::states:startExecution").unwrap();
        assert_eq!(check(&start, &json!({}), false), Ok(()));
    }
}
