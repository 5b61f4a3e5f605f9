//! Running states: input, output, transition, retry and catch.

use std::borrow::Cow;
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::data;
use super::run::{Branch, FlowOutput, Run, Visit};
use crate::definition::model::{Flow, Next, Recovery, State, StateKind};
use crate::definition::retry::Attempts;
use crate::error::{StateError, names};
use crate::expressions::path::Scope;
use crate::history::event::Detail;
use crate::history::log::Cursor;
use crate::history::text::JsonText;
use crate::limits;

/// A state that took this long uses as much of a task's turn as two states that took no time.
const SHARE_MICROS: u128 = 100;
/// The most states in a row that one use of a turn can stand for; a turn has 128.
const MOST_SHARES: u128 = 128;

/// A state's output.
enum Output {
    /// The state's input, unchanged.
    Input,
    Value(Value),
}

/// A state's output and the transition that follows.
type StateOutput = (Output, Next);

impl Output {
    fn of(value: Cow<'_, Value>, input: &Value) -> Self {
        match value {
            Cow::Borrowed(same) if std::ptr::eq(same, input) => Self::Input,
            other => Self::Value(other.into_owned()),
        }
    }
}

/// Uses up a part of the task's turn, so that a loop of states that take no time, or a few that compute for long, let
/// other tasks run and see a stop. All branches of an execution share the turn.
pub(super) async fn yield_fairly(begun: Instant) {
    for _ in 0..=(begun.elapsed().as_micros() / SHARE_MICROS).min(MOST_SHARES) {
        tokio::task::coop::consume_budget().await;
    }
}

/// Runs the machine. `cursor` follows the outermost flow.
///
/// # Errors
/// The failure of the execution.
pub(crate) async fn execute(run: &Run, cursor: &Cursor) -> Result<FlowOutput, StateError> {
    let branch = Branch { cursor: cursor.clone(), ..Branch::default() };
    run_flow(run, &run.machine.flow, run.info.input.clone(), &branch).await
}

/// Runs a flow to its end.
fn run_flow<'a>(
    run: &'a Run,
    flow: &'a Flow,
    input: Value,
    branch: &'a Branch,
) -> BoxFuture<'a, Result<FlowOutput, StateError>> {
    async move {
        let missing = |name: &str| StateError::runtime(format!("There is no state '{name}'."));
        let mut state = flow.states.get(&flow.start_at).ok_or_else(|| missing(&flow.start_at))?;
        let mut text = JsonText::of(&input);
        let mut value = input;
        loop {
            let begun = Instant::now();
            let (output, after, next) = run.state(state, &value, &text, branch).await?;
            if let Output::Value(output) = output {
                value = output;
            }
            text = after;
            let Next::State(next) = next else {
                return Ok(FlowOutput { value, text });
            };
            state = flow.states.get(&next).ok_or_else(|| missing(&next))?;
            yield_fairly(begun).await;
        }
    }
    .boxed()
}

impl Run {
    /// Enters a state, runs it and leaves it. `text` is that of the input; returns that of the output.
    async fn state(
        &self,
        state: &State,
        input: &Value,
        text: &JsonText,
        branch: &Branch,
    ) -> Result<(Output, JsonText, Next), StateError> {
        if let Some(cause) = self.history.full() {
            return Err(StateError::reported(names::RUNTIME, Some(cause)));
        }
        let kind = state.kind.state_type();
        let detail = Detail::StateEntered { state: kind, name: state.name.clone(), input: text.clone() };
        let entered = self.history.record(&branch.cursor, detail);
        branch.progress.enter(kind);
        let visit = Visit { state, branch, input, entered, entered_at: self.clock.now() };
        let result = self.work(&visit).await;
        let in_state = |error: StateError| error.in_state(&state.name, entered);
        let (output, next) = result.map_err(in_state)?;
        let after = match &output {
            Output::Input => text.clone(),
            Output::Value(value) => {
                let text = limits::text(value).map_err(|excess| StateError::excess(excess, &state.name));
                text.map_err(in_state)?.into()
            }
        };
        branch.progress.leave();
        let detail = Detail::StateExited { state: kind, name: state.name.clone(), output: after.clone() };
        self.history.record(&branch.cursor, detail);
        Ok((output, after, next))
    }

    /// Runs a state that has been entered.
    async fn work(&self, visit: &Visit<'_>) -> Result<StateOutput, StateError> {
        let next = visit.state.next.clone();
        let keep = |output: Cow<'_, Value>| Output::of(output, visit.input);
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
                    (Some(result), _) => Cow::Borrowed(result),
                    (None, Some(template)) => {
                        Cow::Owned(template.evaluate(Scope { input: &input, context: &context })?)
                    }
                    (None, None) => input,
                };
                keep(data::output(&visit.state.output_path, &pass.result_path, visit.input, result, &context)?)
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
                return Ok((keep(data::filter(&visit.state.output_path, &input, &context)?), next));
            }
            StateKind::Wait(wait) => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let scope = Scope { input: &input, context: &context };
                tokio::time::sleep(data::wait_time(wait, scope, &self.clock)?).await;
                keep(data::filter(&visit.state.output_path, &input, &context)?)
            }
            StateKind::Succeed => {
                let context = self.context(visit, 0, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                keep(data::filter(&visit.state.output_path, &input, &context)?)
            }
            StateKind::Fail { error, cause } => {
                let context = self.context(visit, 0, None);
                let scope = Scope { input: visit.input, context: &context };
                let error = error.as_ref().map(|text| data::fail_text(text, scope)).transpose()?.unwrap_or_default();
                let cause = cause.as_ref().map(|text| data::fail_text(text, scope)).transpose()?;
                return Err(StateError::reported(error, cause));
            }
        };
        Ok((output, next))
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
                Ok(output) => return Ok((Output::Value(output), visit.state.next.clone())),
                Err(error) => error.in_state(&visit.state.name, visit.entered),
            };
            match attempts.next(&error) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => break error,
            }
        };
        // A failure of the machine itself leaves no event of the states that contain it.
        if let Some(failed) = failed.filter(|_| !error.is_runtime()) {
            self.history.record(&visit.branch.cursor, failed);
        }
        let caught = recovery.catch.iter().find_map(|catcher| Some((catcher, catcher.errors.matching(&error)?)));
        let Some((catcher, name)) = caught else {
            return Err(error);
        };
        // If the Catch names the error by a documented alias, the next state expects that alias.
        let alias = error.aliases.iter().find(|alias| **alias == name && name != names::BRANCH_FAILED);
        let name = alias.map_or(error.error.as_str(), |alias| alias);
        let missing = if error.nulls { Value::Null } else { "".into() };
        let field = |text: Option<&str>| text.map_or(missing.clone(), Value::from);
        let name = Some(name).filter(|name| !name.is_empty());
        let result = json!({"Error": field(name), "Cause": field(error.cause.as_deref())});
        let output = data::place(&catcher.result_path, visit.input, Cow::Owned(result))?;
        Ok((Output::of(output, visit.input), Next::State(catcher.next.clone())))
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
                (flow.as_ref(), self.parallel(branches, input, visit, run_flow).await?, context)
            }
            StateKind::Map(map) => {
                let context = self.context(visit, retries, None);
                let input = data::filter(&visit.state.input_path, visit.input, &context)?;
                let items = self.map(visit, map, &input, &context, run_flow).await?;
                drop(input);
                (&map.data, items, context)
            }
            _ => return Err(StateError::runtime("The state cannot be attempted.")),
        };
        let result = data::limit(result, &visit.state.name)?;
        let result = Cow::Owned(match &flow.result_selector {
            Some(template) => template.evaluate(Scope { input: &result, context: &context })?,
            None => result,
        });
        let output = data::output(&visit.state.output_path, &flow.result_path, visit.input, result, &context)?;
        data::limit(output.into_owned(), &visit.state.name)
    }
}
