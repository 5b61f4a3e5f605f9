//! Which states of a branch are open, so that a failure elsewhere can record them as aborted.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::definition::state_type::StateType;
use crate::history::event::Detail;
use crate::history::log::{Cursor, History};

/// The open state of a branch and the branches within that state.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    state: Option<StateType>,
    inner: BTreeMap<usize, Inner>,
}

/// A branch of a Parallel state, or an iteration of the Map state of this name.
#[derive(Debug)]
struct Inner {
    map: Option<String>,
    progress: Arc<Progress>,
}

impl Progress {
    /// Notes that a state was entered.
    pub fn enter(&self, state: StateType) {
        self.0.lock().state = Some(state);
    }

    /// Notes that the state was left.
    pub fn leave(&self) {
        self.0.lock().state = None;
    }

    /// Notes a branch of the open state, or an iteration if that is a Map state of this name.
    pub fn begin(&self, index: usize, map: Option<&str>) -> Arc<Self> {
        let progress = Arc::new(Self::default());
        let inner = Inner { map: map.map(str::to_owned), progress: progress.clone() };
        self.0.lock().inner.insert(index, inner);
        progress
    }

    /// Notes that a branch or iteration succeeded.
    pub fn end(&self, index: usize) {
        self.0.lock().inner.remove(&index);
    }

    /// Forgets the branches of the open state without events. The service records none if the machine itself failed.
    pub fn forget(&self) {
        self.0.lock().inner.clear();
    }

    /// Records the end of the branches of the open state after the one of this index failed. In the order of the
    /// branches, every event points to the last event of the failed one, at which the cursor stands.
    pub fn fail(&self, index: usize, history: &History, cursor: &Cursor) {
        let inner = std::mem::take(&mut self.0.lock().inner);
        for (at, Inner { map, progress }) in inner {
            let failed = at == index;
            if let Some(name) = map {
                let detail = match failed {
                    true => Detail::MapIterationFailed { name, index: at },
                    false => Detail::MapIterationAborted { name, index: at },
                };
                history.note(cursor, detail);
            }
            match failed {
                true => progress.fail_state(history, cursor),
                false => progress.abort(history, cursor),
            }
        }
    }

    /// Records that the state in which the branch failed is aborted, if it is a Task.
    fn fail_state(&self, history: &History, cursor: &Cursor) {
        if let Some(state @ StateType::Task) = self.0.lock().state {
            history.note(cursor, Detail::StateAborted { state });
        }
    }

    /// Records that the open state and everything within it are aborted.
    fn abort(&self, history: &History, cursor: &Cursor) {
        let state = self.0.lock().state.take();
        if let Some(state @ (StateType::Task | StateType::Wait | StateType::Parallel | StateType::Map)) = state {
            history.note(cursor, Detail::StateAborted { state });
        }
        self.abort_inner(history, cursor);
    }

    /// Records that the branches of the open state are aborted.
    pub fn abort_inner(&self, history: &History, cursor: &Cursor) {
        let inner = std::mem::take(&mut self.0.lock().inner);
        for (index, Inner { map, progress }) in inner {
            if let Some(name) = map {
                history.note(cursor, Detail::MapIterationAborted { name, index });
            }
            progress.abort(history, cursor);
        }
    }
}
