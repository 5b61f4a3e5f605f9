//! Switches from one revision of the pins to the next without interrupting calls.
//!
//! A new revision takes effect only when everything that it changes has been loaded. That happens in the background: calls
//! go on with the revision in force, however long a store takes, and the watcher is told. A revision that is broken is
//! refused, and the one before stays in force. A process that has no pins in force yet goes back to the revision before, so
//! that old and new processes agree. Running calls finish with the stages that they began with. An execution continues with
//! the revision that it began with, unless that is revoked or broken.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use stagehost_batch::{Case, Failure};
use stagehost_pins::{FALLBACK_STEPS, PinError, PinSource, Pins, PinsEvent, PinsWatcher};
use stagehost_runtime::lock;

use crate::earlier_pins::EarlierPins;
use crate::error::DispatchError;
use crate::next_pins::{Loading, NextPins, bound};
use crate::pins_readiness::{Readiness, readiness};
use crate::stage_source::StageSource;

/// The longest that the first call of a process waits until the newest revision is known to be usable. After that it begins
/// with that revision, and goes back later if it turns out to be broken.
const FIRST_CHECK: Duration = Duration::from_secs(5);

/// How many broken revisions are remembered.
const BROKEN_KEPT: usize = 64;

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
    /// The revision that is offered, if it is not in force, or in force and not checked yet.
    next: Option<NextPins>,
    /// Revisions that cannot be used.
    broken: BTreeSet<u64>,
    earlier: EarlierPins,
}

impl Revisions {
    pub(crate) fn new(source: Arc<dyn PinSource>, stages: Arc<dyn StageSource>, watcher: PinsWatcher) -> Self {
        Self { shared: Arc::new(Shared { source, stages, watcher, state: Mutex::default() }) }
    }

    /// Returns the pins for an execution that began with the revision `began`; `None` if it is new.
    pub(crate) async fn of(&self, began: Option<u64>) -> Result<Arc<Pins>, DispatchError> {
        let current = self.current().await?;
        match began {
            Some(began) if began != current.revision && !self.shared.is_unusable(began, &current) => {
                self.shared.earlier(began, current).await
            }
            _ => Ok(current),
        }
    }

    /// Returns the pins in force. Begins to load new ones if the source has any.
    pub(crate) async fn current(&self) -> Result<Arc<Pins>, DispatchError> {
        let shared = &self.shared;
        let offered = shared.source.current().await.map_err(of_pins)?;
        let accepted = shared.state().accepted.clone();
        let Some(accepted) = accepted else { return Ok(self.first(offered).await) };
        let wait = {
            let mut state = shared.state();
            let in_force = same(&accepted, &offered);
            if in_force && state.next.as_ref().is_none_or(|next| !same(&next.pins, &offered)) {
                state.next = None;
                return Ok(accepted);
            }
            let loading = shared.pursue(&mut state, &offered);
            let revoked = !in_force && offered.revoked.contains(&accepted.revision);
            // A revoked revision must not run, so no good revision is left.
            let allowance = if revoked { Duration::MAX } else { loading.allowance(shared.source.max_wait()) };
            (!allowance.is_zero()).then_some((loading.done, allowance, revoked))
        };
        let Some((mut done, allowance, revoked)) = wait else { return Ok(accepted) };
        // An error means that the loading task panicked.
        let _ = tokio::time::timeout(allowance, done.wait_for(|done| *done)).await;
        let current = shared.state().accepted.clone().unwrap_or(accepted);
        if revoked && offered.revoked.contains(&current.revision) {
            let (revoked, newer) = (current.revision, offered.revision);
            let why = format!("revision {revoked} of the pins is revoked, and revision {newer} cannot be loaded yet");
            return Err(Failure::new(Case::Transient, why).into());
        }
        Ok(current)
    }

    /// Puts the first pins of this process in force. Pins with a history are checked as a whole, because other processes
    /// refuse them as a whole.
    async fn first(&self, offered: Arc<Pins>) -> Arc<Pins> {
        let shared = &self.shared;
        let mut done = {
            let mut state = shared.state();
            let alone = offered.change.as_ref().is_none_or(|change| change.previous.is_none());
            if alone || state.accepted.is_some() {
                // There is nothing to go back to, so a broken stage fails its own state only.
                return state.accepted.get_or_insert(offered).clone();
            }
            shared.pursue(&mut state, &offered).done
        };
        let _ = tokio::time::timeout(FIRST_CHECK, done.wait_for(|done| *done)).await;
        // If nothing answered in time, the check goes on while these pins are in force.
        shared.state().accepted.get_or_insert(offered).clone()
    }
}

impl Shared {
    /// Returns the loading of `offered`; begins it if it is time.
    fn pursue(self: &Arc<Self>, state: &mut State, offered: &Arc<Pins>) -> Loading {
        let next = match state.next.take().filter(|next| same(&next.pins, offered)) {
            Some(next) => next,
            None => NextPins::new(offered.clone()),
        };
        let next = state.next.insert(next);
        if let Some(done) = next.begin() {
            let (shared, pins, failures) = (self.clone(), next.pins.clone(), next.failures());
            tokio::spawn(async move {
                let loading = tokio::spawn({
                    let (shared, pins) = (shared.clone(), pins.clone());
                    async move { shared.load(pins, failures).await }
                });
                // A panic is a defect of the host, and must not end the tries.
                if let Err(panicked) = loading.await {
                    shared.settle(&pins, Readiness::Late(panicked.to_string()), None);
                }
                done.send_replace(true);
            });
        }
        next.loading()
    }

    /// Loads what `offered` changes, or checks all of it if nothing else is in force.
    async fn load(&self, offered: Arc<Pins>, failures: u32) {
        let accepted = self.state().accepted.clone().filter(|accepted| !same(accepted, &offered));
        let mut answer = readiness(&self.stages, accepted.as_deref(), &offered, bound(failures)).await;
        let mut instead = None;
        if accepted.is_none() && matches!(answer, Readiness::Broken(_)) {
            match self.usable_before(&offered).await {
                Ok(found) => instead = found,
                Err(error) => answer = Readiness::Late(format!("the revision before it is not known: {error}")),
            }
        }
        self.settle(&offered, answer, instead);
    }

    /// Returns the newest revision before a broken one that can be used; `None` if there is none.
    async fn usable_before(&self, broken: &Pins) -> Result<Option<Arc<Pins>>, PinError> {
        let mut last = broken.revision;
        for _ in 0..FALLBACK_STEPS {
            let older = match self.source.fallback(broken, last).await {
                Ok(Some(older)) if older.revision < last => older,
                Ok(_) => return Ok(None),
                Err(error @ PinError::Storage(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "there is no earlier revision of the pins to go back to");
                    return Ok(None);
                }
            };
            // If a store does not answer, it is not known whether this revision is usable. It was once in force, so it
            // is used.
            if !matches!(readiness(&self.stages, None, &older, bound(0)).await, Readiness::Broken(_)) {
                return Ok(Some(older));
            }
            last = older.revision;
        }
        Ok(None)
    }

    /// Acts on the answer about `offered`: puts the pins in force, refuses them or goes back. Does nothing if newer
    /// pins have been offered meanwhile.
    fn settle(&self, offered: &Arc<Pins>, answer: Readiness, instead: Option<Arc<Pins>>) {
        let mut state = self.state();
        if state.next.as_ref().is_none_or(|next| !Arc::ptr_eq(&next.pins, offered)) {
            return;
        }
        let revision = offered.revision;
        match answer {
            Readiness::Ready => {
                state.next = None;
                state.broken.remove(&revision);
                let first = state.accepted.is_none();
                if state.replace(offered.clone()) {
                    self.stages.retain(&state.in_use());
                    drop(state);
                    if !first {
                        (self.watcher)(PinsEvent::InForce { revision });
                    }
                }
            }
            Readiness::Broken(error) => {
                state.note_broken(revision);
                let why = format!("revision {revision}: {error}");
                let first_time = state.next.as_mut().is_some_and(NextPins::note_refused);
                let fell_back = instead.is_some();
                if let Some(older) = instead {
                    state.replace(older);
                } else if state.accepted.as_ref().is_none_or(|accepted| same(accepted, offered)) {
                    // There is nothing else, and its other stages may be usable.
                    state.replace(offered.clone());
                    state.broken.remove(&revision);
                    state.next = None;
                }
                let accepted = state.accepted.as_ref().map_or(0, |accepted| accepted.revision);
                drop(state);
                match (fell_back, first_time) {
                    (true, _) => {
                        (self.watcher)(PinsEvent::FellBack { revision: accepted, broken: revision, why: &why })
                    }
                    (false, true) => (self.watcher)(PinsEvent::Refused { revision: accepted, why: &why }),
                    // Reported once, not for every try.
                    (false, false) => {}
                }
            }
            Readiness::Late(why) => {
                let seconds = state.next.as_mut().map_or(0, NextPins::note_late);
                let accepted = state.accepted.as_ref().map_or(revision, |accepted| accepted.revision);
                drop(state);
                (self.watcher)(PinsEvent::Late { revision: accepted, newer: revision, seconds, why: &why });
            }
        }
    }

    /// Returns whether no execution may go on with a revision.
    fn is_unusable(&self, revision: u64, current: &Pins) -> bool {
        let state = self.state();
        // A revocation counts as soon as it is known, even if the pins that have it are still being loaded.
        let revoked_by = |pins: &Pins| pins.revoked.contains(&revision);
        state.broken.contains(&revision)
            || revoked_by(current)
            || state.next.as_ref().is_some_and(|next| revoked_by(&next.pins))
    }

    async fn earlier(&self, revision: u64, current: Arc<Pins>) -> Result<Arc<Pins>, DispatchError> {
        if let Some(kept) = self.state().earlier.get(revision) {
            return Ok(kept);
        }
        match self.source.revision(revision).await {
            Ok(Some(pins)) => {
                self.state().earlier.keep(pins.clone());
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

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Returns whether two revisions are equal. A source may return a revision again in another allocation.
fn same(one: &Arc<Pins>, other: &Arc<Pins>) -> bool {
    Arc::ptr_eq(one, other) || **one == **other
}

/// Returns the error of a call that has no pins. A storage error may be retried; invalid pins may not.
fn of_pins(error: PinError) -> DispatchError {
    match error {
        PinError::Storage(error) => Failure::new(Case::Transient, error.to_string()).into(),
        error => DispatchError::no_pin(error.to_string()),
    }
}

impl State {
    /// Puts pins in force and keeps those before. Returns whether others were in force.
    fn replace(&mut self, pins: Arc<Pins>) -> bool {
        if self.accepted.as_ref().is_some_and(|accepted| same(accepted, &pins)) {
            return false;
        }
        self.earlier.remove(pins.revision);
        if let Some(before) = self.accepted.replace(pins) {
            self.earlier.keep(before);
        }
        true
    }

    fn note_broken(&mut self, revision: u64) {
        self.broken.insert(revision);
        while self.broken.len() > BROKEN_KEPT {
            self.broken.pop_first();
        }
    }

    /// Returns the digests that a call may still need: of the pins in force, of earlier ones, and of those being loaded.
    fn in_use(&self) -> HashSet<String> {
        let all = self.accepted.iter().chain(self.earlier.iter()).chain(self.next.iter().map(|next| &next.pins));
        all.flat_map(|pins| pins.pins()).map(|(_, pin)| pin.digest.clone()).collect()
    }
}

#[cfg(test)]
#[path = "pins_in_force_tests.rs"]
mod tests;
