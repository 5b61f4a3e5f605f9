//! Executions: started once, watched, stopped, remembered for a while.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use stagehost_asl::{Execution, StartRequest, Status, limits};

use crate::error::ApiError;
use crate::machines::Machine;
use crate::{States, arn};

/// What an execution is started with.
#[derive(Clone, Debug, Default)]
pub struct NewExecution {
    /// Unique per state machine; a new one where `None`.
    pub name: Option<String>,
    /// The input as JSON text; an empty object where `None`.
    pub input: Option<String>,
    /// The X-Ray trace that the execution belongs to.
    pub trace_header: Option<String>,
}

/// An execution with what the interpreter does not know of it.
#[derive(Clone)]
pub(crate) struct Record {
    pub execution: Execution,
    /// Counts starts; newer is larger.
    pub number: u64,
    /// As it was given.
    pub input: String,
    /// The machine as it was at the start.
    pub machine: Machine,
}

/// All executions that are remembered.
#[derive(Default)]
pub(crate) struct Executions {
    by_arn: HashMap<String, u64>,
    by_number: BTreeMap<u64, Record>,
    started: u64,
}

impl Executions {
    fn get(&self, arn: &str) -> Option<&Record> {
        self.by_number.get(self.by_arn.get(arn)?)
    }

    fn insert(&mut self, arn: String, record: Record) {
        self.by_arn.insert(arn, record.number);
        self.by_number.insert(record.number, record);
    }

    /// Forgets the oldest ended executions beyond these many, or these many bytes.
    fn forget(&mut self, keep_ended: usize, keep_bytes: usize) {
        let (mut ended, mut bytes) = (0_usize, 0_usize);
        let mut forgotten = Vec::new();
        for record in self.newest().filter(|record| record.execution.status() != Status::Running) {
            ended += 1;
            bytes = bytes.saturating_add(record.execution.history_bytes());
            if ended > keep_ended || bytes > keep_bytes {
                forgotten.push(record.number);
            }
        }
        for number in forgotten {
            if let Some(record) = self.by_number.remove(&number) {
                self.by_arn.remove(&record.execution.info().arn);
            }
        }
    }

    /// The newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Record> {
        self.by_number.values().rev()
    }
}

impl States {
    /// Starts an execution on the present tokio runtime. Starting one that runs already under this name with this input
    /// gives that one.
    ///
    /// # Errors
    /// `InvalidArn`, `StateMachineDoesNotExist`, `InvalidName`, `InvalidExecutionInput`, `ExecutionAlreadyExists`.
    pub fn start_execution(&self, machine_arn: &str, new: NewExecution) -> Result<Execution, ApiError> {
        let machine = self.state_machine(machine_arn)?;
        let name = new.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        arn::check_name(&name)?;
        let text = new.input.unwrap_or_else(|| "{}".to_owned());
        let input = read_input(&text)?;
        let arn = self.execution_arn(&machine.name, &name);
        // Held until the new one is in: of two starts at once, one must see the other.
        let mut store = self.store();
        if let Some(found) = store.executions.get(&arn) {
            let running = found.execution.status() == Status::Running;
            return if running && found.execution.info().input == input {
                Ok(found.execution.clone())
            } else {
                Err(ApiError::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'")))
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
        };
        let options = &self.options;
        let execution =
            Execution::start(machine.machine.clone(), request, options.resources.clone(), options.tokens.clone());
        store.executions.started += 1;
        let number = store.executions.started;
        let record = Record { execution: execution.clone(), number, input: text, machine };
        store.executions.insert(arn, record);
        store.executions.forget(options.keep_ended, options.keep_bytes);
        Ok(execution)
    }

    /// An execution by its ARN.
    ///
    /// # Errors
    /// `InvalidArn`, `ExecutionDoesNotExist`.
    pub fn execution(&self, arn: &str) -> Result<Execution, ApiError> {
        self.record(arn).map(|record| record.execution)
    }

    /// Stops an execution and waits until it has ended; one that had ended stays as it is.
    ///
    /// # Errors
    /// `InvalidArn`, `ExecutionDoesNotExist`.
    pub async fn stop_execution(
        &self,
        arn: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Execution, ApiError> {
        let execution = self.execution(arn)?;
        execution.stop(error, cause);
        execution.wait().await;
        Ok(execution)
    }

    /// All executions that are remembered, the newest first; of one state machine, where its ARN is given.
    pub fn executions(&self, machine_arn: Option<&str>) -> Vec<Execution> {
        let store = self.store();
        let all = store.executions.newest();
        let wanted = all.filter(|record| machine_arn.is_none_or(|arn| record.machine.arn == arn));
        wanted.map(|record| record.execution.clone()).collect()
    }

    pub(crate) fn record(&self, arn: &str) -> Result<Record, ApiError> {
        arn::check_execution(arn)?;
        self.store().executions.get(arn).cloned().ok_or_else(|| ApiError::no_execution(arn))
    }
}

fn read_input(text: &str) -> Result<Value, ApiError> {
    let fail = |reason: String| {
        ApiError::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{reason}'"))
    };
    if text.len() > limits::PAYLOAD_BYTES {
        return Err(fail(format!("the input is longer than {} bytes", limits::PAYLOAD_BYTES)));
    }
    match text.trim() {
        "" => Err(fail("Invalid execution input.".into())),
        text => serde_json::from_str(text).map_err(|error| fail(error.to_string())),
    }
}

/// An empty response.
pub(crate) fn nothing() -> Value {
    Value::Object(Map::new())
}
