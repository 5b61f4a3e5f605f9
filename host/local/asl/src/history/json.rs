//! Events in the JSON of `GetExecutionHistory`. Types and members are those of the service, because people and tools
//! read them.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::event::{Detail, Event};
use super::text::JsonText;
use crate::definition::resource::Resource;

impl Event {
    /// Returns the event as `GetExecutionHistory` writes it. Inputs and outputs are left out unless `data` is true.
    pub fn to_json(&self, data: bool) -> Value {
        let kind = self.event_type();
        let mut event = Map::new();
        event.insert("timestamp".into(), epoch_seconds(self.timestamp));
        event.insert("type".into(), kind.as_str().into());
        event.insert("id".into(), self.id.into());
        event.insert("previousEventId".into(), self.previous_event_id.into());
        if let Some((member, details)) = self.details(&kind, data) {
            event.insert(member, details);
        }
        Value::Object(event)
    }

    /// Returns the member that holds the details, and its value. Some types have no details.
    fn details(&self, kind: &str, data: bool) -> Option<(String, Value)> {
        let member = |kind: &str| {
            let mut name = format!("{kind}EventDetails");
            name.get_mut(..1)?.make_ascii_lowercase();
            Some(name)
        };
        let payload = |details: &mut Map<String, Value>, name: &str, text: &JsonText| {
            if data {
                details.insert(name.into(), text.as_str().into());
            }
            details.insert(format!("{name}Details"), json!({"truncated": false}));
        };
        let optional = |details: &mut Map<String, Value>, name: &str, value: Option<Value>| {
            if let Some(value) = value {
                details.insert(name.into(), value);
            }
        };
        let place = |details: &mut Map<String, Value>, resource: &Resource| {
            if let Resource::Service { .. } = resource {
                details.insert("resourceType".into(), resource.resource_type().into());
                details.insert("resource".into(), resource.resource_name().into());
            }
        };
        let mut details = Map::new();
        let mut kind = kind;
        match &self.detail {
            Detail::ExecutionStarted { input, role_arn } => {
                payload(&mut details, "input", input);
                details.insert("roleArn".into(), role_arn.as_str().into());
            }
            Detail::ExecutionSucceeded { output } => payload(&mut details, "output", output),
            Detail::ExecutionFailed { error, cause }
            | Detail::ExecutionAborted { error, cause }
            | Detail::ExecutionTimedOut { error, cause } => {
                optional(&mut details, "error", error.as_deref().map(Value::from));
                optional(&mut details, "cause", cause.as_deref().map(Value::from));
            }
            Detail::StateEntered { name, input, .. } => {
                kind = "stateEntered";
                details.insert("name".into(), name.as_str().into());
                payload(&mut details, "input", input);
            }
            Detail::StateExited { name, output, assigned, .. } => {
                kind = "stateExited";
                details.insert("name".into(), name.as_str().into());
                payload(&mut details, "output", output);
                if let Some(assigned) = assigned {
                    if data {
                        let text = |(name, value): (&String, &Value)| (name.clone(), Value::from(value.to_string()));
                        details.insert("assignedVariables".into(), assigned.iter().map(text).collect());
                    }
                    details.insert("assignedVariablesDetails".into(), json!({"truncated": false}));
                }
            }
            Detail::EvaluationFailed { state, location, error, cause } => {
                details.insert("error".into(), error.as_str().into());
                optional(&mut details, "cause", cause.as_deref().map(Value::from));
                optional(&mut details, "location", location.as_deref().map(Value::from));
                details.insert("state".into(), state.as_str().into());
            }
            Detail::TaskScheduled { resource, region, parameters, timeout, heartbeat, role_arn } => {
                place(&mut details, resource);
                match resource {
                    Resource::LambdaFunction { arn } | Resource::Activity { arn } => {
                        details.insert("resource".into(), arn.as_str().into());
                        payload(&mut details, "input", parameters);
                    }
                    Resource::Service { .. } => {
                        details.insert("region".into(), region.as_str().into());
                        // The service hides this as well, although it is not an input or output; the member is
                        // required.
                        let text = if data { parameters.as_str() } else { "" };
                        details.insert("parameters".into(), text.into());
                    }
                }
                optional(&mut details, "timeoutInSeconds", timeout.map(Value::from));
                optional(&mut details, "heartbeatInSeconds", heartbeat.map(Value::from));
                optional(&mut details, "taskCredentials", role_arn.as_ref().map(|role| json!({"roleArn": role})));
            }
            Detail::ActivityStarted { worker } => {
                optional(&mut details, "workerName", worker.as_deref().map(Value::from));
            }
            Detail::ExecutionRedriven { count } => {
                details.insert("redriveCount".into(), (*count).into());
            }
            Detail::TaskStarted { resource: Resource::LambdaFunction { .. } } => return None,
            Detail::TaskStarted { resource } => place(&mut details, resource),
            Detail::TaskSubmitted { resource, output } | Detail::TaskSucceeded { resource, output } => {
                place(&mut details, resource);
                payload(&mut details, "output", output);
            }
            Detail::TaskFailed { resource, error, cause } | Detail::TaskTimedOut { resource, error, cause } => {
                place(&mut details, resource);
                optional(
                    &mut details,
                    "error",
                    Some(error.as_str()).filter(|error| !error.is_empty()).map(Value::from),
                );
                optional(&mut details, "cause", cause.as_deref().map(Value::from));
            }
            Detail::MapStateStarted { length } => {
                details.insert("length".into(), (*length).into());
            }
            Detail::MapRunStarted { arn } => {
                details.insert("mapRunArn".into(), arn.as_str().into());
            }
            Detail::MapRunFailed { error, cause } => {
                details.insert("error".into(), error.as_str().into());
                optional(&mut details, "cause", cause.as_deref().map(Value::from));
            }
            Detail::MapIterationStarted { name, index }
            | Detail::MapIterationSucceeded { name, index }
            | Detail::MapIterationFailed { name, index }
            | Detail::MapIterationAborted { name, index } => {
                details.insert("name".into(), name.as_str().into());
                details.insert("index".into(), (*index).into());
            }
            Detail::StateAborted { .. }
            | Detail::ParallelStateStarted
            | Detail::ParallelStateSucceeded
            | Detail::ParallelStateFailed
            | Detail::MapRunSucceeded
            | Detail::MapStateSucceeded
            | Detail::MapStateFailed => return None,
        }
        Some((member(kind)?, Value::Object(details)))
    }
}

/// Returns a date as the JSON protocol writes it: seconds since 1970, with milliseconds.
pub fn epoch_seconds(date: OffsetDateTime) -> Value {
    // Exact for every real date: far fewer than 2^53 milliseconds.
    #[allow(clippy::cast_precision_loss)]
    let seconds = (date.unix_timestamp_nanos() / 1_000_000) as f64 / 1000.0;
    seconds.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::definition::state_type::StateType;

    fn event(detail: Detail) -> Event {
        Event { id: 3, previous_event_id: 2, timestamp: OffsetDateTime::from_unix_timestamp(12).unwrap(), detail }
    }

    #[test]
    fn an_integration_is_a_task_and_a_plain_function_has_its_own_events() {
        let service = Resource::parse("arn:aws:states:::lambda:invoke").unwrap();
        let scheduled = |resource| {
            let parameters = JsonText::of(&json!({"a": 1}));
            event(Detail::TaskScheduled {
                resource,
                region: "eu-west-1".into(),
                parameters,
                timeout: Some(5),
                heartbeat: None,
                role_arn: Some("arn:aws:iam::111122223333:role/other".into()),
            })
        };
        assert_eq!(
            scheduled(service).to_json(true),
            json!({
                "timestamp": 12.0, "type": "TaskScheduled", "id": 3, "previousEventId": 2,
                "taskScheduledEventDetails": {
                    "resourceType": "lambda", "resource": "invoke", "region": "eu-west-1",
                    "parameters": "{\"a\":1}", "timeoutInSeconds": 5,
                    "taskCredentials": {"roleArn": "arn:aws:iam::111122223333:role/other"}
                }
            })
        );
        let function = Resource::parse("arn:aws:lambda:eu-west-1:111122223333:function:f").unwrap();
        assert_eq!(
            scheduled(function).to_json(true)["lambdaFunctionScheduledEventDetails"],
            json!({
                "resource": "arn:aws:lambda:eu-west-1:111122223333:function:f", "input": "{\"a\":1}",
                "inputDetails": {"truncated": false}, "timeoutInSeconds": 5,
                "taskCredentials": {"roleArn": "arn:aws:iam::111122223333:role/other"}
            })
        );
    }

    #[test]
    fn entering_and_leaving_share_one_member_for_all_state_types() {
        let entered = event(Detail::StateEntered {
            state: StateType::Map,
            name: "Each".into(),
            input: JsonText::of(&json!([1])),
        });
        let json = entered.to_json(true);
        assert_eq!(json["type"], "MapStateEntered");
        assert_eq!(
            json["stateEnteredEventDetails"],
            json!({"name": "Each", "input": "[1]", "inputDetails": {"truncated": false}})
        );
    }

    #[test]
    fn without_data_inputs_and_outputs_are_left_out() {
        let json = event(Detail::ExecutionSucceeded { output: JsonText::of(&json!("secret")) }).to_json(false);
        assert_eq!(json["executionSucceededEventDetails"], json!({"outputDetails": {"truncated": false}}));
    }
}
