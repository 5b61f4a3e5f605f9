#![allow(clippy::unwrap_used, missing_docs)]
//! How a host follows pins in a store: few requests, conditional ones, and valid pins survive bad answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_pins::{Author, BatchLimits, CURRENT, CurrentPins, PinError, PinSource as _, PinStore, Pins, StoredPins};
use stagehost_registry::SigningKey;
use stagehost_storage::{Folder, Found, Storage, StorageError, Tag};

/// A folder that can fail, and notes its answers.
struct Watched {
    folder: Folder,
    broken: Mutex<bool>,
    hangs: Mutex<bool>,
    answers: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Storage for Watched {
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, StorageError> {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        if *self.broken.lock().unwrap() {
            return Err(StorageError::Failed { doing: "cannot read", place: self.place(name), reason: "down".into() });
        }
        let found = self.folder.get(name, unless).await?;
        self.answers.lock().unwrap().push(match &found {
            Found::Missing => "missing",
            Found::Unchanged => "unchanged",
            Found::Found { .. } => "found",
        });
        Ok(found)
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, StorageError> {
        self.folder.create(name, bytes).await
    }

    async fn replace(&self, name: &str, bytes: Bytes, was: &Tag) -> Result<Option<Tag>, StorageError> {
        self.folder.replace(name, bytes, was).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.folder.list(prefix).await
    }

    fn place(&self, name: &str) -> String {
        self.folder.place(name)
    }
}

struct Place {
    folder: tempfile::TempDir,
    key: SigningKey,
    storage: Arc<Watched>,
    events: Arc<Mutex<Vec<String>>>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (broken, hangs, answers) = (Mutex::default(), Mutex::default(), Mutex::default());
        let storage = Arc::new(Watched { folder: Folder::new(folder.path()), broken, hangs, answers });
        Self { folder, key: SigningKey::generate().unwrap(), storage, events: Arc::default() }
    }

    fn store(&self) -> PinStore {
        PinStore::new(self.storage.clone(), self.key.public().to_string().parse().unwrap())
    }

    fn followed(&self, max_age: Duration) -> StoredPins {
        let events = self.events.clone();
        StoredPins::new(self.store(), max_age, Arc::new(move |event| events.lock().unwrap().push(format!("{event:?}"))))
    }

    /// Puts the next revision in force, without any pins in it.
    async fn put(&self) -> u64 {
        let on: Option<CurrentPins> = self.store().current(None).await.ok().flatten();
        let author = Author { key: &self.key, by: "someone", why: "a test", restores: None };
        let pins = Pins::new(BatchLimits::default(), BTreeMap::new());
        let revision = self.store().put(pins, on.as_ref(), &author).await.unwrap().revision;
        self.storage.answers.lock().unwrap().clear();
        revision
    }

    fn answers(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.storage.answers.lock().unwrap())
    }
}

async fn revision(pins: &StoredPins) -> u64 {
    pins.current().await.unwrap().revision
}

#[tokio::test]
async fn pins_are_not_fetched_again_before_their_maximum_age() {
    let place = Place::new();
    place.put().await;
    let pins = place.followed(Duration::from_secs(3600));
    for _ in 0..5 {
        assert_eq!(revision(&pins).await, 1);
    }
    assert_eq!(place.answers(), ["found"]);
}

#[tokio::test]
async fn simultaneous_calls_fetch_the_pins_once() {
    let place = Place::new();
    place.put().await;
    let pins = place.followed(Duration::from_secs(3600));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn({
                let pins = pins.clone();
                async move { revision(&pins).await }
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 1);
    }
    assert_eq!(place.answers(), ["found"]);
}

#[tokio::test]
async fn unchanged_pins_are_not_transferred_again_and_changed_ones_are() {
    let place = Place::new();
    place.put().await;
    let pins = place.followed(Duration::ZERO);
    let first = pins.current().await.unwrap();
    assert!(Arc::ptr_eq(&first, &pins.current().await.unwrap()));
    assert_eq!(place.answers(), ["found", "unchanged"]);
    place.put().await;
    assert_eq!(revision(&pins).await, 2);
    assert_eq!(pins.revision(1).await.unwrap().unwrap().revision, 1, "earlier revisions are kept");
}

#[tokio::test]
async fn after_errors_and_invalid_pins_the_last_good_ones_stay_in_force() {
    let place = Place::new();
    let pins = place.followed(Duration::ZERO);
    assert!(matches!(pins.current().await, Err(PinError::None { .. })), "there are none yet");
    place.put().await;
    assert_eq!(revision(&pins).await, 1);

    *place.storage.broken.lock().unwrap() = true;
    assert_eq!(revision(&pins).await, 1);
    *place.storage.broken.lock().unwrap() = false;
    let current = place.folder.path().join(CURRENT);
    let good = std::fs::read(&current).unwrap();
    std::fs::write(&current, "{oops").unwrap();
    assert_eq!(revision(&pins).await, 1);
    let events = std::mem::take(&mut *place.events.lock().unwrap());
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains("down") && events[1].contains("not a signed envelope"), "{events:?}");

    std::fs::write(&current, good).unwrap();
    place.put().await;
    assert_eq!(revision(&pins).await, 2);
}

#[tokio::test]
async fn older_pins_are_refused_although_their_signature_is_valid() {
    let place = Place::new();
    place.put().await;
    let pins = place.followed(Duration::ZERO);
    let current = place.folder.path().join(CURRENT);
    let old = std::fs::read(&current).unwrap();
    place.put().await;
    assert_eq!(revision(&pins).await, 2);
    std::fs::write(&current, old).unwrap();
    assert_eq!(revision(&pins).await, 2);
    assert!(place.events.lock().unwrap()[0].contains("revision 1 is older"));
}

/// The sum of many calls is compared, because a slow machine delays any single one.
#[tokio::test]
async fn a_store_that_hangs_delays_one_call_and_no_other_until_it_has_answered() {
    let place = Place::new();
    place.put().await;
    let max_age = Duration::from_millis(1);
    let pins = place.followed(max_age);
    assert_eq!(revision(&pins).await, 1);
    place.put().await;
    *place.storage.hangs.lock().unwrap() = true;
    let begun = Instant::now();
    for _ in 0..200 {
        assert_eq!(revision(&pins).await, 1);
        tokio::time::sleep(max_age).await;
    }
    let seconds = begun.elapsed().as_secs();
    assert!(seconds < 60, "each of the 200 calls would have waited for 400 ms: {seconds} s");
    *place.storage.hangs.lock().unwrap() = false;
    while revision(&pins).await != 2 {
        assert!(begun.elapsed() < Duration::from_secs(120), "the store answers, but nobody asks it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
