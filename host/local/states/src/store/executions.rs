//! The executions that the service keeps.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use stagehost_asl::{Execution, Status};
use time::OffsetDateTime;

use super::chosen::ChosenMachine;
use super::machine::Machine;

/// The parameters of `StartExecution`.
#[derive(Clone, Debug, Default)]
pub struct NewExecution {
    /// A name that is unique in the state machine; `None` for a random one.
    pub name: Option<String>,
    /// The input as JSON text; `None` for an empty object.
    pub input: Option<String>,
    /// The X-Ray trace header.
    pub trace_header: Option<String>,
}

/// An execution and the properties that only this service needs.
#[derive(Clone)]
pub(crate) struct ExecutionRecord {
    pub execution: Execution,
    /// The number of the start; newer executions have larger numbers.
    pub number: u64,
    /// The input as the caller wrote it.
    pub input: String,
    /// The state machine as it was at the start.
    pub machine: Machine,
    /// The version that it runs, if it was started by a version or an alias.
    pub version_arn: Option<String>,
    /// The alias by which it was started.
    pub alias_arn: Option<String>,
    /// The client tokens of its last redrives and their dates.
    pub redrive_tokens: Arc<Mutex<Vec<(String, OffsetDateTime)>>>,
}

/// All executions that are kept.
#[derive(Default)]
pub(crate) struct Executions {
    by_arn: HashMap<String, u64>,
    by_number: BTreeMap<u64, ExecutionRecord>,
    started: u64,
}

impl Executions {
    /// Returns the execution of an ARN.
    pub fn get(&self, arn: &str) -> Option<&ExecutionRecord> {
        self.by_number.get(self.by_arn.get(arn)?)
    }

    /// Adds an execution and gives it the next number.
    pub fn insert(&mut self, arn: String, execution: Execution, input: String, chosen: ChosenMachine) {
        self.started += 1;
        let number = self.started;
        self.by_arn.insert(arn, number);
        let ChosenMachine { machine, version_arn, alias_arn } = chosen;
        let redrive_tokens = Arc::default();
        let record = ExecutionRecord { execution, number, input, machine, version_arn, alias_arn, redrive_tokens };
        self.by_number.insert(number, record);
    }

    /// Removes the oldest ended executions beyond a number of executions or of bytes.
    pub fn trim(&mut self, keep_ended: usize, keep_bytes: usize) {
        let (mut ended, mut bytes) = (0_usize, 0_usize);
        let mut removed = Vec::new();
        for record in self.newest().filter(|record| record.execution.status() != Status::Running) {
            ended += 1;
            bytes = bytes.saturating_add(record.execution.history_bytes()).saturating_add(record.input.len());
            if ended > keep_ended || bytes > keep_bytes {
                removed.push(record.number);
            }
        }
        for number in removed {
            if let Some(record) = self.by_number.remove(&number) {
                self.by_arn.remove(&record.execution.info().arn);
            }
        }
    }

    /// Returns the executions, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &ExecutionRecord> {
        self.by_number.values().rev()
    }
}
