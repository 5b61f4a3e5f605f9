//! Running states: input, output, transition, retry and catch.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use time::OffsetDateTime;

use super::data;
use super::flow_output::FlowOutput;
use super::query::error_output;
use super::resume::OpenState;
use super::run::{Branch, Left, Output, Run, Visit};
use super::variables::Variables;
use crate::definition::model::{Flow, Next, Recovery, State, StateKind};
use crate::definition::retry::Attempts;
use crate::definition::settings::ResultPath;
use crate::error::{StateError, TaskError, names};
use crate::expressions::jsonata::engine::Bindings;
use crate::history::event::Detail;
use crate::history::log::Cursor;
use crate::history::text::JsonText;
use crate::inspector::{Handling, Inspector};
use crate::limits;

/// A state that took this long uses as much of a task's turn as two states that took no time.
const SHARE_MICROS: u128 = 100;
/// The most states in a row that one use of a turn can stand for; a turn has 128.
const MOST_SHARES: u128 = 128;

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
    let branch = Branch { cursor: cursor.clone(), place: run.place.clone(), ..Branch::default() };
    if let Some(inspector) = &run.inspector {
        branch.variables.set(&inspector.given().variables)?;
    }
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
        let resumed = branch.place.take_open();
        let name = resumed.as_ref().map_or(&flow.start_at, |open| &open.name);
        let mut state = flow.states.get(name).ok_or_else(|| missing(name))?;
        let (mut value, text) = match &resumed {
            Some(open) => (open.input.value(), open.input.clone()),
            None => {
                let text = JsonText::of(&input);
                (input, text)
            }
        };
        let mut position = Position { branch, state, text, entered: None, keep: false };
        let mut again = None;
        if let Some(open) = resumed {
            branch.variables.restore(open.variables);
            position.entered = open.entered;
            position.keep = true;
            again = open.entered.filter(|_| state.kind.has_attempts());
        }
        loop {
            let begun = Instant::now();
            let Position { text, entered, .. } = &mut position;
            let (output, after, next) = run.state(state, &value, text, branch, entered, again.take()).await?;
            if let Output::Value(output) = output {
                value = output;
            }
            position.text = after;
            branch.place.forget_inner();
            let Next::State(next) = next else {
                (position.entered, position.keep) = (None, false);
                return Ok(FlowOutput { value, text: position.text.clone() });
            };
            state = flow.states.get(&next).ok_or_else(|| missing(&next))?;
            (position.state, position.entered, position.keep) = (state, None, true);
            yield_fairly(begun).await;
        }
    }
    .boxed()
}

/// Where a flow is. If it is dropped before the flow has ended, the place of the branch keeps it.
struct Position<'a> {
    branch: &'a Branch,
    state: &'a State,
    /// The state's input.
    text: JsonText,
    entered: Option<(u64, OffsetDateTime)>,
    /// A state was left before.
    keep: bool,
}

impl Drop for Position<'_> {
    fn drop(&mut self) {
        if self.keep || self.entered.is_some() {
            let (name, input) = (self.state.name.clone(), self.text.clone());
            let (variables, entered) = (self.branch.variables.now(), self.entered);
            self.branch.place.stop(OpenState { name, input, variables, entered });
        }
    }
}

impl Run {
    /// Enters a state, runs it and leaves it. `text` is that of the input; returns that of the output. `again` is the
    /// event of a state that was entered before a redrive: it is not entered again.
    async fn state(
        &self,
        state: &State,
        input: &Value,
        text: &JsonText,
        branch: &Branch,
        position: &mut Option<(u64, OffsetDateTime)>,
        again: Option<(u64, OffsetDateTime)>,
    ) -> Result<(Output, JsonText, Next), StateError> {
        if let Some(cause) = self.history.full() {
            return Err(StateError::reported(names::RUNTIME, Some(cause)));
        }
        let kind = state.kind.state_type();
        let before = branch.cursor.get();
        let (entered, entered_at) = again.unwrap_or_else(|| {
            let detail = Detail::StateEntered { state: kind, name: state.name.clone(), input: text.clone() };
            branch.place.forget_inner();
            (self.history.record(&branch.cursor, detail), self.clock.now())
        });
        *position = Some((entered, entered_at));
        branch.progress.enter(kind);
        let variables = branch.variables.now();
        let visit = Visit { state, branch, input, entered, entered_at, before, variables: &variables };
        let result = self.work(&visit).await;
        let Left { output, next, assigned } = result.map_err(|error| self.reported(&visit, error))?;
        let after = match &output {
            Output::Input => text.clone(),
            Output::Value(value) => {
                let text = limits::text(value).map_err(|excess| StateError::excess(excess, &state.name));
                text.map_err(|error| self.reported(&visit, error))?.into()
            }
        };
        let assigned = self.keep(branch, &visit, assigned)?;
        if let Some(inspector) = self.inspector(&visit) {
            inspector.note_variables(&branch.variables.now());
        }
        branch.progress.leave();
        let detail = Detail::StateExited { state: kind, name: state.name.clone(), output: after.clone(), assigned };
        self.history.record(&branch.cursor, detail);
        Ok((output, after, next))
    }

    /// Adds the state to the failure's cause, and records `EvaluationFailed` if a JSONata field failed.
    fn reported(&self, visit: &Visit<'_>, error: StateError) -> StateError {
        // The test of a state reports a cause without the place.
        let mut error = match self.inspector(visit) {
            Some(_) => error.without_state(),
            None => error.in_state(&visit.state.name, visit.entered),
        };
        if let Some(evaluation) = error.evaluation.take() {
            let cursor = &visit.branch.cursor;
            // On the service, entering a state and evaluating its fields is one step: while nothing else happened, the
            // event points to the one before the state.
            if cursor.get() == visit.entered && !evaluation.late {
                cursor.set(visit.before);
            }
            let state = visit.state.name.clone();
            let (error, cause) = (error.error.clone(), error.cause.clone());
            self.history
                .record(cursor, Detail::EvaluationFailed { state, location: evaluation.location, error, cause });
        }
        error
    }

    /// Runs a state that has been entered.
    async fn work(&self, visit: &Visit<'_>) -> Result<Left, StateError> {
        let next = visit.state.next.clone();
        let assign = visit.state.assign.as_ref();
        if let (Some(query), false) = (&visit.state.query, visit.state.kind.has_attempts()) {
            return self.query_work(visit, query).await;
        }
        let unchanged = |output: Cow<'_, Value>| Output::of(output, visit.input);
        let (output, assigned) = match &visit.state.kind {
            StateKind::Task(task) => return self.attempts(visit, &task.recovery, None).await,
            StateKind::Parallel { recovery, .. } => {
                return self.attempts(visit, recovery, Some(Detail::ParallelStateFailed)).await;
            }
            StateKind::Map(map) => {
                return self.attempts(visit, &map.recovery, Some(Detail::MapStateFailed)).await;
            }
            StateKind::Pass(pass) => {
                let context = self.context(visit, 0, None);
                let around = visit.around(&context);
                let input = data::filter(&visit.state.input_path, visit.input, around)?;
                let result = match (&pass.result, &pass.parameters) {
                    (Some(result), _) => Cow::Borrowed(result),
                    (None, template) => {
                        self.inspect(visit, "afterInputPath", &input);
                        match template {
                            Some(template) => Cow::Owned(template.evaluate(around.scope(&input))?),
                            None => input,
                        }
                    }
                };
                let place = if pass.result.is_some() { "result" } else { "afterParameters" };
                self.inspect(visit, place, &result);
                let assigned = Self::assigned(assign, around.scope(&result))?;
                self.inspect_result(visit, &pass.result_path, &result);
                let path = &visit.state.output_path;
                (unchanged(data::output(path, &pass.result_path, visit.input, result, around)?), assigned)
            }
            StateKind::Choice { rules, default } => {
                let context = self.context(visit, 0, None);
                let around = visit.around(&context);
                let input = data::filter(&visit.state.input_path, visit.input, around)?;
                self.inspect(visit, "afterInputPath", &input);
                let scope = around.scope(&input);
                let mut chosen = (default.as_ref(), assign);
                for choice in rules {
                    if choice.rule.holds(scope)? {
                        chosen = (Some(&choice.next), choice.assign.as_ref());
                        break;
                    }
                }
                let next = Next::State(chosen.0.ok_or_else(StateError::no_choice)?.clone());
                let assigned = Self::assigned(chosen.1, scope)?;
                let output = unchanged(data::filter(&visit.state.output_path, &input, around)?);
                return Ok(Left { output, next, assigned });
            }
            StateKind::Wait(wait) => {
                let context = self.context(visit, 0, None);
                let around = visit.around(&context);
                let input = data::filter(&visit.state.input_path, visit.input, around)?;
                self.inspect(visit, "afterInputPath", &input);
                let scope = around.scope(&input);
                tokio::time::sleep(data::wait_time(wait, scope, &self.clock)?).await;
                let assigned = Self::assigned(assign, scope)?;
                (unchanged(data::filter(&visit.state.output_path, &input, around)?), assigned)
            }
            StateKind::Succeed => {
                let context = self.context(visit, 0, None);
                let around = visit.around(&context);
                let input = data::filter(&visit.state.input_path, visit.input, around)?;
                self.inspect(visit, "afterInputPath", &input);
                (unchanged(data::filter(&visit.state.output_path, &input, around)?), None)
            }
            StateKind::Fail { error, cause } => {
                let context = self.context(visit, 0, None);
                self.inspect(visit, "afterInputPath", visit.input);
                let scope = visit.around(&context).scope(visit.input);
                let error = error.as_ref().map(|text| data::fail_text(text, scope)).transpose()?.unwrap_or_default();
                let cause = cause.as_ref().map(|text| data::fail_text(text, scope)).transpose()?;
                return Err(StateError::reported(error, cause));
            }
        };
        Ok(Left { output, next, assigned })
    }

    /// Attempts a state until it succeeds or its retries are used up, and then applies its Catch. `failed` is the event
    /// to record if the last attempt failed.
    async fn attempts(
        &self,
        visit: &Visit<'_>,
        recovery: &Recovery,
        failed: Option<Detail>,
    ) -> Result<Left, StateError> {
        let before = self.inspector(visit).map_or(0, |inspector| inspector.given().retries);
        let mut attempts = Attempts::after(&recovery.retry, before);
        let error = loop {
            let error = match self.attempt(visit, before + attempts.count()).await {
                Ok((output, assigned)) => {
                    return Ok(Left { output: Output::Value(output), next: visit.state.next.clone(), assigned });
                }
                Err(error) => self.reported(visit, error),
            };
            if let (Some(inspector), Some((index, delay))) = (self.inspector(visit), attempts.planned(&error)) {
                inspector.note_handling(Handling::Retry { index, delay });
                return Err(error);
            }
            match attempts.next(&error) {
                Some(delay) => {
                    visit.branch.place.forget_inner();
                    tokio::time::sleep(delay).await;
                }
                None => break error,
            }
        };
        // A failure of the machine itself leaves no event of the states that contain it.
        let failed = failed.filter(|_| !error.is_runtime());
        let before_failed = visit.branch.cursor.get();
        if let Some(failed) = &failed {
            self.history.record(&visit.branch.cursor, failed.clone());
        }
        let mut entries = recovery.catch.iter().enumerate();
        let caught = entries.find_map(|(at, catcher)| Some((at, catcher, catcher.errors.matching(&error)?)));
        let Some((at, catcher, name)) = caught else {
            return Err(error);
        };
        if let Some(inspector) = self.inspector(visit) {
            let error = TaskError { error: error.error.clone(), cause: error.cause.clone() };
            inspector.note_handling(Handling::Catch { index: at, error });
        }
        // If the Catch names the error by a documented alias, the next state expects that alias.
        let alias = error.aliases.iter().find(|alias| **alias == name && name != names::BRANCH_FAILED);
        let name = alias.map_or(error.error.as_str(), |alias| alias);
        let result = error_output(&error, name);
        if visit.state.query.is_some() {
            let caught = self.query_caught(visit, at, catcher, result, attempts.count()).await;
            return match failed {
                // On the service, the Catch is evaluated where the state stood before it failed, and it fails again.
                Some(failed) => caught.map_err(|error| {
                    visit.branch.cursor.set(before_failed);
                    let error = self.reported(visit, error);
                    self.history.record(&visit.branch.cursor, failed);
                    error
                }),
                None => caught,
            };
        }
        let assigned = match &catcher.assign {
            None => None,
            assign => {
                let context = self.context(visit, attempts.count(), None);
                Self::assigned(assign.as_ref(), visit.around(&context).scope(&result))?
            }
        };
        let output = Output::of(data::place(&catcher.result_path, visit.input, Cow::Owned(result))?, visit.input);
        Ok(Left { output, next: Next::State(catcher.next.clone()), assigned })
    }

    /// Notes a result and what `ResultPath` makes of it, if the state is watched.
    fn inspect_result(&self, visit: &Visit<'_>, path: &ResultPath, result: &Value) {
        if let Some(inspector) = self.inspector(visit) {
            inspector.note("afterResultSelector", result);
            if let Ok(placed) = data::place(path, visit.input, Cow::Borrowed(result)) {
                inspector.note("afterResultPath", &placed);
            }
        }
    }

    /// Makes one attempt of a Task, Parallel or Map state.
    async fn attempt(&self, visit: &Visit<'_>, retries: u64) -> Result<(Value, Option<Variables>), StateError> {
        let (flow, result, context) = match &visit.state.kind {
            StateKind::Task(task) => {
                let (result, context) = self.task(visit, task, retries).await?;
                (&task.data, result, context)
            }
            StateKind::Parallel { branches, data: flow, .. } => {
                let context = self.context(visit, retries, None);
                let input = match &visit.state.query {
                    None => {
                        let around = visit.around(&context);
                        let input = data::filter(&visit.state.input_path, visit.input, around)?;
                        data::parameters(flow.parameters.as_ref(), input, around, &visit.state.name)?
                    }
                    Some(query) => {
                        self.query_arguments(visit, query, &self.bindings(visit, context.value().clone())).await?
                    }
                };
                self.inspect_input(visit, &input);
                let result = match self.inspector(visit).and_then(Inspector::mock) {
                    Some(mock) => mock?,
                    None => self.parallel(branches, input, visit, run_flow).await?,
                };
                (flow.as_ref(), result, context)
            }
            StateKind::Map(map) => {
                let context = self.context(visit, retries, None);
                let input = data::filter(&visit.state.input_path, visit.input, visit.around(&context))?;
                if visit.state.query.is_none() {
                    self.inspect(visit, "afterInputPath", &input);
                }
                let items = match self.inspector(visit) {
                    Some(inspector) => self.mocked_map(visit, map, &input, &context, inspector).await?,
                    None => self.map(visit, map, &input, &context, run_flow).await?,
                };
                drop(input);
                (&map.data, items, context)
            }
            _ => return Err(StateError::runtime("The state cannot be attempted.")),
        };
        let result = data::limit(result, &visit.state.name)?;
        if !matches!(visit.state.kind, StateKind::Map(_)) {
            self.inspect(visit, "result", &result);
        }
        if let Some(query) = &visit.state.query {
            let bindings = Bindings { result: Some(Arc::new(result)), ..self.bindings(visit, context.value().clone()) };
            return self.query_output(visit, query, bindings).await;
        }
        let around = visit.around(&context);
        let assigned = Self::assigned(visit.state.assign.as_ref(), around.scope(&result))?;
        let result = Cow::Owned(match &flow.result_selector {
            Some(template) => template.evaluate(around.scope(&result))?,
            None => result,
        });
        self.inspect_result(visit, &flow.result_path, &result);
        let output = data::output(&visit.state.output_path, &flow.result_path, visit.input, result, around)?;
        Ok((data::limit(output.into_owned(), &visit.state.name)?, assigned))
    }
}
