//! From one revision of the pins to the next without a gap.
//!
//! A new revision is taken over only when everything that it changes has been found and loaded. Until then, and for good
//! if something of it is missing or broken, the one before serves on; calls under way finish with what they began with.
//! An execution goes on with the revision that it began with, unless that has been revoked.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use stagehost_batch::{Case, Failure};
use stagehost_pins::{PinError, PinSource, Pins, PinsEvent, PinsWatcher};
use tokio::sync::watch;

use crate::dispatcher::StageSource;
use crate::error::DispatchError;

/// Earlier revisions that executions still go on with, kept at hand.
const KEPT: usize = 8;

/// Between two tries of a revision, where a store did not answer, and where something is missing or broken.
const RETRY_SOON: Duration = Duration::from_millis(500);
const RETRY_LATER: Duration = Duration::from_secs(60);

/// The pins that are in force.
#[derive(Clone)]
pub(crate) struct Revisions {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn PinSource>,
    stages: Arc<dyn StageSource>,
    watcher: PinsWatcher,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In force.
    accepted: Option<Arc<Pins>>,
    /// Tried and found wanting.
    refused: Option<Refused>,
    /// Being loaded.
    next: Option<Next>,
    /// By number.
    earlier: BTreeMap<u64, Arc<Pins>>,
}

struct Refused {
    pins: Arc<Pins>,
    /// Not tried again before.
    until: SystemTime,
}

struct Next {
    pins: Arc<Pins>,
    since: SystemTime,
    done: watch::Receiver<bool>,
}

impl Revisions {
    pub(crate) fn new(source: Arc<dyn PinSource>, stages: Arc<dyn StageSource>, watcher: PinsWatcher) -> Self {
        Self { shared: Arc::new(Shared { source, stages, watcher, state: Mutex::default() }) }
    }

    /// The pins for an execution that began with the revision `began`, if it has begun.
    pub(crate) async fn of(&self, began: Option<u64>) -> Result<Arc<Pins>, DispatchError> {
        let current = self.current().await?;
        match began {
            Some(began) if began != current.revision && !current.revoked.contains(&began) => {
                self.shared.earlier(began, current).await
            }
            _ => Ok(current),
        }
    }

    /// The pins in force, after a look at whether there are new ones.
    pub(crate) async fn current(&self) -> Result<Arc<Pins>, DispatchError> {
        let shared = &self.shared;
        let offered = shared.source.current().await.map_err(of_pins)?;
        let (accepted, mut done, since) = {
            let mut state = shared.state();
            let accepted = match &state.accepted {
                // The first one is taken as it is: what of it is broken refuses its own state when that is called, and
                // a cold start loads one stage and not all of them.
                None => {
                    state.accepted = Some(offered.clone());
                    return Ok(offered);
                }
                Some(accepted) => accepted.clone(),
            };
            let same = |pins: &Arc<Pins>| Arc::ptr_eq(pins, &offered) || **pins == *offered;
            let refused =
                state.refused.as_ref().is_some_and(|refused| same(&refused.pins) && SystemTime::now() < refused.until);
            if refused || same(&accepted) {
                return Ok(accepted);
            }
            let next = match state.next.take().filter(|next| same(&next.pins)) {
                Some(next) => next,
                None => Next { pins: offered.clone(), since: SystemTime::now(), done: shared.clone().load(offered) },
            };
            let (done, since) = (next.done.clone(), next.since);
            state.next = Some(next);
            (accepted, done, since)
        };
        // The clock on the wall, because a frozen Lambda's other clocks may stand still.
        let waited = SystemTime::now().duration_since(since).unwrap_or_default();
        if waited < shared.source.patience() {
            return Ok(accepted);
        }
        // An error means that the task is gone: a defect, and the last good revision is the answer to that too.
        let _ = done.wait_for(|done| *done).await;
        Ok(shared.state().accepted.clone().unwrap_or(accepted))
    }
}

impl Shared {
    /// Loads what `offered` changes, in a task of its own, and takes it over or refuses it.
    fn load(self: Arc<Self>, offered: Arc<Pins>) -> watch::Receiver<bool> {
        let (done, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let accepted = self.state().accepted.clone();
            let answer = match &accepted {
                Some(accepted) => self.load_changes(accepted, &offered).await,
                None => Ok(()),
            };
            self.settle(offered, answer);
            done.send_replace(true);
        });
        receiver
    }

    /// Takes the loaded pins over, or refuses them; unless others have been offered meanwhile, which then count.
    fn settle(&self, offered: Arc<Pins>, answer: Result<(), DispatchError>) {
        let mut state = self.state();
        if !state.next.as_ref().is_some_and(|next| Arc::ptr_eq(&next.pins, &offered)) {
            return;
        }
        state.next = None;
        match answer {
            Ok(()) => {
                let revision = offered.revision;
                if let Some(before) = state.accepted.replace(offered) {
                    state.keep(before);
                }
                state.earlier.remove(&revision);
                self.stages.retain(&state.in_use());
                drop(state);
                (self.watcher)(PinsEvent::InForce { revision });
            }
            Err(error) => {
                // A bucket that does not answer may do so soon. What is missing or broken may be mended without new pins.
                let passing = error.error_type == Case::Transient.name();
                let until = SystemTime::now() + if passing { RETRY_SOON } else { RETRY_LATER };
                let why = format!("revision {}: {error}", offered.revision);
                let revision = state.accepted.as_ref().map_or(0, |accepted| accepted.revision);
                let known = state.refused.as_ref().is_some_and(|refused| Arc::ptr_eq(&refused.pins, &offered));
                state.refused = Some(Refused { pins: offered, until });
                drop(state);
                // Once: the next tries are no news.
                if !known {
                    (self.watcher)(PinsEvent::Refused { revision, why: &why });
                }
            }
        }
    }

    async fn load_changes(&self, accepted: &Pins, offered: &Pins) -> Result<(), DispatchError> {
        for state in accepted.states.keys() {
            if !offered.states.contains_key(state) {
                return Err(DispatchError::no_pin(format!("it has no pin for {state}, which the one before has")));
            }
        }
        let known: Vec<_> = accepted.pins().map(|(_, pin)| pin.identity()).collect();
        for (_, pin) in offered.pins() {
            if !known.contains(&pin.identity()) {
                self.stages.stage(pin).await?;
            }
        }
        Ok(())
    }

    async fn earlier(&self, revision: u64, current: Arc<Pins>) -> Result<Arc<Pins>, DispatchError> {
        if let Some(kept) = self.state().earlier.get(&revision) {
            return Ok(kept.clone());
        }
        match self.source.revision(revision).await {
            Ok(Some(pins)) => {
                self.state().keep(pins.clone());
                Ok(pins)
            }
            // Pins that come with the package: a new package is a new beginning.
            Ok(None) => Ok(current),
            Err(error @ PinError::Storage(_)) => Err(of_pins(error)),
            Err(error) => Err(DispatchError::no_pin(format!(
                "the execution began with revision {revision}, but {error}; revoke that revision, and it goes on with {}",
                current.revision
            ))),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store that does not answer may do so soon; pins that are none will not become some.
fn of_pins(error: PinError) -> DispatchError {
    match error {
        PinError::Storage(error) => Failure::new(Case::Transient, error.to_string()).into(),
        error => DispatchError::no_pin(error.to_string()),
    }
}

impl State {
    fn keep(&mut self, pins: Arc<Pins>) {
        self.earlier.insert(pins.revision, pins);
        while self.earlier.len() > KEPT {
            self.earlier.pop_first();
        }
    }

    /// What a call may yet need: the pins in force, those that executions go on with, those that are being loaded.
    fn in_use(&self) -> HashSet<String> {
        let all = self.accepted.iter().chain(self.earlier.values()).chain(self.next.iter().map(|next| &next.pins));
        all.flat_map(|pins| pins.pins()).map(|(_, pin)| pin.digest.clone()).collect()
    }
}

#[cfg(test)]
#[path = "revisions_tests.rs"]
mod tests;
