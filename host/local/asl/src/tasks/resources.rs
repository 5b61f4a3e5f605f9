//! The trait behind which Task states call services.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::execution_info::ExecutionInfo;
use super::storage::ItemStorage;
use crate::definition::resource::Resource;
use crate::error::TaskError;

/// The services that Task states can call. The owner of the machines implements it.
#[async_trait]
pub trait Resources: Send + Sync + 'static {
    /// Checks whether Task states may use this resource. Called when a machine is loaded.
    ///
    /// # Errors
    /// [`Unsupported`], whose reason becomes a finding with the state's name.
    fn supports(&self, resource: &Resource) -> Result<(), Unsupported>;

    /// Calls the resource and returns the task's result in the form of the integration (`lambda:invoke` returns
    /// `{"Payload": …, "StatusCode": 200, …}`). With `.waitForTaskToken` it is only the acknowledgement; the result
    /// comes with the token.
    ///
    /// The future is dropped when the state times out or the execution is stopped. It shares a task with the other
    /// branches, so long computations must run on another thread.
    ///
    /// # Errors
    /// [`TaskError`], whose name Retry and Catch compare: `Lambda.Unknown`, `Stage.Corrupt`.
    async fn call(&self, call: TaskCall) -> Result<Value, TaskError>;

    /// Returns the storage that distributed Map states read items from and write results to. Without one, machines that
    /// need it are refused.
    fn storage(&self) -> Option<Arc<dyn ItemStorage>> {
        None
    }
}

/// Why a resource cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unsupported {
    /// A sentence: what is missing, and what is available.
    pub reason: String,
}

/// One attempt of a Task state.
#[derive(Clone, Debug)]
pub struct TaskCall {
    /// The resource to call.
    pub resource: Resource,
    /// The payload: the state's input after `Parameters`.
    pub parameters: Value,
    /// The token that ends the state, if it waits for one.
    pub task_token: Option<String>,
    /// The state's name.
    pub state: String,
    /// The number of earlier attempts.
    pub retry_count: u64,
    /// The state's timeout, if it has one.
    pub timeout: Option<Duration>,
    /// The execution.
    pub execution: Arc<ExecutionInfo>,
}
