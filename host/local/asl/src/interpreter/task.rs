//! One attempt of a Task state: call, token, timeout and heartbeat.

use std::future::pending;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::data;
use super::query::{Prepared, role};
use super::run::{Around, Run, Visit};
use crate::definition::model::Task;
use crate::definition::resource::{Pattern, Resource};
use crate::error::StateError;
use crate::expressions::context::Context;
use crate::history::event::Detail;
use crate::history::text::JsonText;
use crate::inspector::Inspector;
use crate::limits::{self, SECONDS};
use crate::tasks::resources::TaskCall;
use crate::tasks::tokens::{PendingToken, TokenAnswer};

impl Run {
    /// Makes the attempt. Returns the result and the context object.
    pub(super) async fn task<'a>(
        &'a self,
        visit: &'a Visit<'_>,
        task: &Task,
        retries: u64,
    ) -> Result<(Value, Context<'a>), StateError> {
        let pending = (task.resource.pattern() == Pattern::WaitForTaskToken).then(|| self.tokens.issue());
        let token = pending.as_ref().map(|pending| pending.token().to_owned());
        let context = self.context(visit, retries, token.as_deref());
        let Prepared { parameters, timeout: limit, heartbeat, role_arn } = match &visit.state.query {
            None => prepare(self, visit, task, visit.around(&context))?,
            Some(query) => self.query_prepare(visit, query, &self.bindings(visit, context.value().clone())).await?,
        };

        self.inspect_input(visit, &parameters);
        let resource = &task.resource;
        let cursor = &visit.branch.cursor;
        let scheduled = Detail::TaskScheduled {
            resource: resource.clone(),
            region: self.info.region().to_owned(),
            parameters: JsonText::of(&parameters),
            timeout: limit,
            heartbeat,
            role_arn,
        };
        if let Resource::Activity { arn } = resource
            && !self.activities.exists(arn)
            && self.inspector(visit).is_none()
        {
            return Err(StateError::runtime(format!("The activity {arn} does not exist.")));
        }
        self.history.record(cursor, scheduled);
        // On the service, all branches schedule their tasks before the first one starts.
        after_the_other_branches().await;
        if !matches!(resource, Resource::Activity { .. }) {
            self.history.record(cursor, Detail::TaskStarted { resource: resource.clone() });
        }
        let call = TaskCall {
            resource: resource.clone(),
            parameters,
            task_token: token,
            state: visit.state.name.clone(),
            retry_count: retries,
            timeout: limit.map(Duration::from_secs),
            execution: self.info.clone(),
        };
        // Only a task that waits for a token can send heartbeats.
        let heartbeats = pending.as_ref().map(PendingToken::heartbeats).zip(heartbeat.map(Duration::from_secs));
        // The task of an activity has them from when a worker takes it.
        let started = Notify::new();
        if !matches!(resource, Resource::Activity { .. }) {
            started.notify_one();
        }
        let result = tokio::select! {
            biased;
            result = self.run_call(call, pending, visit, &started) => result,
            () = heartbeat_missed(heartbeats, &started) => Err(StateError::heartbeat()),
            () = sleep(Duration::from_secs(limit.unwrap_or(SECONDS))) => Err(StateError::timeout()),
        };
        let result = result.and_then(|result| match limits::text(&result) {
            Ok(text) => Ok((result, JsonText::from(text))),
            Err(excess) => {
                let what = match resource {
                    Resource::LambdaFunction { arn } | Resource::Activity { arn } => arn,
                    Resource::Service { service, .. } => service,
                };
                Err(StateError::excess(excess, what))
            }
        });
        let resource = resource.clone();
        match result {
            Ok((output, text)) => {
                self.history.record(cursor, Detail::TaskSucceeded { resource, output: text });
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

    /// Calls the resource and, with a token, waits for the answer.
    async fn run_call(
        &self,
        call: TaskCall,
        mut pending: Option<PendingToken>,
        visit: &Visit<'_>,
        started: &Notify,
    ) -> Result<Value, StateError> {
        let cursor = &visit.branch.cursor;
        if let Some(mock) = self.inspector(visit).and_then(Inspector::mock) {
            return Ok(mock?);
        }
        let resource = call.resource.clone();
        if let (Resource::Activity { arn }, Some(pending)) = (&resource, &mut pending) {
            let taken = self.activities.schedule(arn, pending.token(), JsonText::of(&call.parameters));
            let gone = |_| StateError::runtime(format!("The activity {arn} does not exist."));
            let Ok(worker) = taken.map_err(gone)?.await else {
                return std::future::pending().await;
            };
            self.history.record(cursor, Detail::ActivityStarted { worker });
            started.notify_one();
            return finished(pending.answer().await);
        }
        let submitted = self.resources.call(call).await;
        let Some(mut pending) = pending else {
            return Ok(submitted?);
        };
        let answer = match submitted {
            Ok(output) => {
                let output = JsonText::of(&output);
                self.history.record(cursor, Detail::TaskSubmitted { resource, output });
                pending.answer().await
            }
            // The called service may have answered the token before it failed: then the answer counts.
            Err(error) => pending.answered().ok_or(error)?,
        };
        finished(answer)
    }
}

/// Returns the result that a caller reported for a token.
fn finished(answer: TokenAnswer) -> Result<Value, StateError> {
    match answer {
        TokenAnswer::Success(value) => Ok(value),
        TokenAnswer::Failure { error, cause } => Err(StateError::answered(error, cause)),
    }
}

/// Computes what a JSONPath state calls its resource with.
fn prepare(run: &Run, visit: &Visit<'_>, task: &Task, around: Around<'_>) -> Result<Prepared, StateError> {
    let input = data::filter(&visit.state.input_path, visit.input, around)?;
    run.inspect(visit, "afterInputPath", &input);
    let scope = around.scope(&input);
    let setting =
        |setting: &Option<_>, field| setting.as_ref().map(|setting| data::whole(setting, field, 1, scope)).transpose();
    let timeout = setting(&task.timeout, "TimeoutSecondsPath")?;
    let heartbeat = setting(&task.heartbeat, "HeartbeatSecondsPath")?;
    let credentials = task.credentials.as_ref().map(|template| template.evaluate(scope)).transpose()?;
    let parameters = data::parameters(task.data.parameters.as_ref(), input, around, &visit.state.name)?;
    Ok(Prepared { parameters, timeout, heartbeat, role_arn: credentials.as_ref().and_then(role) })
}

/// Returns when the task has started and no heartbeat has arrived for the given time. Does not return once the token is
/// answered.
async fn heartbeat_missed(heartbeats: Option<(watch::Receiver<u64>, Duration)>, started: &Notify) {
    let Some((mut heartbeats, most)) = heartbeats else {
        return pending().await;
    };
    started.notified().await;
    loop {
        match timeout(most, heartbeats.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return pending().await,
            Err(_) => return,
        }
    }
}

/// Lets the other branches and iterations go on first, each as far as here, in their order. (`tokio::task::yield_now` wakes in the
/// reverse order.)
async fn after_the_other_branches() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
