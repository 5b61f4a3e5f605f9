//! The operations on executions.

use serde_json::Value;
use stagehost_asl::{Execution, StartRequest, Status, json_problem, limits};

use crate::arn;
use crate::error::StatesError;
use crate::service::States;
use crate::store::executions::{ExecutionRecord, NewExecution};
use crate::store::machine::{Machine, MachineKind};

impl States {
    /// Starts an execution on the current tokio runtime. If one of this name and input is already running, returns that
    /// one.
    ///
    /// # Errors
    /// `InvalidArn`, `StateMachineDoesNotExist`, `InvalidName`, `InvalidExecutionInput`, `ExecutionAlreadyExists`.
    pub fn start_execution(&self, machine_arn: &str, new: NewExecution) -> Result<Execution, StatesError> {
        let chosen = self.choose(machine_arn)?;
        let machine = &chosen.machine;
        let name = new.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        arn::check_name(&name)?;
        let text = new.input.unwrap_or_else(|| "{}".to_owned());
        let input = read_input(&text)?;
        if machine.kind == MachineKind::Express {
            let execution = self.start_express(machine, name, input, new.trace_header);
            tokio::spawn(log_end(execution.clone()));
            return Ok(execution);
        }
        let arn = self.execution_arn(&machine.name, &name);
        // Locked until the new execution is stored: of two concurrent starts, the second must see the first.
        let mut store = self.store();
        if let Some(found) = store.executions.get(&arn) {
            let running = found.execution.status() == Status::Running;
            return if running && found.execution.info().input == input {
                Ok(found.execution.clone())
            } else {
                Err(StatesError::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'")))
            };
        }
        let request = self.request(machine, arn.clone(), name, input, new.trace_header);
        let options = &self.options;
        let execution =
            Execution::start(machine.parsed.clone(), request, options.resources.clone(), options.tokens.clone());
        store.executions.insert(arn, execution.clone(), text, chosen);
        store.executions.trim(options.keep_ended, options.keep_bytes);
        Ok(execution)
    }

    /// Starts an execution of an express workflow. It is not kept.
    pub(crate) fn start_express(
        &self,
        machine: &Machine,
        name: String,
        input: Value,
        trace_header: Option<String>,
    ) -> Execution {
        let arn = self.express_arn(&machine.name, &name);
        let request = StartRequest { express: true, ..self.request(machine, arn, name, input, trace_header) };
        let options = &self.options;
        Execution::start(machine.parsed.clone(), request, options.resources.clone(), options.tokens.clone())
    }

    fn request(
        &self,
        machine: &Machine,
        arn: String,
        name: String,
        input: Value,
        trace_header: Option<String>,
    ) -> StartRequest {
        StartRequest {
            arn,
            name,
            state_machine_arn: machine.arn.clone(),
            state_machine_name: machine.name.clone(),
            role_arn: machine.role_arn.clone(),
            input,
            trace_header,
            map_runs: self.options.map_runs.clone(),
            activities: self.options.activities.clone(),
            ..StartRequest::default()
        }
    }

    /// Returns an execution by its ARN.
    ///
    /// # Errors
    /// `InvalidArn`, `ExecutionDoesNotExist`.
    pub fn execution(&self, arn: &str) -> Result<Execution, StatesError> {
        self.record(arn).map(|record| record.execution)
    }

    /// Stops an execution and waits until it has ended. One that has already ended stays as it is.
    ///
    /// # Errors
    /// `InvalidArn`, `ExecutionDoesNotExist`.
    pub async fn stop_execution(
        &self,
        arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Execution, StatesError> {
        let execution = self.execution(arn)?;
        execution.stop(error, cause);
        execution.wait().await;
        Ok(execution)
    }

    /// Returns all executions that are kept, or those of one state machine, the newest first.
    pub fn executions(&self, machine_arn: Option<&str>) -> Vec<Execution> {
        let store = self.store();
        let all = store.executions.newest();
        let wanted = all.filter(|record| machine_arn.is_none_or(|arn| record.machine.arn == arn));
        wanted.map(|record| record.execution.clone()).collect()
    }

    /// Returns an execution with its record.
    pub(crate) fn record(&self, arn: &str) -> Result<ExecutionRecord, StatesError> {
        arn::check_execution(arn)?;
        let found = self.store().executions.get(arn).cloned();
        found.or_else(|| self.child_record(arn)).ok_or_else(|| StatesError::no_execution(arn))
    }

    /// Returns a child execution of a map run. Its state machine is that of the outermost execution.
    fn child_record(&self, arn: &str) -> Option<ExecutionRecord> {
        let (execution, _) = self.options.map_runs.child(arn)?;
        let mut parent = self.options.map_runs.get(execution.info().map_run.as_deref()?)?;
        // A child execution may itself have map runs.
        while let Some((outer, _)) = self.options.map_runs.child(&parent.execution_arn) {
            parent = self.options.map_runs.get(outer.info().map_run.as_deref()?)?;
        }
        let outer = self.store().executions.get(&parent.execution_arn)?.clone();
        let input = execution.info().input.to_string();
        Some(ExecutionRecord { execution, number: 0, input, ..outer })
    }
}

/// Writes the end of an execution that nobody can describe to the log.
async fn log_end(execution: Execution) {
    let outcome = execution.wait().await;
    let (arn, status) = (execution.info().arn.as_str(), outcome.status.as_str());
    match outcome.status {
        Status::Succeeded => tracing::debug!(arn, status, "an express execution has ended"),
        _ => {
            tracing::warn!(arn, status, error = outcome.error, cause = outcome.cause, "an express execution has ended")
        }
    }
}

/// Reads the input of an execution.
///
/// # Errors
/// `InvalidExecutionInput`.
pub(crate) fn read_input(text: &str) -> Result<Value, StatesError> {
    let fail = |reason: String| {
        StatesError::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{reason}'"))
    };
    if text.len() > limits::PAYLOAD_BYTES {
        return Err(fail(format!("the input is longer than {} bytes", limits::PAYLOAD_BYTES)));
    }
    match text.trim() {
        "" => Err(fail("Invalid execution input.".into())),
        text => {
            serde_json::from_str(text).map_err(|error| fail(json_problem(text).unwrap_or_else(|| error.to_string())))
        }
    }
}
