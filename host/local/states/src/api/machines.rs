//! State machines in the API.

use serde_json::{Value, json};
use stagehost_asl::{Severity, epoch_seconds};

use super::paging::Page;
use super::requests::{CreateStateMachine, Encryption, ListMachines, UpdateStateMachine, ValidateDefinition};
use super::responses::with_next;
use super::tags::checked_tags;
use crate::diagnostics::{Diagnostic, diagnostic, is_reported};
use crate::error::StatesError;
use crate::service::States;
use crate::store::machine::{Machine, MachineKind, NewMachine};
use crate::store::version::MachineVersion;

/// The most diagnostics of one answer.
const MOST_DIAGNOSTICS: usize = 100;

impl States {
    pub(super) fn create(&self, request: CreateStateMachine) -> Result<Value, StatesError> {
        let publish = published(request.publish, request.version_description.as_deref())?;
        no_own_keys(request.encryption_configuration.as_ref())?;
        let machine = self.create_state_machine(NewMachine {
            kind: kind(request.kind.as_deref())?,
            name: request.name,
            definition: request.definition,
            role_arn: request.role_arn,
            logging: request.logging_configuration,
            tracing: request.tracing_configuration,
            tags: checked_tags(0, request.tags)?,
        })?;
        let mut answer = json!({"stateMachineArn": machine.arn, "creationDate": epoch_seconds(machine.created_at)});
        if publish {
            let version = self.publish_version(&machine.arn, None, request.version_description)?;
            answer["stateMachineVersionArn"] = version.machine.arn.into();
        }
        Ok(answer)
    }

    pub(super) fn update(&self, request: UpdateStateMachine) -> Result<Value, StatesError> {
        let publish = published(request.publish, request.version_description.as_deref())?;
        no_own_keys(request.encryption_configuration.as_ref())?;
        let machine = self.update_state_machine(
            &request.state_machine_arn,
            request.definition.as_deref(),
            request.role_arn,
            request.logging_configuration,
            request.tracing_configuration,
        )?;
        let mut answer = json!({"updateDate": epoch_seconds(machine.updated_at)});
        if let Some(revision) = &machine.revision {
            answer["revisionId"] = revision.as_str().into();
        }
        if publish {
            let version = self.publish_version(&machine.arn, None, request.version_description)?;
            answer["stateMachineVersionArn"] = version.machine.arn.into();
        }
        Ok(answer)
    }

    pub(super) fn list_machines(&self, request: &ListMachines) -> Result<Value, StatesError> {
        let page = Page::read(json!("machines"), request.max_results, request.next_token.as_deref())?;
        let machines = self.state_machines().into_iter().zip(0_u64..);
        let (machines, next) = page.cut(machines.skip_while(|(_, at)| *at < page.from.unwrap_or(0)), |(_, at)| *at);
        let machines = machines.iter().map(|(machine, _)| {
            json!({
                "stateMachineArn": machine.arn, "name": machine.name, "type": machine.kind.as_str(),
                "creationDate": epoch_seconds(machine.created_at)
            })
        });
        Ok(with_next(json!({"stateMachines": machines.collect::<Vec<_>>()}), next))
    }

    pub(super) fn validate_definition(&self, request: &ValidateDefinition) -> Result<Value, StatesError> {
        let kind = kind(request.kind.as_deref())?;
        let warnings = match request.severity.as_deref() {
            None | Some("ERROR") => false,
            Some("WARNING") => true,
            Some(other) => {
                return Err(StatesError::validation(format!("'{other}' is not a severity: ERROR or WARNING")));
            }
        };
        if request.max_results.is_some_and(|most| most > MOST_DIAGNOSTICS) {
            return Err(StatesError::validation(format!(
                "Value at 'maxResults' must be between 0 and {MOST_DIAGNOSTICS}"
            )));
        }
        let findings = self.validate(&request.definition, kind);
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        let shown: Vec<Value> = findings
            .iter()
            .filter(|finding| is_reported(finding))
            .filter(|finding| warnings || finding.severity == Severity::Error)
            .map(|finding| {
                let Diagnostic { severity, code, message, location } = diagnostic(finding);
                let mut shown = json!({"severity": severity, "code": code, "message": message});
                if let Some(location) = location {
                    shown["location"] = location.into();
                }
                shown
            })
            .collect();
        let most = request.max_results.filter(|most| *most > 0).unwrap_or(MOST_DIAGNOSTICS);
        Ok(json!({
            "result": if failed { "FAIL" } else { "OK" },
            "diagnostics": shown.iter().take(most).collect::<Vec<_>>(),
            "truncated": shown.len() > most
        }))
    }
}

/// Returns the response of `DescribeStateMachine` for a version.
pub(super) fn describe_version(version: &MachineVersion) -> Value {
    let mut answer = describe_machine(&version.machine);
    if let Some(description) = &version.description {
        answer["description"] = description.as_str().into();
    }
    answer
}

/// Returns the response of `DescribeStateMachine`.
pub(super) fn describe_machine(machine: &Machine) -> Value {
    let mut answer = json!({
        "stateMachineArn": machine.arn, "name": machine.name, "status": "ACTIVE", "type": machine.kind.as_str(),
        "definition": &*machine.definition, "roleArn": machine.role_arn,
        "creationDate": epoch_seconds(machine.created_at),
        "loggingConfiguration": machine.logging, "tracingConfiguration": machine.tracing,
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"}
    });
    if let Some(revision) = &machine.revision {
        answer["revisionId"] = revision.as_str().into();
    }
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

fn kind(name: Option<&str>) -> Result<MachineKind, StatesError> {
    match name {
        None | Some("STANDARD") => Ok(MachineKind::Standard),
        Some("EXPRESS") => Ok(MachineKind::Express),
        Some(other) => {
            let message = format!("'{other}' is not a type of state machine: STANDARD or EXPRESS");
            Err(StatesError::validation(message))
        }
    }
}

/// Returns whether a version is published.
fn published(publish: Option<bool>, description: Option<&str>) -> Result<bool, StatesError> {
    match (publish.unwrap_or(false), description) {
        (false, Some(_)) => Err(StatesError::validation("Version description can only be set when publish is true")),
        (publish, _) => Ok(publish),
    }
}

/// Refuses keys of the caller's own: nothing is encrypted here.
pub(super) fn no_own_keys(encryption: Option<&Encryption>) -> Result<(), StatesError> {
    match encryption.map(|encryption| encryption.kind.as_str()) {
        None | Some("AWS_OWNED_KEY") => Ok(()),
        Some(other) => {
            let message = format!("'encryptionConfiguration' of type '{other}' is not supported here: AWS_OWNED_KEY");
            Err(StatesError::new("InvalidEncryptionConfiguration", message))
        }
    }
}
