//! Running states: input, output, transition, retry and catch.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::data;
use super::run::{Branch, Run, Visit};
use crate::definition::model::{Flow, Next, Recovery, State, StateKind};
use crate::definition::retry::Attempts;
use crate::definition::state_type::StateType;
use crate::error::{StateError, names};
use crate::expressions::path::Scope;
use crate::history::event::Detail;
use crate::history::log::{Cursor, History};
use crate::limits::fits;

/// The number of states that may run in a row before other tasks get a turn.
const STATES_AT_ONCE: usize = 64;

/// A state's output and the transition that follows.
type StateOutput = (Value, Next);

/// Records `…StateAborted` if the future of the state is dropped before the state ends.
struct OpenState<'a> {
    history: &'a History,
    cursor: &'a Cursor,
    state: Option<StateType>,
}

impl Drop for OpenState<'_> {
    fn drop(&mut self) {
        if let Some(state @ (StateType::Task | StateType::Wait | StateType::Parallel | StateType::Map)) = self.state {
            self.history.record(self.cursor, Detail::StateAborted { state });
        }
    }
}

/// Runs the machine. `cursor` follows the outermost flow.
///
/// # Errors
/// The failure of the execution.
pub(crate) async fn execute(run: &Run, cursor: &Cursor) -> Result<Value, StateError> {
    let branch = Branch { cursor: cursor.clone(), item: None };
    run_flow(run, &run.machine.flow, run.info.input.clone(), &branch).await
}

/// Runs a flow to its end.
fn run_flow<'a>(
    run: &'a Run,
    flow: &'a Flow,
    input: Value,
    branch: &'a Branch,
) -> BoxFuture<'a, Result<Value, StateError>> {
    async move {
        let missing = |name: &str| StateError::runtime(format!("There is no state '{name}'."));
        let mut state = flow.states.get(&flow.start_at).ok_or_else(|| missing(&flow.start_at))?;
        let mut input = input;
        for visits in 1_usize.. {
            let (output, next) = run.state(state, &input, branch).await?;
            let Next::State(next) = next else {
                return Ok(output);
            };
            state = flow.states.get(&next).ok_or_else(|| missing(&next))?;
            input = output;
            // A loop of states that take no time must let other tasks run and must see a stop.
            if visits.is_multiple_of(STATES_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        Err(StateError::runtime("The flow has no end."))
    }
    .boxed()
}

impl Run {
    /// Enters a state, runs it and leaves it.
    async fn state(&self, state: &State, input: &Value, branch: &Branch) -> Result<StateOutput, StateError> {
        if let Some(cause) = self.history.full() {
            return Err(StateError::reported(names::RUNTIME, Some(cause)));
        }
        let kind = state.kind.state_type();
        let detail = Detail::StateEntered { state: kind, name: state.name.clone(), input: input.clone() };
        let entered = self.history.record(&branch.cursor, detail);
        let mut open = OpenState { history: &self.history, cursor: &branch.cursor, state: Some(kind) };
        let visit = Visit { state, branch, input, entered, entered_at: self.clock.now() };
        let result = self.work(&visit).await;
        open.state = None;
        let (output, next) = result.map_err(|error| error.in_state(&state.name, entered))?;
        let detail = Detail::StateExited { state: kind, name: state.name.clone(), output: output.clone() };
        self.history.record(&branch.cursor, detail);
        Ok((output, next))
    }

    /// Runs a state that has been entered.
    async fn work(&self, visit: &Visit<'_>) -> Result<StateOutput, StateError> {
        let next = visit.state.next.clone();
        let output = match &visit.state.kind {
            StateKind::Task(task) => return self.attempts(visit, &task.recovery, None).await,
            StateKind::Parallel { recovery, .. } => {
                return self.attempts(visit, recovery, Some(Detail::ParallelStateFailed)).await;
            }
            StateKind::Map(map) => {
                return self.attempts(visit, &map.recovery, Some(Detail::MapStateFailed)).await;
            }
            StateKind::Pass(pass) => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let result = match (&pass.result, &pass.parameters) {
                    (Some(result), _) => result.clone(),
                    (None, Some(template)) => template.evaluate(Scope { input: &input, context: &context })?,
                    (None, None) => input,
                };
                data::output(&visit.state.output_path, &pass.result_path, visit.input, result, &context)?
            }
            StateKind::Choice { rules, default } => {
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
            StateKind::Wait(wait) => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let scope = Scope { input: &input, context: &context };
                tokio::time::sleep(data::wait_time(wait, scope, &self.clock)?).await;
                data::filter(&visit.state.output_path, &input, &context)?
            }
            StateKind::Succeed => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                data::filter(&visit.state.output_path, &input, &context)?
            }
            StateKind::Fail { error, cause } => {
                let context = self.context(visit, 0, None);
                let scope = Scope { input: visit.input, context: &context };
                let error = error.as_ref().map(|text| data::fail_text(text, scope)).transpose()?.unwrap_or_default();
                let cause = cause.as_ref().map(|text| data::fail_text(text, scope)).transpose()?;
                return Err(StateError::reported(error, cause));
            }
        };
        Ok((data::limit(output, &visit.state.name)?, next))
    }

    /// Attempts a state until it succeeds or its retries are used up, and then applies its Catch. `failed` is the event
    /// to record if the last attempt failed.
    async fn attempts(
        &self,
        visit: &Visit<'_>,
        recovery: &Recovery,
        failed: Option<Detail>,
    ) -> Result<StateOutput, StateError> {
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
        // If the Catch names the error by a documented alias, the next state expects that alias.
        let alias = error.aliases.iter().find(|alias| **alias == name && name != names::BRANCH_FAILED);
        let name = alias.map_or(error.error.as_str(), |alias| alias);
        let result = json!({"Error": name, "Cause": error.cause.as_deref().unwrap_or_default()});
        let output = data::place(&catcher.result_path, visit.input, result)?;
        Ok((data::limit(output, &visit.state.name)?, Next::State(catcher.next.clone())))
    }

    /// Makes one attempt of a Task, Parallel or Map state.
    async fn attempt(&self, visit: &Visit<'_>, retries: u64) -> Result<Value, StateError> {
        let (flow, result, context) = match &visit.state.kind {
            StateKind::Task(task) => {
                let (result, context) = self.task(visit, task, retries).await?;
                (&task.data, result, context)
            }
            StateKind::Parallel { branches, data: flow, .. } => {
                let context = self.context(visit, retries, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let input = data::parameters(flow.parameters.as_ref(), input, &context, &visit.state.name)?;
                (flow.as_ref(), self.parallel(branches, input, visit.branch, run_flow).await?, context)
            }
            StateKind::Map(map) => {
                let context = self.context(visit, retries, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                (&map.data, self.map(visit, map, &input, &context, run_flow).await?, context)
            }
            _ => return Err(StateError::runtime("The state cannot be attempted.")),
        };
        if !fits(&result) {
            return Err(StateError::data_limit(&visit.state.name));
        }
        let result = match &flow.result_selector {
            Some(template) => template.evaluate(Scope { input: &result, context: &context })?,
            None => result,
        };
        let output = data::output(&visit.state.output_path, &flow.result_path, visit.input, result, &context)?;
        data::limit(output, &visit.state.name)
    }
}
