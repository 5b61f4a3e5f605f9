//! State machines in the API.

use serde_json::{Value, json};
use stagehost_asl::{Severity, epoch_seconds};

use super::paging::Page;
use super::requests::{CreateStateMachine, ListMachines, UpdateStateMachine, ValidateDefinition};
use super::responses::with_next;
use super::tags::checked_tags;
use crate::error::StatesError;
use crate::service::States;
use crate::store::machine::{Machine, NewMachine};

impl States {
    pub(super) fn create(&self, request: CreateStateMachine) -> Result<Value, StatesError> {
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

    pub(super) fn update(&self, request: UpdateStateMachine) -> Result<Value, StatesError> {
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

    pub(super) fn list_machines(&self, request: &ListMachines) -> Result<Value, StatesError> {
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

    pub(super) fn validate_definition(&self, request: &ValidateDefinition) -> Result<Value, StatesError> {
        only_standard(request.kind.as_deref())?;
        let warnings = match request.severity.as_deref() {
            None | Some("ERROR") => false,
            Some("WARNING") => true,
            Some(other) => {
                return Err(StatesError::validation(format!("'{other}' is not a severity: ERROR or WARNING")));
            }
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
}

/// Returns the response of `DescribeStateMachine`.
pub(super) fn describe_machine(machine: &Machine) -> Value {
    let mut answer = json!({
        "stateMachineArn": machine.arn, "name": machine.name, "status": "ACTIVE", "type": "STANDARD",
        "definition": machine.definition, "roleArn": machine.role_arn,
        "creationDate": epoch_seconds(machine.created_at), "updateDate": epoch_seconds(machine.updated_at),
        "loggingConfiguration": machine.logging, "tracingConfiguration": machine.tracing,
        "revisionId": machine.revision
    });
    with_references(&mut answer, machine);
    answer
}

/// Adds the variables that the states read, if any does.
pub(super) fn with_references(answer: &mut Value, machine: &Machine) {
    let references = machine.parsed.variable_references();
    if let (false, Some(answer)) = (references.is_empty(), answer.as_object_mut()) {
        answer.insert("variableReferences".into(), json!(references));
    }
}

fn only_standard(kind: Option<&str>) -> Result<(), StatesError> {
    match kind {
        None | Some("STANDARD") => Ok(()),
        Some("EXPRESS") => Err(StatesError::new(
            "StateMachineTypeNotSupported",
            "State Machine Type is not supported: 'EXPRESS': only STANDARD runs here",
        )),
        Some(other) => Err(StatesError::validation(format!("'{other}' is not a type of state machine: STANDARD"))),
    }
}

fn no_versions(publish: Option<bool>) -> Result<(), StatesError> {
    match publish {
        Some(true) => Err(StatesError::validation("'publish' is not supported: there are no versions here")),
        _ => Ok(()),
    }
}
