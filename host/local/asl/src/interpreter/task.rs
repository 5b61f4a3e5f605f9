//! One attempt of a Task state: the call, the token, the clocks that bound them.

use std::future::pending;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Run, Visit, data};
use crate::error::{StateError, TaskError, names};
use crate::history::{Cursor, Detail};
use crate::limits::{SECONDS, fits};
use crate::model::Task;
use crate::path::Scope;
use crate::resource::{Pattern, Resource};
use crate::task::TaskCall;
use crate::tokens::{Answer, Ticket};

impl Run {
    /// The result, and the context object that goes with it.
    pub(super) async fn task(
        &self,
        visit: &Visit<'_>,
        task: &Task,
        retries: u64,
    ) -> Result<(Value, Value), StateError> {
        let ticket = (task.resource.pattern() == Pattern::WaitForTaskToken).then(|| self.tokens.issue());
        let token = ticket.as_ref().map(|ticket| ticket.token().to_owned());
        let context = self.context(visit, retries, token.as_deref());
        let input = data::filter(&visit.state.input_path, visit.input, &context)?;
        let scope = Scope { input: &input, context: &context };
        let setting = |setting: &Option<_>, field| {
            setting.as_ref().map(|setting| data::whole(setting, field, 1, scope)).transpose()
        };
        let limit = setting(&task.timeout, "TimeoutSecondsPath")?;
        let heartbeat = setting(&task.heartbeat, "HeartbeatSecondsPath")?;
        let parameters = data::parameters(task.shape.parameters.as_ref(), input, &context, &visit.state.name)?;

        let resource = &task.resource;
        let cursor = &visit.branch.cursor;
        let scheduled = Detail::TaskScheduled {
            resource: resource.clone(),
            region: self.info.region().to_owned(),
            parameters: parameters.clone(),
            timeout: limit,
            heartbeat,
        };
        self.history.record(cursor, scheduled);
        self.history.record(cursor, Detail::TaskStarted { resource: resource.clone() });
        let call = TaskCall {
            resource: resource.clone(),
            parameters,
            task_token: token,
            state: visit.state.name.clone(),
            retry_count: retries,
            timeout: limit.map(Duration::from_secs),
            execution: self.info.clone(),
        };
        // Only a task that waits for a token can give signs of life.
        let beats = ticket.as_ref().map(Ticket::beats).zip(heartbeat.map(Duration::from_secs));
        let result = tokio::select! {
            biased;
            result = self.run_call(call, ticket, resource, cursor) => result,
            () = silence(beats) => Err(StateError::heartbeat()),
            () = sleep(Duration::from_secs(limit.unwrap_or(SECONDS))) => Err(StateError::timeout()),
        };
        let result = result.and_then(|result| match fits(&result) {
            true => Ok(result),
            false => Err(StateError::data_limit(match resource {
                Resource::LambdaFunction { arn } => arn,
                Resource::Service { service, .. } => service,
            })),
        });
        let resource = resource.clone();
        match result {
            Ok(output) => {
                self.history.record(cursor, Detail::TaskSucceeded { resource, output: output.clone() });
                Ok((output, context))
            }
            Err(error) => {
                let (name, cause) = (error.error.clone(), error.cause.clone());
                let detail = match error.is_timeout() {
                    true => Detail::TaskTimedOut { resource, error: name, cause },
                    false => Detail::TaskFailed { resource, error: name, cause },
                };
                self.history.record(cursor, detail);
                Err(error)
            }
        }
    }

    /// The call, and then the answer for which it waits.
    async fn run_call(
        &self,
        call: TaskCall,
        ticket: Option<Ticket>,
        resource: &Resource,
        cursor: &Cursor,
    ) -> Result<Value, StateError> {
        let submitted = self.resources.call(call).await;
        let Some(mut ticket) = ticket else {
            return Ok(submitted?);
        };
        let answer = match submitted {
            Ok(output) => {
                self.history.record(cursor, Detail::TaskSubmitted { resource: resource.clone(), output });
                ticket.answer().await
            }
            // Whoever was called may have answered before it failed: then the answer counts.
            Err(error) => ticket.answered().ok_or(error)?,
        };
        match answer {
            Answer::Success(value) => Ok(value),
            Answer::Failure { error, cause } => {
                let error = error.unwrap_or_else(|| names::TASK_FAILED.to_owned());
                Err(TaskError { error, cause }.into())
            }
        }
    }
}

/// Returns when no heartbeat came for the given time. Never, once the token is answered.
async fn silence(beats: Option<(watch::Receiver<u64>, Duration)>) {
    let Some((mut beats, most)) = beats else {
        return pending().await;
    };
    loop {
        match timeout(most, beats.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return pending().await,
            Err(_) => return,
        }
    }
}
