//! The border between the interpreter and what Task states call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::TaskError;
use crate::execution::ExecutionInfo;
use crate::resource::Resource;

/// Everything that Task states can call. Implemented by whoever runs the machines.
#[async_trait]
pub trait Resources: Send + Sync + 'static {
    /// Whether Task states may name this resource. Asked when a machine is loaded.
    ///
    /// # Errors
    /// [`Unsupported`], whose reason becomes a finding with the state's name.
    fn supports(&self, resource: &Resource) -> Result<(), Unsupported>;

    /// Does what the resource stands for. The value is the task's result, in the integration's own shape
    /// (`lambda:invoke` answers `{"Payload": …, "StatusCode": 200, …}`); with `.waitForTaskToken` it is only the
    /// acknowledgement, and the result comes by the token.
    ///
    /// The future is dropped when the state times out or the execution is stopped. It is polled together with those of
    /// the other branches, so work that computes must run on a thread of its own.
    ///
    /// # Errors
    /// [`TaskError`], whose name Retry and Catch look at: `Lambda.Unknown`, `Stage.Corrupt`.
    async fn call(&self, call: TaskCall) -> Result<Value, TaskError>;
}

/// Why a resource cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unsupported {
    /// A sentence: what is missing, and what there is instead.
    pub reason: String,
}

/// One attempt of a Task state.
#[derive(Clone, Debug)]
pub struct TaskCall {
    /// What to call.
    pub resource: Resource,
    /// The effective input: what `Parameters` made of the state's input.
    pub parameters: Value,
    /// The token that ends the state, where it waits for one.
    pub task_token: Option<String>,
    /// The state's name.
    pub state: String,
    /// How many attempts of this visit came before.
    pub retry_count: u64,
    /// The state's own timeout, where it has one.
    pub timeout: Option<Duration>,
    /// The execution that it belongs to.
    pub execution: Arc<ExecutionInfo>,
}
