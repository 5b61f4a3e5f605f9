//! The history of an execution: its events in order.
//!
//! The chain of `previousEventId` is the service's. Two kinds of events are not part of the chain: the end of an
//! iteration, and the success of a Parallel or Map state. The event after them points to the last event of the branch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::event::{Detail, Event};
use crate::clock::Clock;
use crate::limits::{HISTORY_BYTES, HISTORY_EVENTS, json_bytes};

/// The last event of one branch, to which its next event will point.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor(Arc<AtomicU64>);

impl Cursor {
    /// Returns a cursor for a branch that begins at this event.
    pub fn fork(&self) -> Self {
        Self(Arc::new(AtomicU64::new(self.get())))
    }

    /// Returns the id of the event; 0 before the first one.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves the cursor to an event.
    pub fn set(&self, id: u64) {
        self.0.store(id, Ordering::Relaxed);
    }
}

/// The events so far. Shared by all branches and all subscribers.
#[derive(Debug)]
pub(crate) struct History {
    clock: Clock,
    events: Mutex<Vec<Arc<Event>>>,
    count: watch::Sender<usize>,
    /// Bytes of the inputs and outputs in the events.
    bytes: AtomicUsize,
}

impl History {
    /// Returns an empty history.
    pub fn new(clock: Clock) -> Self {
        Self { clock, events: Mutex::default(), count: watch::Sender::new(0), bytes: AtomicUsize::new(0) }
    }

    /// Adds an event and moves the cursor to it. Returns its id.
    pub fn record(&self, cursor: &Cursor, detail: Detail) -> u64 {
        let id = self.push(cursor.get(), detail);
        cursor.set(id);
        id
    }

    /// Adds an event and leaves the cursor where it is.
    pub fn note(&self, cursor: &Cursor, detail: Detail) {
        self.push(cursor.get(), detail);
    }

    /// Returns the reason why no further state may be entered, if a limit is reached.
    pub fn full(&self) -> Option<String> {
        // One place is reserved for the event that ends the execution.
        if self.events.lock().len() + 1 >= HISTORY_EVENTS {
            return Some(format!("The execution reached the maximum number of history events ({HISTORY_EVENTS})."));
        }
        let full = self.bytes() > HISTORY_BYTES;
        full.then(|| format!("The execution's history holds more than {HISTORY_BYTES} bytes of inputs and outputs."))
    }

    /// Returns the bytes of inputs and outputs in the events.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the events from `index` on; 0 is the first.
    pub fn from(&self, index: usize) -> Vec<Arc<Event>> {
        self.events.lock().get(index..).unwrap_or_default().to_vec()
    }

    /// Returns the event at `index`; 0 is the first.
    pub fn get(&self, index: usize) -> Option<Arc<Event>> {
        self.events.lock().get(index).cloned()
    }

    /// Returns the newest event.
    pub fn last(&self) -> Option<Arc<Event>> {
        self.events.lock().last().cloned()
    }

    /// Returns a receiver of the number of events.
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    fn push(&self, previous_event_id: u64, detail: Detail) -> u64 {
        let assigned: usize = detail.assigned().map_or(0, |values| values.values().map(json_bytes).sum());
        self.bytes.fetch_add(detail.payload().map_or(0, json_bytes) + assigned, Ordering::Relaxed);
        let mut events = self.events.lock();
        let id = events.len() as u64 + 1;
        events.push(Arc::new(Event { id, previous_event_id, timestamp: self.clock.now(), detail }));
        let count = events.len();
        drop(events);
        self.count.send_replace(count);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_event_does_not_move_the_cursor() {
        let history = History::new(Clock::new());
        let cursor = Cursor::default();
        history.record(&cursor, Detail::ParallelStateStarted);
        history.note(&cursor, Detail::ParallelStateSucceeded);
        history.record(&cursor, Detail::ParallelStateFailed);
        let chain: Vec<_> = history.from(0).iter().map(|event| (event.id, event.previous_event_id)).collect();
        assert_eq!(chain, [(1, 0), (2, 1), (3, 1)]);
    }
}
