//! The health of canaries. A canary that fails too often is given up without waiting for a person.
//!
//! All processes of a function count together, in one small document for each state and candidate, and compare the canary's
//! runs with those of the pinned stage (`canary/statistics.rs`). The documents are in a store of their own, because the
//! function must not be able to change pins. They are read and written in the background, never while a call waits: a new
//! process runs a canary until it has read that others have given it up.
//!
//! The pins still name the canary, so the event raises an alarm, and a person removes it with `stagehost pins abort`.

mod document;
mod known;
mod run;
mod standing;
mod statistics;
mod tally;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use stagehost_pins::{Canary, Pins, PinsEvent, PinsWatcher, Role};
use stagehost_runtime::lock;
use stagehost_storage::{Found, Storage, StorageError};

use document::name_of;
use known::Known;
pub(crate) use run::defect_in;
pub use standing::{CanaryStanding, canary_standing};
use tally::RunTally;

/// The most canaries that a process remembers. Pins have as many at once as they have states.
const MOST_CANARIES: usize = 64;

/// The longest wait for the store. Nobody waits for it; this only ends what hangs.
const ANSWER: Duration = Duration::from_secs(20);

/// How often a write is tried if another process was faster. Runs that were not written are kept for the next exchange.
const TRIES: u32 = 2;

/// The runs and defects of canaries that this process knows.
#[derive(Clone)]
pub(crate) struct CanaryHealth {
    shared: Arc<Shared>,
}

struct Shared {
    /// By the names of their documents.
    known: Mutex<HashMap<String, Known>>,
    /// Without it, the process judges by its own runs.
    store: Option<Arc<dyn Storage>>,
    watcher: PinsWatcher,
}

impl CanaryHealth {
    /// Returns the health of canaries, which all processes with the same `store` share.
    pub(crate) fn new(store: Option<Arc<dyn Storage>>, watcher: PinsWatcher) -> Self {
        Self { shared: Arc::new(Shared { known: Mutex::default(), store, watcher }) }
    }

    /// Begins to read what other processes know about the canaries of these pins, if that was long ago.
    pub(crate) fn follow(&self, pins: &Pins) {
        for (state, canary) in &pins.canaries {
            self.change(state, canary, |_| {});
        }
    }

    /// Returns whether the canary is given up, so that the pinned stage must run.
    pub(crate) fn given_up(&self, state: &str, canary: &Canary) -> bool {
        self.shared.known().get(&name_of(state, &canary.pin)).is_some_and(Known::is_given_up)
    }

    /// Gives up a canary that this process cannot load. Others may be able to, for example those of another release.
    pub(crate) fn unusable(&self, state: &str, canary: &Canary) {
        self.change(state, canary, |known| known.unusable = true);
    }

    /// Counts a run of a state that has a canary, by the canary or by the pinned stage, and gives up a canary that fails
    /// too often.
    pub(crate) fn count(&self, state: &str, canary: &Canary, role: Role, defect: bool) {
        let one = RunTally::one(defect);
        self.change(state, canary, |known| match role {
            Role::Canary => known.count(one, RunTally::default()),
            Role::Pinned => known.count(RunTally::default(), one),
        });
    }

    /// Changes what is known about a canary, reports it if it is given up by that, and begins an exchange with the store if
    /// it is time.
    fn change(&self, state: &str, canary: &Canary, change: impl FnOnce(&mut Known)) {
        let shared = &self.shared;
        let name = name_of(state, &canary.pin);
        let mut all = shared.known();
        if !all.contains_key(&name) && all.len() >= MOST_CANARIES {
            let oldest = all.iter().min_by_key(|(_, known)| known.used).map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let known = all.entry(name.clone()).or_insert_with(|| Known::new(state, canary));
        known.used = SystemTime::now();
        // The percentage and the limit may have changed.
        known.canary = canary.clone();
        change(known);
        let exchange = match &shared.store {
            Some(store) => known.begin_exchange().then(|| store.clone()),
            None => {
                known.judge_alone();
                None
            }
        };
        drop(all);
        shared.report(&name);
        if let Some(store) = exchange {
            tokio::spawn(shared.clone().exchange(store, name));
        }
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        lock(&self.known)
    }

    /// Calls `change` with what is known about a canary and returns its result; `None` if the canary has been
    /// forgotten.
    fn with<R>(&self, name: &str, change: impl FnOnce(&mut Known) -> R) -> Option<R> {
        self.known().get_mut(name).map(change)
    }

    /// Reports a canary that is given up, once.
    fn report(&self, name: &str) {
        let Some(Some((state, canary, document))) = self.with(name, Known::take_report) else { return };
        (self.watcher)(PinsEvent::CanaryGivenUp {
            state: &state,
            pin: &canary.pin,
            runs: document.canary.runs,
            defects: document.canary.defects,
            pinned_runs: document.pinned.runs,
            pinned_defects: document.pinned.defects,
        });
    }

    /// Reads the document of a canary and adds this process's runs.
    async fn exchange(self: Arc<Self>, store: Arc<dyn Storage>, name: String) {
        let answer = tokio::time::timeout(ANSWER, self.read_and_write(store.as_ref(), &name)).await;
        let error = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("{} has not answered within {} s", store.place(&name), ANSWER.as_secs())),
        };
        if let Some(error) = &error {
            tracing::warn!(error, "the health of a canary cannot be exchanged; this process judges by its own runs");
        }
        self.with(&name, |known| known.end_exchange(error.is_none()));
        self.report(&name);
    }

    async fn read_and_write(&self, store: &dyn Storage, name: &str) -> Result<(), StorageError> {
        for _ in 0..TRIES {
            let Some(tag) = self.with(name, |known| known.tag.clone()) else { return Ok(()) };
            match store.get(name, tag.as_ref()).await? {
                Found::Unchanged => {}
                Found::Missing => {
                    self.with(name, |known| known.note_read(None));
                }
                Found::Found { bytes, tag } => {
                    self.with(name, |known| known.note_read(Some((bytes, tag))));
                }
            }
            let Some(Some((bytes, tag))) = self.with(name, Known::begin_write) else { return Ok(()) };
            let written = match &tag {
                Some(tag) => store.replace(name, bytes, tag).await?,
                None => store.create(name, bytes).await?,
            };
            let done = written.is_some();
            self.with(name, |known| known.note_written(written));
            if done {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
