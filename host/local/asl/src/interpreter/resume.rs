//! Where an execution stopped, so that a redrive goes on from there and does nothing twice.
//!
//! Every branch has a place. While a branch runs, it is empty; when the branch fails, or is dropped because something
//! else ended the execution, the state that was open and its input are put there. A branch that had ended puts its
//! output there if the state around it did not succeed.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;

use super::flow_output::FlowOutput;
use super::variables::Variables;
use crate::history::log::weight;

/// The place of a branch. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResumePlace(Arc<Mutex<Place>>);

#[derive(Debug, Default)]
struct Place {
    left: Option<Left>,
    inner: BTreeMap<usize, ResumePlace>,
}

#[derive(Debug)]
enum Left {
    Open(OpenState),
    Ended(FlowOutput),
}

/// A state that was open when its branch stopped.
#[derive(Debug)]
pub(crate) struct OpenState {
    pub name: String,
    pub input: Value,
    pub variables: Arc<Variables>,
    /// The id and the time of the event with which it was entered; `None` if it was the next one.
    pub entered: Option<(u64, OffsetDateTime)>,
}

impl ResumePlace {
    /// Returns the place of a branch of the open state.
    pub fn inner(&self, index: usize) -> Self {
        self.0.lock().inner.entry(index).or_default().clone()
    }

    /// Forgets the branches of the open state.
    pub fn forget_inner(&self) {
        self.0.lock().inner.clear();
    }

    /// Notes the state at which the branch stops.
    pub fn stop(&self, open: OpenState) {
        self.0.lock().left = Some(Left::Open(open));
    }

    /// Notes the output of a branch that has ended.
    pub fn end(&self, output: FlowOutput) {
        *self.0.lock() = Place { left: Some(Left::Ended(output)), inner: BTreeMap::new() };
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
            Some(Left::Ended(output)) => Some(output),
            other => {
                place.left = other;
                None
            }
        }
    }

    /// Returns about the memory that is held here, in bytes.
    pub fn bytes(&self) -> usize {
        let place = self.0.lock();
        let own = match &place.left {
            None => 0,
            Some(Left::Open(open)) => weight(&open.input) + open.variables.values().map(weight).sum::<usize>(),
            Some(Left::Ended(output)) => weight(&output.value),
        };
        own + place.inner.values().map(Self::bytes).sum::<usize>()
    }
}
