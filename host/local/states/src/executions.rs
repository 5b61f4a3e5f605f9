//! The operations on executions.

use serde_json::Value;
use stagehost_asl::{Execution, StartRequest, Status, limits};

use crate::arn;
use crate::error::StatesError;
use crate::service::States;
use crate::store::executions::{ExecutionRecord, NewExecution};

impl States {
    /// Starts an execution on the current tokio runtime. If one of this name and input is already running, returns that
    /// one.
    ///
    /// # Errors
    /// `InvalidArn`, `StateMachineDoesNotExist`, `InvalidName`, `InvalidExecutionInput`, `ExecutionAlreadyExists`.
    pub fn start_execution(&self, machine_arn: &str, new: NewExecution) -> Result<Execution, StatesError> {
        let machine = self.state_machine(machine_arn)?;
        let name = new.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        arn::check_name(&name)?;
        let text = new.input.unwrap_or_else(|| "{}".to_owned());
        let input = read_input(&text)?;
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
        let request = StartRequest {
            arn: arn.clone(),
            name,
            state_machine_arn: machine.arn.clone(),
            state_machine_name: machine.name.clone(),
            role_arn: machine.role_arn.clone(),
            input,
            trace_header: new.trace_header,
            map_runs: self.options.map_runs.clone(),
        };
        let options = &self.options;
        let execution =
            Execution::start(machine.parsed.clone(), request, options.resources.clone(), options.tokens.clone());
        store.executions.insert(arn, execution.clone(), text, machine);
        store.executions.trim(options.keep_ended, options.keep_bytes);
        Ok(execution)
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
        let machine = self.store().executions.get(&parent.execution_arn)?.machine.clone();
        let input = execution.info().input.to_string();
        Some(ExecutionRecord { execution, number: 0, input, machine })
    }
}

fn read_input(text: &str) -> Result<Value, StatesError> {
    let fail = |reason: String| {
        StatesError::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{reason}'"))
    };
    if text.len() > limits::PAYLOAD_BYTES {
        return Err(fail(format!("the input is longer than {} bytes", limits::PAYLOAD_BYTES)));
    }
    match text.trim() {
        "" => Err(fail("Invalid execution input.".into())),
        text => serde_json::from_str(text).map_err(|error| fail(error.to_string())),
    }
}
