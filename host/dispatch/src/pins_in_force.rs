//! Switches from one revision of the pins to the next without interrupting calls.
//!
//! A new revision takes effect only when everything that it changes has been loaded. Until then the revision before stays
//! in force, and it remains so if something is missing or broken. Running calls finish with the stages that they began
//! with. An execution continues with the revision that it began with, unless that is revoked.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use stagehost_batch::{Case, Failure};
use stagehost_pins::{PinError, PinSource, Pins, PinsEvent, PinsWatcher};
use stagehost_runtime::lock;
use tokio::sync::watch;

use crate::error::DispatchError;
use crate::stage_source::StageSource;

/// How many earlier revisions are kept in memory for executions that began with them.
const KEPT: usize = 8;

/// Time between two tries to load a revision if a store did not answer.
const RETRY_SOON: Duration = Duration::from_millis(500);
/// Time between two tries to load a revision if something is missing or broken.
const RETRY_LATER: Duration = Duration::from_secs(60);

/// The revisions of the pins that this process knows.
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
    /// The pins in force.
    accepted: Option<Arc<Pins>>,
    /// The last revision that could not be loaded.
    refused: Option<Refused>,
    /// The revision that is being loaded.
    next: Option<Loading>,
    /// Earlier revisions by number.
    earlier: BTreeMap<u64, Arc<Pins>>,
}

struct Refused {
    pins: Arc<Pins>,
    /// When it may be tried again.
    retry_at: SystemTime,
}

struct Loading {
    pins: Arc<Pins>,
    since: SystemTime,
    done: watch::Receiver<bool>,
}

impl Revisions {
    pub(crate) fn new(source: Arc<dyn PinSource>, stages: Arc<dyn StageSource>, watcher: PinsWatcher) -> Self {
        Self { shared: Arc::new(Shared { source, stages, watcher, state: Mutex::default() }) }
    }

    /// Returns the pins for an execution that began with the revision `began`; `None` if it is new.
    pub(crate) async fn of(&self, began: Option<u64>) -> Result<Arc<Pins>, DispatchError> {
        let current = self.current().await?;
        match began {
            Some(began) if began != current.revision && !current.revoked.contains(&began) => {
                self.shared.earlier(began, current).await
            }
            _ => Ok(current),
        }
    }

    /// Returns the pins in force. Begins to load new ones if the source has any.
    pub(crate) async fn current(&self) -> Result<Arc<Pins>, DispatchError> {
        let shared = &self.shared;
        let offered = shared.source.current().await.map_err(of_pins)?;
        let (accepted, mut done, since) = {
            let mut state = shared.state();
            let accepted = match &state.accepted {
                // The first revision is accepted unchecked: a broken stage fails its own state only, and a cold start
                // loads one stage instead of all.
                None => {
                    state.accepted = Some(offered.clone());
                    return Ok(offered);
                }
                Some(accepted) => accepted.clone(),
            };
            let same = |pins: &Arc<Pins>| Arc::ptr_eq(pins, &offered) || **pins == *offered;
            let refused = state.refused.as_ref().is_some_and(|old| same(&old.pins) && SystemTime::now() < old.retry_at);
            if refused || same(&accepted) {
                return Ok(accepted);
            }
            let next = match state.next.take().filter(|next| same(&next.pins)) {
                Some(next) => next,
                None => Loading { pins: offered.clone(), since: SystemTime::now(), done: shared.clone().load(offered) },
            };
            let (done, since) = (next.done.clone(), next.since);
            state.next = Some(next);
            (accepted, done, since)
        };
        // Wall-clock time, because a frozen Lambda's monotonic clock may stand still.
        let waited = SystemTime::now().duration_since(since).unwrap_or_default();
        if waited < shared.source.patience() {
            return Ok(accepted);
        }
        // An error means that the loading task panicked. The last good revision stays in force then, too.
        let _ = done.wait_for(|done| *done).await;
        Ok(shared.state().accepted.clone().unwrap_or(accepted))
    }
}

impl Shared {
    /// Loads what `offered` changes in a separate task, then accepts or refuses it.
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

    /// Accepts or refuses the loaded pins. Does nothing if newer pins have been offered meanwhile.
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
                // A store may answer again soon. What is missing or broken may be repaired without new pins.
                let transient = error.error_type == Case::Transient.name();
                let retry_at = SystemTime::now() + if transient { RETRY_SOON } else { RETRY_LATER };
                let why = format!("revision {}: {error}", offered.revision);
                let revision = state.accepted.as_ref().map_or(0, |accepted| accepted.revision);
                let known = state.refused.as_ref().is_some_and(|refused| Arc::ptr_eq(&refused.pins, &offered));
                state.refused = Some(Refused { pins: offered, retry_at });
                drop(state);
                // Reported once, not for every retry.
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
            // Pins in a package have no history.
            Ok(None) => Ok(current),
            Err(error @ PinError::Storage(_)) => Err(of_pins(error)),
            Err(error) => Err(DispatchError::no_pin(format!(
                "the execution began with revision {revision}, but {error}; revoke that revision, and it goes on with {}",
                current.revision
            ))),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Storage errors are retryable; invalid pins are not.
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

    /// Returns the digests that a call may still need: of the pins in force, of earlier ones, and of those being loaded.
    fn in_use(&self) -> HashSet<String> {
        let all = self.accepted.iter().chain(self.earlier.values()).chain(self.next.iter().map(|next| &next.pins));
        all.flat_map(|pins| pins.pins()).map(|(_, pin)| pin.digest.clone()).collect()
    }
}

#[cfg(test)]
#[path = "pins_in_force_tests.rs"]
mod tests;
