//! The history of an execution: its events in order.
//!
//! The chain of `previousEventId` is the service's. Some events are not part of the chain: the end of an iteration that
//! another one follows, the success of a Parallel or Map state, and states that a failure elsewhere aborts. The event
//! after them points to the last event of the branch. Only the failure of an execution by the machine itself points to
//! them as well.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::event::{Detail, Event};
use crate::clock::Clock;
use crate::limits::{HISTORY_BYTES, HISTORY_EVENTS};
use crate::memory::{allocated, weight};

/// The memory of an event beside its texts: the event, its reference counts, and its places in the lists.
const EVENT_BYTES: usize = size_of::<Event>() + 6 * size_of::<usize>();
/// The memory of a text beside its bytes.
const TEXT_BYTES: usize = 4 * size_of::<usize>();

/// The last event of one branch, to which its next event will point.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    last: AtomicU64,
    /// As `last`, but including events that are not part of the chain.
    published: AtomicU64,
}

impl Cursor {
    /// Returns a cursor for a branch that begins at this event.
    pub fn fork(&self) -> Self {
        let fork = Self::default();
        fork.set(self.get());
        fork
    }

    /// Returns the id of the event; 0 before the first one.
    pub fn get(&self) -> u64 {
        self.0.last.load(Ordering::Relaxed)
    }

    /// Moves the cursor to an event.
    pub fn set(&self, id: u64) {
        self.0.last.store(id, Ordering::Relaxed);
        self.0.published.store(id, Ordering::Relaxed);
    }

    /// Returns the id of the last event of the branch, whether or not it is part of the chain.
    pub fn published(&self) -> u64 {
        self.0.published.load(Ordering::Relaxed)
    }
}

/// The events so far. Shared by all branches and all subscribers.
#[derive(Debug)]
pub(crate) struct History {
    clock: Clock,
    events: Mutex<Vec<Arc<Event>>>,
    count: watch::Sender<usize>,
    /// The memory that the events hold.
    bytes: AtomicUsize,
    /// The texts that are counted in `bytes`, by their addresses. The events keep them alive.
    counted: Mutex<HashSet<usize>>,
}

impl History {
    /// Returns an empty history.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            events: Mutex::default(),
            count: watch::Sender::new(0),
            bytes: AtomicUsize::new(0),
            counted: Mutex::default(),
        }
    }

    /// Frees what only an execution that goes on needs. If it is redriven, the first text of its new events may count
    /// twice.
    pub fn rest(&self) {
        *self.counted.lock() = HashSet::new();
    }

    /// Adds an event and moves the cursor to it. Returns its id.
    pub fn record(&self, cursor: &Cursor, detail: Detail) -> u64 {
        let id = self.push(cursor.get(), detail);
        cursor.set(id);
        id
    }

    /// Adds an event and leaves the cursor where it is. Returns the event's id.
    pub fn note(&self, cursor: &Cursor, detail: Detail) -> u64 {
        let id = self.push(cursor.get(), detail);
        cursor.0.published.store(id, Ordering::Relaxed);
        id
    }

    /// Returns the reason why no further state may be entered, if a limit is reached.
    pub fn full(&self) -> Option<String> {
        // One place is reserved for the event that ends the execution.
        if self.events.lock().len() + 1 >= HISTORY_EVENTS {
            return Some(format!("The execution reached the maximum number of history events ({HISTORY_EVENTS})."));
        }
        let full = self.bytes() > HISTORY_BYTES;
        full.then(|| format!("The execution's history holds more than {HISTORY_BYTES} bytes of memory."))
    }

    /// Counts memory that the execution holds beside its events, in bytes.
    pub fn hold(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the memory that the events hold, in bytes. A text that several events share counts once.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of events.
    pub fn len(&self) -> usize {
        self.events.lock().len()
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
        let mut events = self.events.lock();
        // States that are open when the limit is reached leave no more events; the last place is for the execution's end.
        if events.len() + 1 >= HISTORY_EVENTS && !detail.ends_execution() {
            return events.len() as u64;
        }
        let text = detail.payload().filter(|text| self.counted.lock().insert(text.address()));
        let assigned: usize = detail.assigned().map_or(0, |values| values.values().map(weight).sum());
        let texts = detail.text_bytes() + text.map_or(0, |text| allocated(text.as_str().len()) + TEXT_BYTES);
        self.bytes.fetch_add(EVENT_BYTES + texts + assigned, Ordering::Relaxed);
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
    use crate::history::text::JsonText;

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

    #[test]
    fn a_shared_text_counts_once_and_every_event_counts() {
        let history = History::new(Clock::new());
        let text = JsonText::from("x".repeat(10_000));
        let cursor = Cursor::default();
        for _ in 0..3 {
            history.record(&cursor, Detail::ExecutionSucceeded { output: text.clone() });
        }
        let once = history.bytes();
        assert!((10_000..20_000).contains(&once), "{once}");
        history.record(&cursor, Detail::ExecutionSucceeded { output: JsonText::from("x".repeat(10_000)) });
        assert!(history.bytes() > once + 10_000);
    }
}
