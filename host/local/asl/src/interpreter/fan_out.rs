//! Parallel and Map states. The first failure of a branch or iteration ends the others.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::data;
use super::flow::yield_fairly;
use super::run::{Branch, FlowOutput, FlowRunner, Run, Visit};
use crate::definition::model::{Flow, Map};
use crate::error::{StateError, quoted};
use crate::expressions::context::Context;
use crate::expressions::path::Scope;
use crate::history::event::Detail;
use crate::history::log::Cursor;
use crate::limits::{MAP_CONCURRENCY, PAYLOAD_BYTES};
use crate::map_run::MapRunLimits;

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
        self.history.record(&parent.cursor, Detail::ParallelStateStarted);
        let own: Vec<Branch> = (0..branches.len()).map(|at| parent.inner(parent.item.clone(), at, None)).collect();
        let mut running: FuturesUnordered<_> = branches
            .iter()
            .zip(&own)
            .enumerate()
            .map(|(at, (flow, branch))| {
                let input = input.clone();
                async move { (at, run_flow(self, flow, input, branch).await, branch.cursor.get()) }
            })
            .collect();
        let mut outputs = Outputs::new(branches.len());
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
        let (found, limits) = self.items(visit, map, input, context).await?;
        let Some(items) = found.as_array() else {
            let path = map.items.as_ref().map_or("$", |path| path.text());
            let input = quoted(&found);
            let cause = format!("Reference path \"{path}\" must point to array, but points to '{input}'.");
            return Err(StateError::runtime(cause));
        };
        let cursor = &visit.branch.cursor;
        self.history.record(cursor, Detail::MapStateStarted { length: items.len() });
        if let Some(distributed) = &map.distributed {
            return self.distributed(visit, map, distributed, limits, input, items, context).await;
        }
        let most = match limits.concurrency {
            0 => MAP_CONCURRENCY,
            most => usize::try_from(most).unwrap_or(MAP_CONCURRENCY).min(MAP_CONCURRENCY),
        };
        let mut outputs = Outputs::new(items.len());
        let mut waiting = items.iter().enumerate();
        let mut running = FuturesUnordered::new();
        // The first iterations all begin at the Map state, a later one at the end of the one that made room for it.
        for (index, item) in waiting.by_ref().take(most) {
            let branch = self.begin_iteration(visit, index, item);
            running.push(self.iteration(visit, map, input, index, branch, run_flow));
        }
        while let Some((index, result, branch)) = running.next().await {
            cursor.set(branch.get());
            match result {
                Ok(output) => {
                    visit.branch.progress.end(index);
                    outputs.put(index, output);
                    let detail = Detail::MapIterationSucceeded { name: visit.state.name.clone(), index };
                    let ended = self.history.note(cursor, detail);
                    match waiting.next() {
                        Some((index, item)) => {
                            let branch = self.begin_iteration(visit, index, item);
                            running.push(self.iteration(visit, map, input, index, branch, run_flow));
                        }
                        // After the last iterations, the Map state goes on from their end.
                        None => cursor.set(ended),
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
            Some(path) => Cow::Owned(data::look_up(path, "ItemsPath", scope)?.into_owned()),
            None => Cow::Borrowed(input),
        };
        let concurrency = data::concurrency(&map.concurrency, scope)?;
        Ok((found, MapRunLimits { concurrency, ..MapRunLimits::default() }))
    }

    /// Records the start of an iteration.
    fn begin_iteration(&self, visit: &Visit<'_>, index: usize, item: &Value) -> Branch {
        let name = visit.state.name.as_str();
        let item = Arc::new(json!({"Index": index, "Value": item}));
        let branch = visit.branch.inner(Some(item), index, Some(name));
        self.history.record(&branch.cursor, Detail::MapIterationStarted { name: name.to_owned(), index });
        branch
    }

    /// Runs one iteration. Returns its index, its result and its last event.
    async fn iteration(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
        index: usize,
        branch: Branch,
        run_flow: FlowRunner,
    ) -> (usize, Result<FlowOutput, StateError>, Cursor) {
        let name = visit.state.name.as_str();
        let begun = Instant::now();
        let own = Visit { branch: &branch, ..*visit };
        let item = || branch.item.as_ref().map_or(Value::Null, |item| item["Value"].clone());
        let start = match (&visit.state.query, &map.data.parameters) {
            (Some(query), _) => self.query_selected(&own, query, &item(), 0).await,
            (None, None) => Ok(item()),
            (None, selector) => {
                let context = self.context(&own, 0, None);
                data::parameters(selector.as_ref(), Cow::Borrowed(input), own.around(&context), name)
            }
        };
        yield_fairly(begun).await;
        let result = match start {
            Ok(start) => run_flow(self, &map.processor, start, &branch).await,
            Err(error) => Err(error.in_state(name, visit.entered)),
        };
        (index, result, branch.cursor)
    }
}

/// The outputs of branches or iterations, in order. Once they are larger together than a result may be, they are not
/// kept any more.
struct Outputs {
    values: Vec<Value>,
    bytes: usize,
}

impl Outputs {
    fn new(count: usize) -> Self {
        Self { values: vec![Value::Null; count], bytes: 0 }
    }

    fn put(&mut self, index: usize, output: FlowOutput) {
        self.bytes = self.bytes.saturating_add(output.text.as_str().len());
        if self.bytes > PAYLOAD_BYTES {
            self.values.clear();
        }
        if let Some(place) = self.values.get_mut(index) {
            *place = output.value;
        }
    }

    /// Returns the list of the outputs.
    ///
    /// # Errors
    /// They are larger together than a result may be.
    fn into_value(self, state: &str) -> Result<Value, StateError> {
        match self.bytes > PAYLOAD_BYTES {
            true => Err(StateError::data_limit(state)),
            false => Ok(self.values.into()),
        }
    }
}
