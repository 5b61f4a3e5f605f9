//! Executions in the API.

use serde_json::{Map, Value, json};
use stagehost_asl::{Execution, Status, epoch_seconds};

use super::paging::Page;
use super::requests::{ExecutionReference, GetExecutionHistory, ListExecutions, StartExecution, wants_data};
use super::responses::with_next;
use crate::error::StatesError;
use crate::service::States;
use crate::store::executions::{ExecutionRecord, NewExecution};
use crate::store::machine::MachineKind;

/// The service's own text of the values of `statusFilter`. No execution here waits to be redriven.
const STATUSES: &str = "Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, \
                        RUNNING]";

impl States {
    pub(super) fn start(&self, request: StartExecution, trace: Option<&str>) -> Result<Value, StatesError> {
        let trace_header = request.trace(trace)?;
        let new = NewExecution { name: request.name, input: request.input, trace_header };
        let execution = self.start_execution(&request.state_machine_arn, new)?;
        let info = execution.info();
        Ok(json!({"executionArn": info.arn, "startDate": epoch_seconds(info.started_at)}))
    }

    pub(super) fn describe_execution(&self, request: &ExecutionReference) -> Result<Value, StatesError> {
        let data = wants_data(request.included_data.as_deref())?;
        let record = self.record(&request.execution_arn)?;
        let mut fields = record_summary(&record);
        let status = record.execution.status();
        let mut add = |name: &str, value: Value| drop(fields.insert(name.into(), value));
        if data {
            add("input", record.input.as_str().into());
            add("inputDetails", json!({"included": true}));
        }
        if let Some(trace) = &record.execution.info().trace_header {
            add("traceHeader", trace.as_str().into());
        }
        match status {
            Status::Running | Status::Succeeded => {
                add("redriveStatus", "NOT_REDRIVABLE".into());
                let reason = format!("Execution is {} and cannot be redriven", status.as_str());
                add("redriveStatusReason", reason.into());
            }
            Status::Failed | Status::TimedOut | Status::Aborted => {
                let by_run = record.execution.info().map_run.is_some();
                add("redriveStatus", if by_run { "REDRIVABLE_BY_MAP_RUN" } else { "REDRIVABLE" }.into());
            }
        }
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

    pub(super) fn list_executions(&self, request: &ListExecutions) -> Result<Value, StatesError> {
        let statuses = [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted];
        let status = match request.status_filter.as_deref() {
            None => None,
            Some(name) => match statuses.iter().find(|status| status.as_str() == name) {
                Some(status) => Some(*status),
                None if name == "PENDING_REDRIVE" => return Ok(json!({"executions": []})),
                None => return Err(StatesError::constraint(name, "statusFilter", STATUSES)),
            },
        };
        let redriven = match request.redrive_filter.as_deref() {
            None => None,
            Some("REDRIVEN") => Some(true),
            Some("NOT_REDRIVEN") => Some(false),
            Some(other) => {
                let message = format!("'{other}' is not a redriveFilter: REDRIVEN or NOT_REDRIVEN");
                return Err(StatesError::validation(message));
            }
        };
        let arn = match (&request.state_machine_arn, &request.map_run_arn) {
            (Some(arn), None) => arn,
            (None, Some(arn)) => return self.list_children(arn, status, request),
            _ => {
                let message = "Must provide a stateMachineARN or mapRunARN, and not both";
                return Err(StatesError::validation(message));
            }
        };
        if self.choose(arn)?.machine.kind == MachineKind::Express {
            return Err(StatesError::wrong_kind());
        }
        let list = json!(["executions", arn, request.status_filter, request.redrive_filter]);
        let page = Page::read(list, request.max_results, request.next_token.as_deref())?;
        let store = self.store();
        let wanted = store
            .executions
            .newest()
            .filter(|record| {
                let names = [Some(&record.machine.arn), record.version_arn.as_ref(), record.alias_arn.as_ref()];
                names.contains(&Some(arn))
            })
            .filter(|record| redriven.is_none_or(|redriven| (record.execution.redrives().count > 0) == redriven))
            .filter(|record| page.from.is_none_or(|from| record.number <= from))
            .filter(|record| status.is_none_or(|status| record.execution.status() == status));
        let (records, next) = page.cut(wanted, |record| record.number);
        let executions: Vec<Value> = records.into_iter().map(|record| Value::Object(record_summary(record))).collect();
        Ok(with_next(json!({"executions": executions}), next))
    }

    pub(super) fn history(&self, request: &GetExecutionHistory) -> Result<Value, StatesError> {
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
}

/// Returns the fields that all responses about an execution of a machine have.
fn record_summary(record: &ExecutionRecord) -> Map<String, Value> {
    let mut fields = summary(&record.execution);
    for (name, arn) in [("stateMachineVersionArn", &record.version_arn), ("stateMachineAliasArn", &record.alias_arn)] {
        if let Some(arn) = arn {
            fields.insert(name.into(), arn.as_str().into());
        }
    }
    fields
}

/// Returns the fields that all responses about an execution have.
pub(super) fn summary(execution: &Execution) -> Map<String, Value> {
    let info = execution.info();
    let mut fields = Map::new();
    fields.insert("executionArn".into(), info.arn.as_str().into());
    fields.insert("stateMachineArn".into(), info.state_machine_arn.as_str().into());
    fields.insert("name".into(), info.name.as_str().into());
    fields.insert("startDate".into(), epoch_seconds(info.started_at));
    // Read once: the execution may end between two reads.
    let outcome = execution.outcome();
    let status = outcome.as_ref().map_or(Status::Running, |outcome| outcome.status);
    fields.insert("status".into(), status.as_str().into());
    if let Some(outcome) = outcome {
        fields.insert("stopDate".into(), epoch_seconds(outcome.stopped_at));
    }
    let redrives = execution.redrives();
    fields.insert("redriveCount".into(), redrives.count.into());
    if let Some(at) = redrives.at {
        fields.insert("redriveDate".into(), epoch_seconds(at));
    }
    if let Some(map_run) = &info.map_run {
        fields.insert("mapRunArn".into(), map_run.as_str().into());
    }
    fields
}
