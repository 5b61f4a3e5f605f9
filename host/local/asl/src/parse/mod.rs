//! The parser of definitions. It returns a machine that can run, or a list of findings.

mod choice;
mod distributed;
mod fields;
mod flow;
mod looks;
mod query;
mod recovery;
mod scopes;
mod state;
mod waits;

use std::sync::Arc;

use serde_json::Value;

use crate::definition::language::QueryLanguage;
use crate::definition::model::{StateKind, StateMachine};
use crate::definition::resource::{Pattern, Resource};
use crate::duplicates;
use crate::findings::{Code, Collector, Finding, LoadError, Severity};
use crate::json_errors;
use crate::limits::{DEFINITION_BYTES, SECONDS};
use crate::tasks::resources::Resources;
#[cfg(test)]
pub(crate) use choice::rule;
use fields::Fields;

impl StateMachine {
    /// Parses a definition without checking its resources; see [`load`](Self::load).
    ///
    /// # Errors
    /// One finding for each error and for each feature that this interpreter does not support, with state and place.
    pub fn parse(definition: &str) -> Result<Self, LoadError> {
        let mut notes = Collector::default();
        let machine = read(definition, &mut notes);
        let findings = notes.finish();
        match machine {
            Some(machine) if findings.iter().all(|finding| finding.severity == Severity::Warning) => {
                Ok(Self { warnings: findings, ..machine })
            }
            _ => Err(LoadError { findings }),
        }
    }

    /// Parses a definition and checks that all its resources are supported.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and one finding for each unsupported resource.
    pub fn load(definition: &str, resources: &dyn Resources) -> Result<Self, LoadError> {
        let machine = Self::parse(definition)?;
        match machine.unsupported(resources) {
            findings if findings.is_empty() => Ok(machine),
            findings => Err(LoadError { findings }),
        }
    }

    /// Returns a finding for each Task state whose resource is not supported.
    pub fn unsupported(&self, resources: &dyn Resources) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.flow.visit(&mut |state| {
            if let StateKind::Task(task) = &state.kind
                && !matches!(task.resource, Resource::Activity { .. })
                && let Err(unsupported) = resources.supports(&task.resource)
            {
                findings.push(Finding {
                    severity: Severity::Error,
                    code: Code::Unsupported,
                    location: format!("{}/Resource", state.location),
                    state: Some(state.name.clone()),
                    message: format!("the resource '{}' is not supported: {}", task.resource, unsupported.reason),
                });
            }
            if let StateKind::Map(map) = &state.kind
                && let Some(distributed) = &map.distributed
                && resources.storage().is_none()
            {
                let writes = distributed.writer.as_ref().is_some_and(|writer| writer.parameters.is_some());
                let fields = [("ItemReader", distributed.reader.is_some()), ("ResultWriter", writes)];
                for (field, _) in fields.into_iter().filter(|(_, used)| *used) {
                    findings.push(Finding {
                        severity: Severity::Error,
                        code: Code::Unsupported,
                        location: format!("{}/{field}", state.location),
                        state: Some(state.name.clone()),
                        message: format!("'{field}' is not supported: there is no object storage here"),
                    });
                }
            }
        });
        findings.sort_by(|left, right| left.location.cmp(&right.location));
        findings
    }
}

impl StateMachine {
    /// Returns a finding for each state that an express workflow cannot have: a Task state that waits, a distributed Map
    /// state. Messages are the service's.
    pub fn unsupported_in_express(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.flow.visit(&mut |state| {
            let (place, message) = match &state.kind {
                StateKind::Task(task) => {
                    let what = match (&task.resource, task.resource.pattern()) {
                        (Resource::Activity { .. }, _) => "Activity ARN",
                        (_, Pattern::WaitForTaskToken) => "'.waitForTaskToken' service integration ",
                        (_, Pattern::Sync) => "'.sync' service integration",
                        (_, Pattern::RequestResponse) => return,
                    };
                    ("Resource", format!("Express state machine does not support {what}"))
                }
                StateKind::Map(map) if map.distributed.is_some() => (
                    "ItemProcessor/ProcessorConfig/Mode",
                    "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines".into(),
                ),
                _ => return,
            };
            findings.push(Finding {
                severity: Severity::Error,
                code: Code::Schema,
                location: format!("{}/{place}", state.location),
                state: Some(state.name.clone()),
                message,
            });
        });
        findings.sort_by(|left, right| left.location.cmp(&right.location));
        findings
    }
}

fn read(definition: &str, notes: &mut Collector) -> Option<StateMachine> {
    if definition.len() > DEFINITION_BYTES {
        notes.error(Code::Schema, format!("the definition is longer than {DEFINITION_BYTES} bytes"));
        return None;
    }
    let document: Value = match serde_json::from_str(definition) {
        Ok(document) => document,
        Err(error) => {
            if definition.trim().is_empty() {
                notes.error(Code::NotAnObject, "Definition must be a valid JSON object");
                return None;
            }
            let (message, place) = json_errors::describe(definition, &format!("the definition is not JSON: {error}"));
            notes.in_text(place, Code::InvalidJson, message);
            return None;
        }
    };
    if let Err(error) = duplicates::check(definition) {
        notes.error(Code::Schema, error.to_string());
    }
    let Some(document) = document.as_object() else {
        notes.error(Code::NotAnObject, "Definition must be a valid JSON object");
        return None;
    };
    let mut fields = Fields::new(document);
    notes.language = fields.query_language(QueryLanguage::JsonPath, notes);
    fields.choice("Version", &["1.0"], notes);
    let timeout = fields.whole("TimeoutSeconds", 1, SECONDS, notes);
    let mut names = Vec::new();
    let flow = flow::read(&mut fields, &mut names, notes);
    fields.finish(notes);
    if let Some(flow) = &flow {
        scopes::check(flow, notes);
    }
    Some(StateMachine { flow: Arc::new(flow.unwrap_or_default()), timeout, warnings: Vec::new() })
}

#[cfg(test)]
mod tests;
