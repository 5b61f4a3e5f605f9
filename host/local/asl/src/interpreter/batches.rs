//! The inputs of the child executions of a distributed Map state: its items, selected and put into batches.

use std::borrow::Cow;
use std::iter::Enumerate;
use std::slice::Iter;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::data;
use super::flow::yield_fairly;
use super::run::{Branch, Run, Visit};
use crate::definition::model::Map;
use crate::error::StateError;
use crate::limits::json_bytes;

/// `$$.Map.Item.Source` of items that are part of the state's input.
pub(super) const STATE_DATA: &str = "STATE_DATA";

/// How items are put into batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Batching {
    pub items: Option<usize>,
    pub bytes: Option<usize>,
    pub input: Option<Value>,
}

/// The input of a child execution.
pub(super) struct Batch {
    pub input: Value,
    /// The number of items in it.
    pub items: u64,
    pub bytes: usize,
}

/// The items that are not in a batch yet.
pub(super) struct Batches<'a> {
    items: Enumerate<Iter<'a, Value>>,
    /// `None` if every child execution gets one item.
    batching: Option<Batching>,
    /// `$$.Map.Item.Source`
    source: String,
    /// A selected item that did not fit into the last batch, and its size.
    held: Option<(Value, usize)>,
}

impl<'a> Batches<'a> {
    pub fn new(items: &'a [Value], batching: Option<Batching>, source: String) -> Self {
        Self { items: items.iter().enumerate(), batching, source, held: None }
    }

    /// Returns the next batch; `None` after the last item.
    ///
    /// # Errors
    /// The ItemSelector failed, or an input is larger than it may be.
    pub async fn next(
        &mut self,
        run: &Run,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
    ) -> Result<Option<Batch>, StateError> {
        let Some(batching) = self.batching.clone() else {
            let selected = self.select(run, visit, map, input).await?;
            return selected.map(|(value, bytes)| checked(visit, value, 1, bytes)).transpose();
        };
        let (mut items, mut bytes) = (Vec::new(), 0_usize);
        while items.len() < batching.items.unwrap_or(usize::MAX) {
            let held = self.held.take();
            let Some((value, size)) = (match held {
                Some(held) => Some(held),
                None => self.select(run, visit, map, input).await?,
            }) else {
                break;
            };
            if !items.is_empty() && bytes.saturating_add(size) > batching.bytes.unwrap_or(usize::MAX) {
                self.held = Some((value, size));
                break;
            }
            bytes = bytes.saturating_add(size).saturating_add(1);
            items.push(value);
        }
        if items.is_empty() {
            return Ok(None);
        }
        let count = items.len() as u64;
        let value = match batching.input {
            Some(fixed) => json!({"BatchInput": fixed, "Items": items}),
            None => json!({"Items": items}),
        };
        checked(visit, value, count, bytes).map(Some)
    }

    /// Returns the next item after the ItemSelector, and its size.
    async fn select(
        &mut self,
        run: &Run,
        visit: &Visit<'_>,
        map: &Map,
        input: &Value,
    ) -> Result<Option<(Value, usize)>, StateError> {
        let Some((index, item)) = self.items.next() else {
            return Ok(None);
        };
        let begun = Instant::now();
        let outer = visit.branch;
        let place = json!({"Index": index, "Value": item, "Source": self.source});
        let branch = Branch {
            cursor: outer.cursor.clone(),
            variables: outer.variables.inner(),
            item: Some(Arc::new(place)),
            ..Branch::default()
        };
        let own = Visit { branch: &branch, ..*visit };
        let value = match (&visit.state.query, &map.data.parameters) {
            (Some(query), _) => run.query_selected(&own, query, item, 0).await?,
            (None, None) => item.clone(),
            (None, selector) => {
                let context = run.context(&own, 0, None);
                data::parameters(selector.as_ref(), Cow::Borrowed(input), own.around(&context), &visit.state.name)?
            }
        };
        yield_fairly(begun).await;
        let bytes = json_bytes(&value);
        Ok(Some((value, bytes)))
    }
}

fn checked(visit: &Visit<'_>, value: Value, items: u64, bytes: usize) -> Result<Batch, StateError> {
    Ok(Batch { input: data::limit(value, &visit.state.name)?, items, bytes })
}
