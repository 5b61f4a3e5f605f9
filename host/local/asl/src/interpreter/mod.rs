//! Runs states: what goes into one, what comes out, where it leads, and what is done when it fails.

mod data;
mod fan_out;
mod task;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::clock::{self, Clock};
use crate::error::{StateError, names};
use crate::execution::ExecutionInfo;
use crate::history::{Cursor, Detail, History, StateType};
use crate::limits::fits;
use crate::model::{Flow, Kind, Next, Recovery, Setting, State, StateMachine, Wait, Words};
use crate::path::Scope;
use crate::retry::Attempts;
use crate::task::Resources;
use crate::tokens::TokenBoard;

/// How many states may run in a row without letting others run.
const STATES_AT_ONCE: usize = 64;

/// Everything that the states of one execution share.
pub(crate) struct Run {
    pub machine: Arc<StateMachine>,
    pub info: Arc<ExecutionInfo>,
    pub resources: Arc<dyn Resources>,
    pub tokens: TokenBoard,
    pub history: Arc<History>,
    pub clock: Clock,
}

/// One line of control: the machine's own, a branch's or an iteration's.
#[derive(Clone, Default)]
pub(crate) struct Branch {
    pub cursor: Cursor,
    /// `$$.Map.Item`, within an iteration.
    pub item: Option<Arc<Value>>,
}

/// One visit to a state.
pub(crate) struct Visit<'a> {
    pub state: &'a State,
    pub branch: &'a Branch,
    /// The state's input, before anything was done to it.
    pub input: &'a Value,
    /// The event that entered it.
    pub entered: u64,
    pub entered_at: OffsetDateTime,
}

/// What a state gives, and where it leads.
type Exit = (Value, Next);

/// Records that a state was left open, when its future is dropped.
struct Open<'a> {
    history: &'a History,
    cursor: &'a Cursor,
    state: Option<StateType>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(state @ (StateType::Task | StateType::Wait | StateType::Parallel | StateType::Map)) = self.state {
            self.history.record(self.cursor, Detail::StateAborted { state });
        }
    }
}

impl Run {
    /// Runs the machine. `cursor` follows the outermost line of control.
    pub async fn execute(&self, cursor: &Cursor) -> Result<Value, StateError> {
        let branch = Branch { cursor: cursor.clone(), item: None };
        self.flow(&self.machine.flow, self.info.input.clone(), &branch).await
    }

    /// Runs a flow to its end.
    pub fn flow<'a>(
        &'a self,
        flow: &'a Flow,
        input: Value,
        branch: &'a Branch,
    ) -> BoxFuture<'a, Result<Value, StateError>> {
        async move {
            let missing = |name: &str| StateError::runtime(format!("There is no state '{name}'."));
            let mut state = flow.states.get(&flow.start_at).ok_or_else(|| missing(&flow.start_at))?;
            let mut input = input;
            for visits in 1_usize.. {
                let (output, next) = self.state(state, &input, branch).await?;
                let Next::State(next) = next else {
                    return Ok(output);
                };
                state = flow.states.get(&next).ok_or_else(|| missing(&next))?;
                input = output;
                // A loop of states that take no time must neither starve the others nor outlive a stop.
                if visits.is_multiple_of(STATES_AT_ONCE) {
                    tokio::task::yield_now().await;
                }
            }
            Err(StateError::runtime("The flow has no end."))
        }
        .boxed()
    }

    async fn state(&self, state: &State, input: &Value, branch: &Branch) -> Result<Exit, StateError> {
        if let Some(cause) = self.history.full() {
            return Err(StateError::reported(names::RUNTIME, Some(cause)));
        }
        let kind = state.kind.state_type();
        let detail = Detail::StateEntered { state: kind, name: state.name.clone(), input: input.clone() };
        let entered = self.history.record(&branch.cursor, detail);
        let mut open = Open { history: &self.history, cursor: &branch.cursor, state: Some(kind) };
        let visit = Visit { state, branch, input, entered, entered_at: self.clock.now() };
        let result = self.work(&visit).await;
        open.state = None;
        let (output, next) = result.map_err(|error| error.in_state(&state.name, entered))?;
        let detail = Detail::StateExited { state: kind, name: state.name.clone(), output: output.clone() };
        self.history.record(&branch.cursor, detail);
        Ok((output, next))
    }

    async fn work(&self, visit: &Visit<'_>) -> Result<Exit, StateError> {
        let next = visit.state.next.clone();
        let output = match &visit.state.kind {
            Kind::Task(task) => return self.recover(visit, &task.recovery, None).await,
            Kind::Parallel { recovery, .. } => {
                return self.recover(visit, recovery, Some(Detail::ParallelStateFailed)).await;
            }
            Kind::Map(map) => {
                return self.recover(visit, &map.recovery, Some(Detail::MapStateFailed)).await;
            }
            Kind::Pass(pass) => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let result = match (&pass.result, &pass.parameters) {
                    (Some(result), _) => result.clone(),
                    (None, Some(template)) => template.evaluate(Scope { input: &input, context: &context })?,
                    (None, None) => input,
                };
                data::output(visit, &pass.result_path, result, &context)?
            }
            Kind::Choice { rules, default } => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let scope = Scope { input: &input, context: &context };
                let mut next = default.as_ref();
                for (rule, target) in rules {
                    if rule.holds(scope)? {
                        next = Some(target);
                        break;
                    }
                }
                let next = Next::State(next.ok_or_else(StateError::no_choice)?.clone());
                let output = data::filter(&visit.state.output_path, &input, &context)?;
                return Ok((data::limit(output, &visit.state.name)?, next));
            }
            Kind::Wait(wait) => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                tokio::time::sleep(self.wait(wait, Scope { input: &input, context: &context })?).await;
                data::filter(&visit.state.output_path, &input, &context)?
            }
            Kind::Succeed => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                data::filter(&visit.state.output_path, &input, &context)?
            }
            Kind::Fail { error, cause } => {
                let context = self.context(visit, 0, None);
                let scope = Scope { input: visit.input, context: &context };
                let error = error.as_ref().map(|words| say(words, scope)).transpose()?.unwrap_or_default();
                let cause = cause.as_ref().map(|words| say(words, scope)).transpose()?;
                return Err(StateError::reported(error, cause));
            }
        };
        Ok((data::limit(output, &visit.state.name)?, next))
    }

    /// Runs a state that may fail: again as its Retry says, and then as its Catch says. `failed` is recorded when the
    /// failure stands.
    async fn recover(
        &self,
        visit: &Visit<'_>,
        recovery: &Recovery,
        failed: Option<Detail>,
    ) -> Result<Exit, StateError> {
        let mut attempts = Attempts::new(&recovery.retry);
        let error = loop {
            let error = match self.attempt(visit, attempts.count()).await {
                Ok(output) => return Ok((output, visit.state.next.clone())),
                Err(error) => error.in_state(&visit.state.name, visit.entered),
            };
            match attempts.next(&error) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => break error,
            }
        };
        if let Some(failed) = failed {
            self.history.record(&visit.branch.cursor, failed);
        }
        let caught = recovery.catch.iter().find_map(|catcher| Some((catcher, catcher.errors.matching(&error)?)));
        let Some((catcher, name)) = caught else {
            return Err(error);
        };
        // A documented name by which it was caught is the name that the next state expects.
        let alias = error.aliases.iter().find(|alias| **alias == name && name != names::BRANCH_FAILED);
        let name = alias.map_or(error.error.as_str(), |alias| alias);
        let result = json!({"Error": name, "Cause": error.cause.as_deref().unwrap_or_default()});
        let output = data::place(&catcher.result_path, visit.input, result)?;
        Ok((data::limit(output, &visit.state.name)?, Next::State(catcher.next.clone())))
    }

    async fn attempt(&self, visit: &Visit<'_>, retries: u64) -> Result<Value, StateError> {
        let (shape, result, context) = match &visit.state.kind {
            Kind::Task(task) => {
                let (result, context) = self.task(visit, task, retries).await?;
                (&task.shape, result, context)
            }
            Kind::Parallel { branches, shape, .. } => {
                let context = self.context(visit, retries, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let input = data::parameters(shape.parameters.as_ref(), input, &context, &visit.state.name)?;
                (shape.as_ref(), self.parallel(branches, input, visit.branch).await?, context)
            }
            Kind::Map(map) => {
                let context = self.context(visit, retries, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                (&map.shape, self.map(visit, map, &input, &context).await?, context)
            }
            _ => return Err(StateError::runtime("The state cannot be attempted.")),
        };
        if !fits(&result) {
            return Err(StateError::data_limit(&visit.state.name));
        }
        let result = match &shape.result_selector {
            Some(template) => template.evaluate(Scope { input: &result, context: &context })?,
            None => result,
        };
        let output = data::output(visit, &shape.result_path, result, &context)?;
        data::limit(output, &visit.state.name)
    }

    fn wait(&self, wait: &Wait, scope: Scope<'_>) -> Result<Duration, StateError> {
        match wait {
            Wait::Seconds(setting) => data::wait_seconds(setting, scope).map(Duration::from_secs),
            Wait::Until(Setting::Value(date)) => Ok(self.clock.until(*date)),
            Wait::Until(Setting::Path(path)) => {
                let value = data::look_up(path, "TimestampPath", scope)?;
                let date = value.as_str().and_then(clock::parse).ok_or_else(|| {
                    StateError::runtime(format!(
                        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {} == {}",
                        path.text(),
                        data::plain(&value)
                    ))
                })?;
                Ok(self.clock.until(date))
            }
        }
    }

    /// The context object, `$$`.
    pub fn context(&self, visit: &Visit<'_>, retries: u64, token: Option<&str>) -> Value {
        let info = &self.info;
        let mut context = json!({
            "Execution": {
                "Id": info.arn, "Input": info.input, "Name": info.name, "RoleArn": info.role_arn,
                "StartTime": clock::text(info.started_at), "RedriveCount": 0
            },
            "State": {
                "EnteredTime": clock::text(visit.entered_at), "Name": visit.state.name, "RetryCount": retries
            },
            "StateMachine": {"Id": info.state_machine_arn, "Name": info.state_machine_name}
        });
        if let Some(fields) = context.as_object_mut() {
            if let Some(item) = &visit.branch.item {
                fields.insert("Map".into(), json!({"Item": item.as_ref()}));
            }
            if let Some(token) = token {
                fields.insert("Task".into(), json!({"Token": token}));
            }
        }
        context
    }
}

/// The text of a Fail state's `Error` or `Cause`.
fn say(words: &Words, scope: Scope<'_>) -> Result<String, StateError> {
    match words {
        Words::Text(text) => Ok(text.clone()),
        Words::Computed { expression, field } => match data::compute(expression, field, scope)? {
            Value::String(text) => Ok(text),
            other => Err(StateError::runtime(format!("The '{field}' field must give a string but gave {other}."))),
        },
    }
}

#[cfg(test)]
mod tests;
