//! Pins in a store, as a running host follows them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use stagehost_runtime::lock;
use stagehost_storage::Tag;
use tokio::sync::Mutex as AsyncMutex;

use crate::document::Pins;
use crate::error::PinError;
use crate::events::{PinsEvent, PinsWatcher};
use crate::floor::Floor;
use crate::source::PinSource;
use crate::store::{CurrentPins, PinStore};

/// How much too old known pins may be, so that a call starts to fetch newer ones and does not wait for them.
const PATIENCE: Duration = Duration::from_millis(400);

/// The longest that the first call after a pause waits for newer pins.
const WAIT: Duration = Duration::from_millis(400);

/// The longest wait for the store's answer if there are known pins.
const ANSWER: Duration = Duration::from_secs(3);

/// Pins in a folder or a bucket. They are fetched again when they are older than a maximum age, by a conditional request,
/// which is cheap while they stay the same.
///
/// A call that finds them slightly too old starts a fetch and does not wait for it. The first call that finds them older than
/// that, after a pause, waits for a moment. If the store does not answer, no call waits again until it has answered. Age is
/// measured in wall-clock time, because a frozen Lambda's monotonic clock may stand still.
#[derive(Clone)]
pub struct StoredPins {
    shared: Arc<Shared>,
}

struct Shared {
    store: PinStore,
    floor: Floor,
    max_age: Duration,
    watcher: PinsWatcher,
    known: Mutex<Known>,
    /// Held during a fetch, so that simultaneous calls fetch once.
    fetching: AsyncMutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    pins: Option<(Arc<Pins>, Tag)>,
    /// When they were fetched last.
    fetched: Option<SystemTime>,
    /// Whether the store has let a fetch wait for too long, and has not answered since.
    unanswered: bool,
}

impl StoredPins {
    /// Returns a source that follows the pins in `store`. With a `max_age` of zero, every call fetches them and waits.
    pub fn new(store: PinStore, max_age: Duration, watcher: PinsWatcher) -> Self {
        Self::not_below(store, Floor::default(), max_age, watcher)
    }

    /// Returns such a source that begins with no revision below a floor, and falls back to none. Later it refuses every
    /// revision below the one that it knows.
    pub fn not_below(store: PinStore, floor: Floor, max_age: Duration, watcher: PinsWatcher) -> Self {
        let (known, fetching) = (Mutex::default(), AsyncMutex::new(()));
        Self { shared: Arc::new(Shared { store, floor, max_age, watcher, known, fetching }) }
    }
}

impl Shared {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        lock(&self.known)
    }

    fn patience(&self) -> Duration {
        PATIENCE.min(self.max_age)
    }

    /// Returns the known pins and their age; without an age if the clock was set back.
    fn known_pins(&self) -> Option<(Arc<Pins>, Option<Duration>)> {
        let known = self.known();
        let (pins, _) = known.pins.as_ref()?;
        Some((pins.clone(), known.fetched.and_then(|fetched| fetched.elapsed().ok())))
    }

    /// Returns how long a call waits for newer pins, if the known ones have this age.
    fn wait(&self, age: Option<Duration>, being_fetched: bool) -> Duration {
        let too_old = age.is_none_or(|age| age >= self.max_age + self.patience());
        if self.known().unanswered || !too_old {
            Duration::ZERO
        } else if self.max_age.is_zero() {
            ANSWER
        } else if being_fetched {
            Duration::ZERO
        } else {
            WAIT
        }
    }

    /// Tells the watcher why newer pins are not used. Returns the last ones that were, which stay in use.
    fn refuse(&self, last: Arc<Pins>, why: &str) -> Arc<Pins> {
        (self.watcher)(PinsEvent::Refused { revision: last.revision, why });
        last
    }

    /// Returns the first pins of this process, which nothing but the floor can tell from older ones.
    async fn first(
        &self,
        request: impl Future<Output = Result<Option<CurrentPins>, PinError>>,
    ) -> Result<Option<CurrentPins>, PinError> {
        let (found, floor) = tokio::join!(request, self.floor.lowest());
        let floor = floor?;
        let not_below = |pins: &Pins| match pins.revision {
            revision if revision < floor => Err(PinError::BelowFloor { place: self.store.place(), revision, floor }),
            _ => Ok(()),
        };
        match found {
            Ok(Some(found)) => not_below(&found.pins).map(|()| Some(found)),
            // A process that runs keeps the revision before. So does one that starts, since it is named under a signature.
            Err(error) if error.is_of_the_document() => {
                let Some(mut found) = self.store.outline().await? else { return Err(error) };
                not_below(&found.pins)?;
                let in_force = found.pins;
                let Some(before) = self.store.before(&in_force, in_force.revision, floor).await? else {
                    return Err(error);
                };
                (self.watcher)(PinsEvent::Refused { revision: before.revision, why: &error.to_string() });
                found.pins = before;
                Ok(Some(found))
            }
            other => other,
        }
    }

    /// Fetches the pins, unless another call did so after `began`.
    async fn fetch(&self, began: SystemTime) -> Result<Arc<Pins>, PinError> {
        let _turn = self.fetching.lock().await;
        let before = self.known().clone();
        if let Some((pins, _)) = &before.pins
            && before.fetched.is_some_and(|fetched| fetched >= began)
        {
            return Ok(pins.clone());
        }
        let mut fetched = SystemTime::now();
        let request = self.store.current(before.pins.as_ref().map(|(_, tag)| tag));
        let answer = match &before.pins {
            None => self.first(request).await,
            // The known pins can stay in force, so no call waits long for a store that hangs.
            Some(_) => tokio::time::timeout(ANSWER, request).await.unwrap_or_else(|_| {
                self.known().unanswered = true;
                let reason = format!("no answer within {} seconds", ANSWER.as_secs());
                Err(PinError::Unreadable { place: self.store.place(), reason })
            }),
        };
        if let (Err(error), Some((last, _))) = (&answer, &before.pins)
            && fetched.elapsed().is_ok_and(|time| time > ANSWER * 2)
        {
            // The process was frozen meanwhile, and its timers ran out. That says nothing about the store, which the next
            // call asks again.
            tracing::debug!(%error, "the process was frozen while it fetched the pins");
            return Ok(last.clone());
        }
        if answer.is_err() {
            // The next try is after the maximum age again.
            fetched = SystemTime::now();
        }
        let mut known = self.known();
        known.fetched = Some(fetched);
        known.unanswered &= answer.is_err();
        match (answer, before.pins) {
            (Ok(Some(CurrentPins { pins, tag, .. })), last) => {
                let pins = Arc::new(pins);
                if let Some((last, _)) = last.filter(|(last, _)| last.revision > pins.revision) {
                    let why = format!("revision {} is older: somebody has put it back", pins.revision);
                    return Ok(self.refuse(last, &why));
                }
                known.pins = Some((pins.clone(), tag));
                Ok(pins)
            }
            (Ok(None), Some((last, _))) => Ok(last),
            // The last good revision stays in force.
            (Err(error), Some((last, _))) => Ok(self.refuse(last, &error.to_string())),
            (Err(error), None) => Err(error),
            (Ok(None), None) => Err(PinError::None { place: self.store.place() }),
        }
    }
}

#[async_trait]
impl PinSource for StoredPins {
    async fn current(&self) -> Result<Arc<Pins>, PinError> {
        let shared = &self.shared;
        let began = SystemTime::now();
        let Some((pins, age)) = shared.known_pins() else { return shared.fetch(began).await };
        if age.is_some_and(|age| age < shared.max_age) {
            return Ok(pins);
        }
        let being_fetched = shared.fetching.try_lock().is_err();
        let wait = shared.wait(age, being_fetched);
        if wait.is_zero() && being_fetched {
            return Ok(pins);
        }
        // Later calls use the result.
        let fetch = tokio::spawn({
            let shared = shared.clone();
            async move { shared.fetch(began).await }
        });
        if wait.is_zero() {
            return Ok(pins);
        }
        match tokio::time::timeout(wait, fetch).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panicked)) => Ok(pins),
            Err(_) => {
                let mut known = shared.known();
                known.unanswered = true;
                // Another call may have fetched newer ones meanwhile, and they may be in force already.
                let newest = known.pins.as_ref().map_or(pins, |(newest, _)| newest.clone());
                Ok(newest)
            }
        }
    }

    async fn revision(&self, revision: u64) -> Result<Option<Arc<Pins>>, PinError> {
        Ok(Some(Arc::new(self.shared.store.revision(revision).await?)))
    }

    async fn fallback(&self, in_force: &Pins, broken: u64) -> Result<Option<Arc<Pins>>, PinError> {
        let lowest = self.shared.floor.lowest().await?;
        Ok(self.shared.store.before(in_force, broken, lowest).await?.map(Arc::new))
    }

    /// Returns how long a call waits for new pins to be fetched and loaded. Only with a maximum age of zero do calls
    /// wait at all.
    fn max_wait(&self) -> Duration {
        if self.shared.max_age.is_zero() { ANSWER } else { Duration::ZERO }
    }
}
