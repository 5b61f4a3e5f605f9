//! Parallel and Map states. The first failure of a branch or iteration ends the others.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::batches::STATE_DATA;
use super::data;
use super::flow::yield_fairly;
use super::flow_output::FlowOutput;
use super::resume::ResumePlace;
use super::run::{Branch, FlowRunner, Run, Visit};
use crate::definition::model::{Flow, Map};
use crate::error::{StateError, names, quoted};
use crate::expressions::context::Context;
use crate::expressions::path::Scope;
use crate::history::event::Detail;
use crate::history::log::Cursor;
use crate::inspector::Inspector;
use crate::limits::{MAP_CONCURRENCY, PAYLOAD_BYTES};
use crate::map_run::MapRunLimits;

/// Returns `$$.Map.Item` of an item that is part of the state's input.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>
fn item_context(index: usize, item: &Value) -> Value {
    json!({"Index": index, "Value": item, "Source": STATE_DATA})
}

impl Run {
    /// Runs all branches with the same input and returns their outputs in order. The first failure drops the others.
    pub(super) async fn parallel(
        &self,
        branches: &[Flow],
        input: Value,
        visit: &Visit<'_>,
        run_flow: FlowRunner,
    ) -> Result<Value, StateError> {
        let parent = visit.branch;
        let resumed = (0..branches.len()).any(|at| parent.place.inner(at).is_begun());
        if !resumed {
            self.history.record(&parent.cursor, Detail::ParallelStateStarted);
        }
        let own: Vec<Branch> = (0..branches.len()).map(|at| parent.inner(parent.item.clone(), at, None)).collect();
        let mut outputs = Outputs::new(branches.len(), &parent.place);
        let open: Vec<_> = branches.iter().zip(&own).enumerate().filter(|(at, _)| !outputs.resume(*at)).collect();
        let mut running: FuturesUnordered<_> = open
            .into_iter()
            .map(|(at, (flow, branch))| {
                let input = input.clone();
                async move { (at, run_flow(self, flow, input, branch).await, branch.cursor.get()) }
            })
            .collect();
        while let Some((at, result, last)) = running.next().await {
            // The next event points to the last event of the branch that ended last or failed.
            parent.cursor.set(last);
            match result {
                Ok(output) => {
                    parent.progress.end(at);
                    outputs.put(at, output);
                }
                Err(error) => {
                    drop(running);
                    self.fail_branch(parent, at, &error);
                    return Err(error.of_branch());
                }
            }
        }
        self.history.note(&parent.cursor, Detail::ParallelStateSucceeded);
        outputs.into_value(&visit.state.name)
    }

    /// Records the end of the branches or iterations after one failed, unless the machine itself failed.
    fn fail_branch(&self, parent: &Branch, index: usize, error: &StateError) {
        match error.is_runtime() {
            true => parent.progress.forget(),
            false => parent.progress.fail(index, &self.history, &parent.cursor),
        }
    }

    /// Records the end of the branches or iterations after the state itself failed, unless the machine did.
    fn abort_branches(&self, parent: &Branch, error: &StateError) {
        match error.is_runtime() {
            true => parent.progress.forget(),
            false => parent.progress.abort_inner(&self.history, &parent.cursor),
        }
    }

    /// Runs the processor for every item and returns the outputs in the order of the items. The first failure drops the
    /// others.
    pub(super) async fn map(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
        context: &Context<'_>,
        run_flow: FlowRunner,
    ) -> Result<Value, StateError> {
        let (mut found, limits) = self.items(visit, map, input, context).await?;
        let resumed = visit.branch.place.inner(0).is_begun();
        if let Some(kept) = visit.branch.place.take_items().filter(|_| resumed) {
            // A redrive goes on with the items that the state began with.
            found = Cow::Owned(kept);
        }
        let Some(items) = found.as_array() else {
            let path = map.items.as_ref().map_or("$", |path| path.text());
            let input = quoted(&found);
            let cause = format!("Reference path \"{path}\" must point to array, but points to '{input}'.");
            return Err(StateError::runtime(cause));
        };
        let cursor = &visit.branch.cursor;
        if !resumed {
            self.history.record(cursor, Detail::MapStateStarted { length: items.len() });
        }
        if let Some(distributed) = &map.distributed {
            return self.distributed(visit, map, distributed, limits, input, items, context).await;
        }
        let most = match limits.concurrency {
            0 => MAP_CONCURRENCY,
            most => usize::try_from(most).unwrap_or(MAP_CONCURRENCY).min(MAP_CONCURRENCY),
        };
        let mut outputs = Outputs::new(items.len(), &visit.branch.place);
        outputs.items = Some(found.as_ref());
        let open: Vec<_> = items.iter().enumerate().filter(|(at, _)| !(resumed && outputs.resume(*at))).collect();
        let mut waiting = open.into_iter();
        let mut running = FuturesUnordered::new();
        // The first iterations all begin at the Map state, a later one at the end of the one that made room for it.
        let mut room = most;
        loop {
            let next = if room > 0 { waiting.next() } else { None };
            let ended = match next {
                Some((index, item)) => {
                    room -= 1;
                    let begun = self.begin_iteration(visit, map, input, index, item).await;
                    let (branch, start) = match begun {
                        Ok(begun) => begun,
                        Err(error) => {
                            drop(running);
                            self.abort_branches(visit.branch, &error);
                            return Err(error);
                        }
                    };
                    running.push(self.iteration(map, index, branch, start, run_flow));
                    continue;
                }
                None => running.next().await,
            };
            let Some((index, result, branch)) = ended else { break };
            cursor.set(branch.get());
            match result {
                Ok(output) => {
                    visit.branch.progress.end(index);
                    outputs.put(index, output);
                    let detail = Detail::MapIterationSucceeded { name: visit.state.name.clone(), index };
                    let succeeded = self.history.note(cursor, detail);
                    room += 1;
                    if waiting.len() == 0 {
                        // After the last iterations, the Map state goes on from their end.
                        cursor.set(succeeded);
                    }
                }
                Err(error) => {
                    drop(running);
                    self.fail_branch(visit.branch, index, &error);
                    return Err(error.of_branch());
                }
            }
        }
        self.history.note(cursor, Detail::MapStateSucceeded);
        outputs.into_value(&visit.state.name)
    }

    /// Computes what a Map state of a test begins with, and returns the result that the test gives.
    pub(super) async fn mocked_map(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
        context: &Context<'_>,
        inspector: &Inspector,
    ) -> Result<Value, StateError> {
        let (found, limits) = self.items(visit, map, input, context).await?;
        let reads = map.distributed.as_ref().is_some_and(|distributed| distributed.reader.is_some());
        let Some(items) = found.as_array() else {
            let path = map.items.as_ref().map_or("$", |path| path.text());
            return Err(StateError::runtime(format!("Reference path \"{path}\" must point to array.")));
        };
        if visit.state.query.is_none() && !reads {
            inspector.note("afterItemsPath", &found);
            if let Some(selector) = &map.data.parameters {
                let mut selected = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let item = Arc::new(item_context(index, item));
                    let branch = visit.branch.inner(Some(item), index, Some(&visit.state.name));
                    let own = Visit { branch: &branch, ..*visit };
                    let context = self.context(&own, 0, None);
                    let around = own.around(&context);
                    selected.push(data::parameters(Some(selector), Cow::Borrowed(input), around, &visit.state.name)?);
                }
                inspector.note("afterItemSelector", &selected.into());
            }
        }
        let limits = match &map.distributed {
            Some(distributed) => self.tolerated(visit, distributed, limits, input, context).await?,
            None => limits,
        };
        inspector.note("maxConcurrency", &limits.concurrency.into());
        if let Some(count) = limits.tolerated_count {
            inspector.note("toleratedFailureCount", &count.into());
        }
        if let Some(percentage) = limits.tolerated_percentage {
            inspector.note("toleratedFailurePercentage", &percentage.into());
        }
        // A state that tolerates nothing explicitly takes the result that is given.
        #[allow(clippy::cast_precision_loss)]
        if let Some(failed) = inspector.given().failed_iterations {
            let part = failed as f64 * 100.0 / items.len().max(1) as f64;
            let many = limits.tolerated_count.is_some_and(|most| failed > most);
            if many || limits.tolerated_percentage.is_some_and(|most| part > most) {
                let cause = "The specified tolerated failure threshold was exceeded".to_owned();
                return Err(StateError::reported(names::EXCEED_TOLERATED_FAILURE_THRESHOLD, Some(cause)));
            }
        }
        match inspector.mock() {
            Some(mock) => Ok(mock?),
            None => Err(StateError::runtime("The test of a Map state needs a mock.")),
        }
    }

    /// Returns the items of a Map state, none if it reads them, and its limits as far as they are computed before it
    /// starts.
    async fn items<'a>(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &'a Value,
        context: &'a Context<'_>,
    ) -> Result<(Cow<'a, Value>, MapRunLimits), StateError> {
        let reads = map.distributed.as_ref().is_some_and(|distributed| distributed.reader.is_some());
        if let Some(query) = &visit.state.query {
            let bindings = self.bindings(visit, context.value().clone());
            let (items, limits) = self.query_items(visit, query, reads, &bindings).await?;
            return Ok((Cow::Owned(Value::Array(items)), limits));
        }
        let scope = Scope { input, context, variables: visit.variables };
        let found = match &map.items {
            _ if reads => Cow::Owned(Value::Array(Vec::new())),
            Some(path) => Cow::Owned(data::items_at(path, scope)?.into_owned()),
            None => Cow::Borrowed(input),
        };
        let concurrency = data::concurrency(&map.concurrency, scope)?;
        Ok((found, MapRunLimits { concurrency, ..MapRunLimits::default() }))
    }

    /// Computes the input of an iteration and records its start. One that had begun before a redrive has its input.
    async fn begin_iteration(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
        index: usize,
        item: &Value,
    ) -> Result<(Branch, Value), StateError> {
        let name = visit.state.name.as_str();
        let begun = visit.branch.place.inner(index).is_begun();
        let context = Arc::new(item_context(index, item));
        let start = match begun {
            true => Value::Null,
            false => self.selected(visit, map, input, item, &context).await?,
        };
        let branch = visit.branch.inner(Some(context), index, Some(name));
        if !begun {
            self.history.record(&branch.cursor, Detail::MapIterationStarted { name: name.to_owned(), index });
        }
        Ok((branch, start))
    }

    /// Computes the input of an iteration that has not begun. `context` is its `$$.Map.Item`.
    async fn selected(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
        item: &Value,
        context: &Arc<Value>,
    ) -> Result<Value, StateError> {
        let begun = Instant::now();
        let branch = Branch { item: Some(context.clone()), ..Branch::default() };
        let own = Visit { branch: &branch, ..*visit };
        let start = match (&visit.state.query, &map.data.parameters) {
            (Some(query), _) => self.query_selected(&own, query, item, 0).await,
            (None, None) => Ok(item.clone()),
            (None, selector) => {
                let context = self.context(&own, 0, None);
                data::parameters(selector.as_ref(), Cow::Borrowed(input), own.around(&context), &visit.state.name)
            }
        };
        yield_fairly(begun).await;
        start.map_err(|error| error.in_state(&visit.state.name, visit.entered))
    }

    /// Runs one iteration. Returns its index, its result and its last event.
    async fn iteration(
        &self,
        map: &Map,
        index: usize,
        branch: Branch,
        start: Value,
        run_flow: FlowRunner,
    ) -> (usize, Result<FlowOutput, StateError>, Cursor) {
        (index, run_flow(self, &map.processor, start, &branch).await, branch.cursor)
    }
}

/// The outputs of branches or iterations, in order. Once they are larger together than a result may be, they are not
/// kept any more.
struct Outputs<'a> {
    values: Vec<Option<FlowOutput>>,
    bytes: usize,
    /// The items of a Map state.
    items: Option<&'a Value>,
    /// Keeps the outputs and the items if the state does not succeed.
    place: &'a ResumePlace,
}

impl Drop for Outputs<'_> {
    fn drop(&mut self) {
        if let Some(items) = self.items {
            self.place.keep_items(items);
        }
        for (index, output) in self.values.iter_mut().enumerate() {
            if let Some(output) = output.take() {
                self.place.inner(index).end(output);
            }
        }
    }
}

impl<'a> Outputs<'a> {
    fn new(count: usize, place: &'a ResumePlace) -> Self {
        Self { values: (0..count).map(|_| None).collect(), bytes: 0, items: None, place }
    }

    /// Takes the output that the branch of this index had before a redrive. Returns whether it had one.
    fn resume(&mut self, index: usize) -> bool {
        let output = self.place.inner(index).take_output();
        output.map(|output| self.put(index, output)).is_some()
    }

    fn put(&mut self, index: usize, output: FlowOutput) {
        self.bytes = self.bytes.saturating_add(output.text.as_str().len());
        if self.bytes > PAYLOAD_BYTES {
            self.values.clear();
        }
        if let Some(place) = self.values.get_mut(index) {
            *place = Some(output);
        }
    }

    /// Returns the list of the outputs.
    ///
    /// # Errors
    /// They are larger together than a result may be.
    fn into_value(mut self, state: &str) -> Result<Value, StateError> {
        self.items = None;
        match self.bytes > PAYLOAD_BYTES {
            true => Err(StateError::data_limit(state)),
            false => {
                let values = std::mem::take(&mut self.values).into_iter();
                Ok(values.map(|output| output.map_or(Value::Null, |output| output.value)).collect())
            }
        }
    }
}
