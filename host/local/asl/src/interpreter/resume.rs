//! Where an execution stopped, so that a redrive goes on from there and does nothing twice.
//!
//! Every branch has a place. While a branch runs, it is empty; when the branch fails, or is dropped because something
//! else ended the execution, the state that was open and its input are put there. A branch that had ended puts its
//! output there if the state around it did not succeed. Documents are kept as the texts that the history has already.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;

use super::flow_output::FlowOutput;
use super::variables::Variables;
use crate::history::text::JsonText;
use crate::memory::weight;

/// The place of a branch. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResumePlace(Arc<Mutex<Place>>);

#[derive(Debug, Default)]
struct Place {
    left: Option<Left>,
    inner: BTreeMap<usize, ResumePlace>,
    /// The items of the open state, if it is a Map state.
    items: Option<JsonText>,
}

#[derive(Debug)]
enum Left {
    Open(OpenState),
    Ended(JsonText),
}

/// A state that was open when its branch stopped.
#[derive(Debug)]
pub(crate) struct OpenState {
    pub name: String,
    pub input: JsonText,
    pub variables: Arc<Variables>,
    /// The id and the time of the event with which it was entered; `None` if it was the next one.
    pub entered: Option<(u64, OffsetDateTime)>,
}

impl ResumePlace {
    /// Returns the place of a branch of the open state.
    pub fn inner(&self, index: usize) -> Self {
        self.0.lock().inner.entry(index).or_default().clone()
    }

    /// Forgets the branches and the items of the open state.
    pub fn forget_inner(&self) {
        let mut place = self.0.lock();
        place.inner.clear();
        place.items = None;
    }

    /// Notes the items of the open state.
    pub fn keep_items(&self, items: &Value) {
        self.0.lock().items = Some(JsonText::of(items));
    }

    /// Takes the items of the open state.
    pub fn take_items(&self) -> Option<Value> {
        self.0.lock().items.take().map(|items| items.value())
    }

    /// Notes the state at which the branch stops.
    pub fn stop(&self, open: OpenState) {
        self.0.lock().left = Some(Left::Open(open));
    }

    /// Notes the output of a branch that has ended.
    pub fn end(&self, output: FlowOutput) {
        *self.0.lock() = Place { left: Some(Left::Ended(output.text)), ..Place::default() };
    }

    /// Returns whether the branch had begun.
    pub fn is_begun(&self) -> bool {
        self.0.lock().left.is_some()
    }

    /// Takes the state at which the branch stopped.
    pub fn take_open(&self) -> Option<OpenState> {
        let mut place = self.0.lock();
        match place.left.take() {
            Some(Left::Open(open)) => Some(open),
            other => {
                place.left = other;
                None
            }
        }
    }

    /// Takes the output of the branch, if it had ended.
    pub fn take_output(&self) -> Option<FlowOutput> {
        let mut place = self.0.lock();
        match place.left.take() {
            Some(Left::Ended(text)) => Some(FlowOutput { value: text.value(), text }),
            other => {
                place.left = other;
                None
            }
        }
    }

    /// Returns about the memory that is held here beside what the history counts, in bytes.
    pub fn bytes(&self) -> usize {
        let place = self.0.lock();
        let own = match &place.left {
            None | Some(Left::Ended(_)) => 0,
            Some(Left::Open(open)) => open.variables.values().map(weight).sum::<usize>(),
        };
        let items = place.items.as_ref().map_or(0, |items| items.as_str().len());
        size_of::<Place>() + own + items + place.inner.values().map(Self::bytes).sum::<usize>()
    }
}
