//! The operations as they go over the wire: a JSON document in, a JSON document out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use stagehost_asl::{Severity, Status, TokenError, epoch_seconds, limits};
use time::OffsetDateTime;

use crate::error::ApiError;
use crate::executions::{NewExecution, Record, nothing};
use crate::machines::{Machine, NewMachine};
use crate::paging::Page;
use crate::{States, arn};

/// The most tags that a resource may have.
const MOST_TAGS: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateStateMachine {
    name: String,
    definition: String,
    role_arn: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    logging_configuration: Option<Value>,
    tracing_configuration: Option<Value>,
    #[serde(default)]
    tags: Vec<Tag>,
    publish: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateStateMachine {
    state_machine_arn: String,
    definition: Option<String>,
    role_arn: Option<String>,
    logging_configuration: Option<Value>,
    tracing_configuration: Option<Value>,
    publish: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfMachine {
    state_machine_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMachines {
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validate {
    definition: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    severity: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartExecution {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfExecution {
    execution_arn: String,
    included_data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopExecution {
    execution_arn: String,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListExecutions {
    state_machine_arn: Option<String>,
    status_filter: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetExecutionHistory {
    execution_arn: String,
    max_results: Option<i64>,
    reverse_order: Option<bool>,
    next_token: Option<String>,
    include_execution_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskReport {
    task_token: String,
    output: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tagging {
    resource_arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ApiError::validation(format!("1 validation error detected: {error}")),
        _ => ApiError::new("SerializationException", format!("The request is not JSON: {error}")),
    })
}

impl States {
    /// Does the operation. `trace` is the request's trace header.
    pub(crate) async fn operate(&self, operation: &str, body: &[u8], trace: Option<&str>) -> Result<Value, ApiError> {
        match operation {
            "CreateStateMachine" => self.create(read(body)?),
            "UpdateStateMachine" => self.update(read(body)?),
            "DeleteStateMachine" => {
                let OfMachine { state_machine_arn } = read(body)?;
                self.delete_state_machine(&state_machine_arn).map(|()| nothing())
            }
            "DescribeStateMachine" => {
                let OfMachine { state_machine_arn } = read(body)?;
                self.state_machine(&state_machine_arn).map(|machine| describe_machine(&machine))
            }
            "ListStateMachines" => self.list_machines(&read(body)?),
            "ValidateStateMachineDefinition" => self.validate_definition(&read(body)?),
            "StartExecution" => self.start(read(body)?, trace),
            "DescribeExecution" => self.describe_execution(&read(body)?),
            "DescribeStateMachineForExecution" => {
                let OfExecution { execution_arn, .. } = read(body)?;
                let mut machine = describe_machine(&self.record(&execution_arn)?.machine);
                if let Some(fields) = machine.as_object_mut() {
                    fields.retain(|field, _| !["status", "type", "creationDate"].contains(&field.as_str()));
                }
                Ok(machine)
            }
            "StopExecution" => {
                let StopExecution { execution_arn, error, cause } = read(body)?;
                let execution = self.stop_execution(&execution_arn, error, cause).await?;
                let stopped = execution.outcome().map_or_else(OffsetDateTime::now_utc, |outcome| outcome.stopped_at);
                Ok(json!({"stopDate": epoch_seconds(stopped)}))
            }
            "ListExecutions" => self.list_executions(&read(body)?),
            "GetExecutionHistory" => self.history(&read(body)?),
            "SendTaskSuccess" => self.task_success(&read(body)?),
            "SendTaskFailure" => {
                let TaskReport { task_token, error, cause, .. } = read(body)?;
                self.tokens().send_failure(&task_token, error, cause).map(|()| nothing()).map_err(token_error)
            }
            "SendTaskHeartbeat" => {
                let TaskReport { task_token, .. } = read(body)?;
                self.tokens().send_heartbeat(&task_token).map(|()| nothing()).map_err(token_error)
            }
            "ListTagsForResource" => {
                let Tagging { resource_arn, .. } = read(body)?;
                self.tags(&resource_arn, |tags| {
                    let tags = tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
                    Ok(json!({"tags": tags.collect::<Vec<_>>()}))
                })
            }
            "TagResource" => {
                let Tagging { resource_arn, tags: new, .. } = read(body)?;
                self.tags(&resource_arn, |tags| {
                    tags.extend(checked_tags(tags.len(), new)?);
                    Ok(nothing())
                })
            }
            "UntagResource" => {
                let Tagging { resource_arn, tag_keys, .. } = read(body)?;
                self.tags(&resource_arn, |tags| {
                    tags.retain(|key, _| !tag_keys.contains(key));
                    Ok(nothing())
                })
            }
            other => Err(ApiError::new(
                "UnknownOperationException",
                format!("the Step Functions operation '{other}' is not supported here"),
            )),
        }
    }

    fn create(&self, request: CreateStateMachine) -> Result<Value, ApiError> {
        only_standard(request.kind.as_deref())?;
        no_versions(request.publish)?;
        let machine = self.create_state_machine(NewMachine {
            name: request.name,
            definition: request.definition,
            role_arn: request.role_arn,
            logging: request.logging_configuration,
            tracing: request.tracing_configuration,
            tags: checked_tags(0, request.tags)?,
        })?;
        Ok(json!({"stateMachineArn": machine.arn, "creationDate": epoch_seconds(machine.created_at)}))
    }

    fn update(&self, request: UpdateStateMachine) -> Result<Value, ApiError> {
        no_versions(request.publish)?;
        let machine = self.update_state_machine(
            &request.state_machine_arn,
            request.definition.as_deref(),
            request.role_arn,
            request.logging_configuration,
            request.tracing_configuration,
        )?;
        Ok(json!({"updateDate": epoch_seconds(machine.updated_at), "revisionId": machine.revision}))
    }

    fn list_machines(&self, request: &ListMachines) -> Result<Value, ApiError> {
        let page = Page::read(json!("machines"), request.max_results, request.next_token.as_deref())?;
        let machines = self.state_machines().into_iter().zip(0_u64..);
        let (machines, next) = page.cut(machines.skip_while(|(_, at)| *at < page.from.unwrap_or(0)), |(_, at)| *at);
        let machines = machines.iter().map(|(machine, _)| {
            json!({
                "stateMachineArn": machine.arn, "name": machine.name, "type": "STANDARD",
                "creationDate": epoch_seconds(machine.created_at)
            })
        });
        Ok(with_next(json!({"stateMachines": machines.collect::<Vec<_>>()}), next))
    }

    fn validate_definition(&self, request: &Validate) -> Result<Value, ApiError> {
        only_standard(request.kind.as_deref())?;
        let warnings = match request.severity.as_deref() {
            None | Some("ERROR") => false,
            Some("WARNING") => true,
            Some(other) => return Err(ApiError::validation(format!("'{other}' is not a severity: ERROR or WARNING"))),
        };
        let findings = self.validate(&request.definition);
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        let shown: Vec<Value> = findings
            .iter()
            .filter(|finding| warnings || finding.severity == Severity::Error)
            .map(|finding| {
                let severity = match finding.severity {
                    Severity::Error => "ERROR",
                    Severity::Warning => "WARNING",
                };
                json!({
                    "severity": severity, "code": finding.code.as_str(), "message": finding.message,
                    "location": finding.location
                })
            })
            .collect();
        let most = request.max_results.filter(|most| *most > 0).unwrap_or(100);
        let truncated = shown.len() > most;
        Ok(json!({
            "result": if failed { "FAIL" } else { "OK" },
            "diagnostics": shown.into_iter().take(most).collect::<Vec<_>>(),
            "truncated": truncated
        }))
    }

    fn start(&self, request: StartExecution, trace: Option<&str>) -> Result<Value, ApiError> {
        let new = NewExecution {
            name: request.name,
            input: request.input,
            trace_header: request.trace_header.or_else(|| trace.map(str::to_owned)),
        };
        let execution = self.start_execution(&request.state_machine_arn, new)?;
        let info = execution.info();
        Ok(json!({"executionArn": info.arn, "startDate": epoch_seconds(info.started_at)}))
    }

    fn describe_execution(&self, request: &OfExecution) -> Result<Value, ApiError> {
        let data = match request.included_data.as_deref() {
            None | Some("ALL_DATA") => true,
            Some("METADATA_ONLY") => false,
            Some(other) => {
                let message = format!("'{other}' is not known as includedData: ALL_DATA or METADATA_ONLY");
                return Err(ApiError::validation(message));
            }
        };
        let record = self.record(&request.execution_arn)?;
        let mut fields = summary(&record);
        let status = record.execution.status().as_str();
        let mut add = |name: &str, value: Value| drop(fields.insert(name.into(), value));
        if data {
            add("input", record.input.as_str().into());
            add("inputDetails", json!({"included": true}));
        }
        if let Some(trace) = &record.execution.info().trace_header {
            add("traceHeader", trace.as_str().into());
        }
        add("redriveStatus", "NOT_REDRIVABLE".into());
        add("redriveStatusReason", format!("Execution is {status} and redriving is not supported").into());
        if let Some(outcome) = record.execution.outcome() {
            if let Some(output) = outcome.output.filter(|_| data) {
                add("output", output.to_string().into());
                add("outputDetails", json!({"included": true}));
            }
            if let Some(error) = outcome.error {
                add("error", error.into());
            }
            if let Some(cause) = outcome.cause {
                add("cause", cause.into());
            }
        }
        Ok(Value::Object(fields))
    }

    fn list_executions(&self, request: &ListExecutions) -> Result<Value, ApiError> {
        let Some(arn) = &request.state_machine_arn else {
            return Err(ApiError::validation("'stateMachineArn' is missing; map runs are not supported"));
        };
        self.state_machine(arn)?;
        let statuses = [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted];
        let status = match request.status_filter.as_deref() {
            None => None,
            Some(name) => match statuses.iter().find(|status| status.as_str() == name) {
                Some(status) => Some(*status),
                None => return Err(ApiError::validation(format!("'{name}' is not a status of an execution"))),
            },
        };
        let list = json!(["executions", arn, request.status_filter]);
        let page = Page::read(list, request.max_results, request.next_token.as_deref())?;
        let store = self.store();
        let wanted = store
            .executions
            .newest()
            .filter(|record| record.machine.arn == *arn)
            .filter(|record| page.from.is_none_or(|from| record.number <= from))
            .filter(|record| status.is_none_or(|status| record.execution.status() == status));
        let (records, next) = page.cut(wanted, |record| record.number);
        let executions: Vec<Value> = records.into_iter().map(|record| Value::Object(summary(record))).collect();
        Ok(with_next(json!({"executions": executions}), next))
    }

    fn history(&self, request: &GetExecutionHistory) -> Result<Value, ApiError> {
        let arn = &request.execution_arn;
        let events = self.record(arn)?.execution.history();
        let reverse = request.reverse_order.unwrap_or(false);
        let data = request.include_execution_data.unwrap_or(true);
        let page = Page::read(json!(["history", arn, reverse]), request.max_results, request.next_token.as_deref())?;
        let (events, next) = if reverse {
            let from = page.from.unwrap_or(u64::MAX);
            page.cut(events.iter().rev().skip_while(|event| event.id > from), |event| event.id)
        } else {
            let from = page.from.unwrap_or(0);
            page.cut(events.iter().skip_while(|event| event.id < from), |event| event.id)
        };
        let events: Vec<Value> = events.into_iter().map(|event| event.to_json(data)).collect();
        Ok(with_next(json!({"events": events}), next))
    }

    fn task_success(&self, request: &TaskReport) -> Result<Value, ApiError> {
        let invalid = |reason: String| ApiError::new("InvalidOutput", format!("Invalid Output: '{reason}'"));
        let Some(output) = &request.output else {
            return Err(ApiError::validation("1 validation error detected: missing field `output`"));
        };
        if output.len() > limits::PAYLOAD_BYTES {
            return Err(invalid(format!("the output is longer than {} bytes", limits::PAYLOAD_BYTES)));
        }
        let output = serde_json::from_str(output).map_err(|error| invalid(error.to_string()))?;
        self.tokens().send_success(&request.task_token, output).map(|()| nothing()).map_err(token_error)
    }

    fn tags<T>(
        &self,
        arn: &str,
        work: impl FnOnce(&mut BTreeMap<String, String>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let name = arn::machine_name(arn)?;
        let mut store = self.store();
        let found = store.machines.get_mut(name).filter(|machine| machine.arn == arn);
        let machine = found.ok_or_else(|| ApiError::new("ResourceNotFound", format!("Resource not found: '{arn}'")))?;
        work(&mut machine.tags)
    }
}

fn checked_tags(there: usize, tags: Vec<Tag>) -> Result<BTreeMap<String, String>, ApiError> {
    if there + tags.len() > MOST_TAGS {
        return Err(ApiError::new("TooManyTags", format!("a resource has at most {MOST_TAGS} tags")));
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

fn only_standard(kind: Option<&str>) -> Result<(), ApiError> {
    match kind {
        None | Some("STANDARD") => Ok(()),
        Some("EXPRESS") => Err(ApiError::new(
            "StateMachineTypeNotSupported",
            "State Machine Type is not supported: 'EXPRESS': only STANDARD runs here",
        )),
        Some(other) => Err(ApiError::validation(format!("'{other}' is not a type of state machine: STANDARD"))),
    }
}

fn no_versions(publish: Option<bool>) -> Result<(), ApiError> {
    match publish {
        Some(true) => Err(ApiError::validation("'publish' is not supported: there are no versions here")),
        _ => Ok(()),
    }
}

fn token_error(error: TokenError) -> ApiError {
    ApiError::new(error.name(), error.to_string())
}

fn describe_machine(machine: &Machine) -> Value {
    json!({
        "stateMachineArn": machine.arn, "name": machine.name, "status": "ACTIVE", "type": "STANDARD",
        "definition": machine.definition, "roleArn": machine.role_arn,
        "creationDate": epoch_seconds(machine.created_at), "updateDate": epoch_seconds(machine.updated_at),
        "loggingConfiguration": machine.logging, "tracingConfiguration": machine.tracing,
        "revisionId": machine.revision
    })
}

/// What all answers about an execution hold.
fn summary(record: &Record) -> Map<String, Value> {
    let info = record.execution.info();
    let mut fields = Map::new();
    fields.insert("executionArn".into(), info.arn.as_str().into());
    fields.insert("stateMachineArn".into(), info.state_machine_arn.as_str().into());
    fields.insert("name".into(), info.name.as_str().into());
    fields.insert("startDate".into(), epoch_seconds(info.started_at));
    // One look: the execution may end between two.
    let outcome = record.execution.outcome();
    let status = outcome.as_ref().map_or(Status::Running, |outcome| outcome.status);
    fields.insert("status".into(), status.as_str().into());
    if let Some(outcome) = outcome {
        fields.insert("stopDate".into(), epoch_seconds(outcome.stopped_at));
    }
    fields.insert("redriveCount".into(), 0.into());
    fields
}

fn with_next(mut answer: Value, next: Option<String>) -> Value {
    if let (Some(fields), Some(next)) = (answer.as_object_mut(), next) {
        fields.insert("nextToken".into(), next.into());
    }
    answer
}
