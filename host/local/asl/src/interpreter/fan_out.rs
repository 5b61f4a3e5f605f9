//! Parallel and Map states. The first failure of a branch or iteration ends the others.

use std::borrow::Cow;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::data;
use super::run::{Branch, FlowRunner, Run, Visit};
use crate::definition::model::{Flow, Map};
use crate::error::{StateError, quoted};
use crate::history::event::Detail;
use crate::history::log::{Cursor, History};
use crate::limits::MAP_CONCURRENCY;

/// Records `MapIterationAborted` if the future of the iteration is dropped before the iteration ends.
struct OpenIteration<'a> {
    history: &'a History,
    cursor: &'a Cursor,
    name: &'a str,
    index: usize,
    closed: bool,
}

impl Drop for OpenIteration<'_> {
    fn drop(&mut self) {
        if !self.closed {
            let detail = Detail::MapIterationAborted { name: self.name.to_owned(), index: self.index };
            self.history.note(self.cursor, detail);
        }
    }
}

impl Run {
    /// Runs all branches with the same input and returns their outputs in order. The first failure drops the others.
    pub(super) async fn parallel(
        &self,
        branches: &[Flow],
        input: Value,
        parent: &Branch,
        run_flow: FlowRunner,
    ) -> Result<Value, StateError> {
        self.history.record(&parent.cursor, Detail::ParallelStateStarted);
        let own: Vec<Branch> = branches.iter().map(|_| parent.inner(parent.item.clone())).collect();
        let mut running: FuturesUnordered<_> = branches
            .iter()
            .zip(&own)
            .enumerate()
            .map(|(at, (flow, branch))| {
                let input = input.clone();
                async move { (at, run_flow(self, flow, input, branch).await, branch.cursor.get()) }
            })
            .collect();
        let mut outputs = vec![Value::Null; branches.len()];
        while let Some((at, result, last)) = running.next().await {
            // The next event points to the last event of the branch that ended last or failed.
            parent.cursor.set(last);
            match (result, outputs.get_mut(at)) {
                (Ok(output), Some(place)) => *place = output,
                (Ok(_), None) => {}
                (Err(error), _) => {
                    drop(running);
                    return Err(error.of_branch());
                }
            }
        }
        self.history.note(&parent.cursor, Detail::ParallelStateSucceeded);
        Ok(outputs.into())
    }

    /// Runs the processor for every item and returns the outputs in the order of the items. The first failure drops the
    /// others.
    pub(super) async fn map(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
        context: &Value,
        run_flow: FlowRunner,
    ) -> Result<Value, StateError> {
        let (found, most) = match &visit.state.query {
            None => {
                let scope = visit.around(context).scope(input);
                let found = match &map.items {
                    Some(path) => data::look_up(path, "ItemsPath", scope)?,
                    None => Cow::Borrowed(input),
                };
                (found, data::whole(&map.concurrency, "MaxConcurrencyPath", 0, scope)?)
            }
            Some(query) => {
                let bindings = self.bindings(visit, context.clone());
                let (items, most) = self.query_items(visit, query, &bindings).await?;
                (Cow::Owned(Value::Array(items)), most)
            }
        };
        let Some(items) = found.as_array() else {
            let path = map.items.as_ref().map_or("$", |path| path.text());
            let input = quoted(&found);
            let cause = format!("Reference path \"{path}\" must point to array, but points to '{input}'.");
            return Err(StateError::runtime(cause));
        };
        let most = match most {
            0 => MAP_CONCURRENCY,
            most => usize::try_from(most).unwrap_or(MAP_CONCURRENCY).min(MAP_CONCURRENCY),
        };
        let cursor = &visit.branch.cursor;
        self.history.record(cursor, Detail::MapStateStarted { length: items.len() });
        let mut outputs = vec![Value::Null; items.len()];
        let mut waiting = items.iter().enumerate();
        let mut running = FuturesUnordered::new();
        loop {
            for (index, item) in waiting.by_ref().take(most - running.len()) {
                running.push(self.iteration(visit, map, input, index, item, run_flow));
            }
            let Some((index, result, last)) = running.next().await else {
                break;
            };
            cursor.set(last);
            match (result, outputs.get_mut(index)) {
                (Ok(output), Some(place)) => *place = output,
                (Ok(_), None) => {}
                (Err(error), _) => {
                    drop(running);
                    return Err(error.of_branch());
                }
            }
        }
        self.history.note(cursor, Detail::MapStateSucceeded);
        Ok(outputs.into())
    }

    /// Runs one iteration. Returns its index, its result and its last event.
    async fn iteration(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
        index: usize,
        item: &Value,
        run_flow: FlowRunner,
    ) -> (usize, Result<Value, StateError>, u64) {
        let name = visit.state.name.as_str();
        let branch = visit.branch.inner(Some(Arc::new(json!({"Index": index, "Value": item}))));
        self.history.record(&branch.cursor, Detail::MapIterationStarted { name: name.to_owned(), index });
        let mut open = OpenIteration { history: &self.history, cursor: &branch.cursor, name, index, closed: false };
        let own = Visit { branch: &branch, ..*visit };
        let start = match (&visit.state.query, &map.data.parameters) {
            (Some(query), _) => self.query_selected(&own, query, item, 0).await,
            (None, None) => Ok(item.clone()),
            (None, selector) => {
                let context = self.context(&own, 0, None);
                data::parameters(selector.as_ref(), input.clone(), own.around(&context), name)
            }
        };
        let result = match start {
            Ok(start) => run_flow(self, &map.processor, start, &branch).await,
            Err(error) => Err(error.in_state(name, visit.entered)),
        };
        open.closed = true;
        let name = name.to_owned();
        let detail = match &result {
            Ok(_) => Detail::MapIterationSucceeded { name, index },
            Err(_) => Detail::MapIterationFailed { name, index },
        };
        self.history.note(&branch.cursor, detail);
        (index, result, branch.cursor.get())
    }
}
