//! Pins in a store, followed by a running host without asking more often than need be.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use stagehost_storage::Tag;
use tokio::sync::Mutex as AsyncMutex;

use crate::{Kept, PinError, PinSource, PinStore, Pins, PinsEvent, PinsWatcher};

/// The longest that calls go on with known pins while newer ones are asked for or loaded.
const PATIENCE: Duration = Duration::from_millis(400);

/// The longest wait for a store's answer where there are pins that can serve on.
const ANSWER: Duration = Duration::from_secs(3);

/// Pins in a folder or a bucket, asked for again when they are older than so and so much; by a conditional request, which
/// costs next to nothing while they stay the same.
///
/// A call that finds them a little too old has them asked for and goes on; one that finds them older than that, as the
/// first after a pause does, waits for the answer. Age is by the wall clock: a frozen Lambda's other clocks may stand
/// still.
#[derive(Clone)]
pub struct StoredPins {
    shared: Arc<Shared>,
}

struct Shared {
    store: PinStore,
    max_age: Duration,
    watcher: PinsWatcher,
    known: Mutex<Known>,
    /// Held while asking, so that calls at the same time ask once.
    asking: AsyncMutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    pins: Option<(Arc<Pins>, Tag)>,
    asked: Option<SystemTime>,
}

impl StoredPins {
    /// Follows the pins in `store`. With a `max_age` of zero every call asks, and waits for the answer.
    pub fn new(store: PinStore, max_age: Duration, watcher: PinsWatcher) -> Self {
        let (known, asking) = (Mutex::default(), AsyncMutex::new(()));
        Self { shared: Arc::new(Shared { store, max_age, watcher, known, asking }) }
    }
}

impl Shared {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn patience(&self) -> Duration {
        PATIENCE.min(self.max_age)
    }

    /// How old the known pins are. A clock that was set back says nothing about the age.
    fn age(&self) -> Option<Duration> {
        let known = self.known();
        known.pins.as_ref()?;
        SystemTime::now().duration_since(known.asked?).ok()
    }

    fn refuse(&self, last: Arc<Pins>, why: &str) -> Arc<Pins> {
        (self.watcher)(PinsEvent::Refused { revision: last.revision, why });
        last
    }

    /// Asks, unless somebody has while this waited for its turn.
    async fn ask(&self, began: SystemTime) -> Result<Arc<Pins>, PinError> {
        let _turn = self.asking.lock().await;
        let before = self.known().clone();
        if let Some((pins, _)) = &before.pins
            && before.asked.is_some_and(|asked| asked >= began)
        {
            return Ok(pins.clone());
        }
        let mut asked = SystemTime::now();
        let question = self.store.current(before.pins.as_ref().map(|(_, tag)| tag));
        let answer = match &before.pins {
            None => question.await,
            // What is known can serve on, so no call waits long for a store that hangs.
            Some(_) => tokio::time::timeout(ANSWER, question).await.unwrap_or_else(|_| {
                let reason = format!("no answer within {} seconds", ANSWER.as_secs());
                Err(PinError::Unreadable { place: self.store.place(), reason })
            }),
        };
        if answer.is_err() {
            // What went wrong just now would go wrong again.
            asked = SystemTime::now();
        }
        let mut known = self.known();
        known.asked = Some(asked);
        match (answer, before.pins) {
            (Ok(Some(Kept { pins, tag, .. })), last) => {
                let pins = Arc::new(pins);
                if let Some((last, _)) = last.filter(|(last, _)| last.revision > pins.revision) {
                    let why = format!("revision {} is older: somebody has put it back", pins.revision);
                    return Ok(self.refuse(last, &why));
                }
                known.pins = Some((pins.clone(), tag));
                Ok(pins)
            }
            (Ok(None), Some((last, _))) => Ok(last),
            // What was good a few seconds ago serves on.
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
        let Some(age) = shared.age() else { return shared.ask(began).await };
        let fresh = age < shared.max_age;
        if !fresh && age >= shared.max_age + shared.patience() {
            return shared.ask(began).await;
        }
        if !fresh && shared.asking.try_lock().is_ok() {
            let shared = shared.clone();
            // Whoever comes next sees what came of it.
            tokio::spawn(async move { shared.ask(began).await });
        }
        match &shared.known().pins {
            Some((pins, _)) => Ok(pins.clone()),
            None => Err(PinError::None { place: shared.store.place() }),
        }
    }

    async fn revision(&self, revision: u64) -> Result<Option<Arc<Pins>>, PinError> {
        Ok(Some(Arc::new(self.shared.store.revision(revision).await?)))
    }

    fn patience(&self) -> Duration {
        self.shared.patience()
    }
}
