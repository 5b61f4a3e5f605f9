#![allow(clippy::unwrap_used, missing_docs)]
//! Which signed pins are refused all the same: those of another environment, older ones than the floor, those by a key of
//! another role. And how far back a history is to be trusted. Processes that start and processes that run are asked alike.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stagehost_pins::{
    Author, BatchLimits, CURRENT, CurrentPins, FALLBACK_STEPS, Floor, PinError, PinSource, PinStore, Pins, StoredPins,
};
use stagehost_registry::{SigningKey, TrustedKeys, seal};
use stagehost_storage::{Folder, GrowingNumber, Storage, StorageError};

/// The envelope's type, as [README](../README.md) names the form of the documents.
const TYPE: &str = "application/vnd.stagehost.pins.v1+json";

/// The key of the signature below, as `stagehost keys` prints it. OpenSSL made it, for tests only.
const OPENSSL_KEY: &str = "ed25519:ViXEkxNrI00LSoKZdAuocJHOmKIqORsxmBsgWnUR8tk=";

/// Revision 4 for the environment `staging`, by a writer that is not this project's.
const OPENSSL_PINS: &str = r#"{"revision":4,"environment":"staging","change":{"by":"anna","at":"2026-01-02T03:04:05Z","why":"a test","previous":3},"batch":{"maxFiles":60,"maxBytes":1073741824},"states":{}}"#;

/// `openssl pkeyutl -sign -rawin` of `DSSEv1 38 application/vnd.stagehost.pins.v1+json 175 ` and these pins.
const OPENSSL_SIGNATURE: &str =
    "fXDpORGon+MyWYRMbSO9qyHa3ezycuFzXc9+p+tB7FKd4BvfvEElGi2VAq1KwFNcnSavV0SH9Q5OVSwUM7vuBA==";

/// A folder of pins for the environment `staging`, and a key.
struct Place {
    folder: tempfile::TempDir,
    key: SigningKey,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), key: SigningKey::generate().unwrap() }
    }

    fn store_trusting(&self, trusted: &str) -> PinStore {
        let trusted: TrustedKeys = trusted.parse().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(Folder::new(self.folder.path()));
        PinStore::new(storage, trusted).for_environment("staging")
    }

    fn store(&self) -> PinStore {
        self.store_trusting(&self.key.public().to_string())
    }

    async fn change(&self, store: &PinStore, key: &SigningKey, restores: Option<u64>) -> Pins {
        let on: Option<CurrentPins> = store.current(None).await.ok().flatten();
        let pins = Pins::new(BatchLimits::default(), BTreeMap::new());
        let pins = Pins { revoked: on.as_ref().map(|on| on.pins.revoked.clone()).unwrap_or_default(), ..pins };
        store.put(pins, on.as_ref(), &Author { key, by: "someone", why: "a test", restores }).await.unwrap()
    }

    /// Puts the next revision in force.
    async fn put(&self) -> Pins {
        self.change(&self.store(), &self.key, None).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an earlier signed revision in the place of the pins in force, as somebody without a key could.
    fn put_back(&self, revision: u64) {
        std::fs::copy(self.file(&format!("history/{revision:08}.json")), self.file(CURRENT)).unwrap();
    }
}

/// Returns a source that has seen nothing yet.
fn cold(store: PinStore, floor: Floor) -> StoredPins {
    StoredPins::not_below(store, floor, Duration::ZERO, Arc::new(|_| {}))
}

async fn refusal(source: &StoredPins) -> String {
    source.current().await.unwrap_err().to_string()
}

/// A number in memory, in the place of one outside of the store.
#[derive(Default)]
struct Kept {
    number: AtomicU64,
    broken: Mutex<bool>,
}

#[async_trait]
impl GrowingNumber for Kept {
    async fn read(&self) -> Result<Option<u64>, StorageError> {
        if *self.broken.lock().unwrap() {
            return Err(StorageError::Failed { doing: "cannot read", place: self.place(), reason: "throttled".into() });
        }
        Ok(Some(self.number.load(Ordering::SeqCst)).filter(|number| *number > 0))
    }

    async fn raise(&self, least: u64) -> Result<u64, StorageError> {
        Ok(self.number.fetch_max(least, Ordering::SeqCst).max(least))
    }

    fn place(&self) -> String {
        "a number".into()
    }
}

#[tokio::test]
async fn stagings_pins_are_refused_in_production_by_a_process_that_starts_and_by_one_that_runs() {
    let (staging, production) = (Place::new(), Place::new());
    staging.put().await;
    staging.put().await;
    // One key for both, as where one team operates both.
    let store = || {
        let storage: Arc<dyn Storage> = Arc::new(Folder::new(production.folder.path()));
        PinStore::new(storage, staging.key.public().to_string().parse().unwrap()).for_environment("production")
    };
    production.change(&store(), &staging.key, None).await;
    let running = cold(store(), Floor::default());
    assert_eq!(running.current().await.unwrap().environment.as_deref(), Some("production"));

    std::fs::copy(staging.file(CURRENT), production.file(CURRENT)).unwrap();
    let said = refusal(&cold(store(), Floor::default())).await;
    assert!(said.contains("are signed for the environment staging, but this is production"), "{said}");
    assert!(said.contains(CURRENT), "{said}");
    assert_eq!(running.current().await.unwrap().revision, 1, "the last good ones stay in force");

    std::fs::copy(staging.file("history/00000002.json"), production.file("history/00000002.json")).unwrap();
    let error = running.revision(2).await.unwrap_err();
    assert!(matches!(&error, PinError::Environment { found, .. } if found == "staging"), "{error}");
}

#[tokio::test]
async fn pins_that_name_no_environment_are_refused_until_they_are_signed_again() {
    let place = Place::new();
    let pins = Pins { revision: 4, ..Pins::new(BatchLimits::default(), BTreeMap::new()) };
    let envelope = seal(TYPE, &serde_json::to_vec(&pins).unwrap(), &place.key);
    std::fs::write(place.file(CURRENT), envelope).unwrap();
    let said = refusal(&cold(place.store(), Floor::default())).await;
    assert!(said.contains("for no environment") && said.contains("stagehost pins resign"), "{said}");
    assert!(matches!(place.store().of_any_environment().current(None).await, Err(PinError::NoEnvironment { .. })));

    let old = place.store().even_unbound().current(None).await.unwrap().unwrap();
    let author = Author { key: &place.key, by: "someone", why: "the environment", restores: None };
    let put = place.store().put(old.pins.clone(), Some(&old), &author).await.unwrap();
    assert_eq!((put.revision, put.environment.as_deref()), (5, Some("staging")));
    assert_eq!(cold(place.store(), Floor::default()).current().await.unwrap().revision, 5);
}

#[tokio::test]
async fn a_change_keeps_the_environment_of_the_pins_in_force_where_none_is_named() {
    let place = Place::new();
    place.put().await;
    let store = place.store().of_any_environment();
    assert_eq!(place.change(&store, &place.key, None).await.environment.as_deref(), Some("staging"));
    let empty = Place::new();
    let author = Author { key: &empty.key, by: "someone", why: "the first", restores: None };
    let first = Pins::new(BatchLimits::default(), BTreeMap::new());
    let error = empty.store().of_any_environment().put(first, None, &author).await.unwrap_err();
    assert!(matches!(error, PinError::NoEnvironment { .. }), "{error}");
}

#[tokio::test]
async fn an_older_revision_that_was_put_back_is_refused_by_a_process_that_starts() {
    let place = Place::new();
    for _ in 0..3 {
        place.put().await;
    }
    let kept = Arc::new(Kept::default());
    let floor = || Floor::new(0, Some(kept.clone()));
    assert_eq!(cold(place.store(), floor()).current().await.unwrap().revision, 3, "no floor is set yet");
    assert_eq!(kept.raise(3).await.unwrap(), 3);
    assert_eq!(kept.raise(2).await.unwrap(), 3, "it only grows");

    place.put_back(2);
    for floor in [floor(), Floor::new(3, None), Floor::new(3, Some(Arc::new(Kept::default())))] {
        let said = refusal(&cold(place.store(), floor)).await;
        assert!(said.contains("are revision 2, but nothing below 3 may be in force"), "{said}");
        assert!(said.contains("put older ones back"), "{said}");
    }
    place.put_back(3);
    let running = cold(place.store(), floor());
    assert_eq!(running.current().await.unwrap().revision, 3);
    assert_eq!(running.revision(1).await.unwrap().unwrap().revision, 1, "an execution goes on with its revision");
}

#[tokio::test]
async fn a_process_does_not_start_without_knowing_the_floor() {
    let place = Place::new();
    place.put().await;
    let kept = Arc::new(Kept::default());
    *kept.broken.lock().unwrap() = true;
    let source = cold(place.store(), Floor::new(0, Some(kept.clone())));
    assert!(matches!(source.current().await, Err(PinError::Storage(_))), "it may be tried again");
    *kept.broken.lock().unwrap() = false;
    assert_eq!(source.current().await.unwrap().revision, 1);
}

#[tokio::test]
async fn a_build_servers_key_cannot_change_pins() {
    let place = Place::new();
    place.put().await;
    let build = SigningKey::generate().unwrap();
    let trusted = format!("pins:{},stages:{}", place.key.public(), build.public());
    let running = cold(place.store_trusting(&trusted), Floor::default());
    assert_eq!(running.current().await.unwrap().revision, 1);

    let pins = serde_json::json!({"revision": 2, "environment": "staging", "states": {}});
    std::fs::write(place.file(CURRENT), seal(TYPE, pins.to_string().as_bytes(), &build)).unwrap();
    let said = refusal(&cold(place.store_trusting(&trusted), Floor::default())).await;
    assert!(said.contains(&build.public().id()) && said.contains("not trusted to change pins"), "{said}");
    assert_eq!(running.current().await.unwrap().revision, 1);
}

/// Changes from revision to revision; the first two are signed by a key that is dropped afterwards.
async fn after_a_rotation() -> (Place, SigningKey) {
    let place = Place::new();
    let new = SigningKey::generate().unwrap();
    let both = place.store_trusting(&format!("{},{}", place.key.public(), new.public()));
    for (at, key) in [&place.key, &place.key, &new, &new, &new].into_iter().enumerate() {
        assert_eq!(place.change(&both, key, None).await.revision, at as u64 + 1);
    }
    (place, new)
}

#[tokio::test]
async fn a_revision_can_be_restored_although_older_ones_are_signed_by_a_dropped_key() {
    let (place, new) = after_a_rotation().await;
    let store = place.store_trusting(&new.public().to_string());
    let now = store.current(None).await.unwrap().unwrap().pins;
    assert_eq!(store.was_in_force(&now, 3).await.unwrap().unwrap().revision, 3);
    assert!(store.was_in_force(&now, 9).await.unwrap().is_none());
    let error = store.was_in_force(&now, 2).await.unwrap_err().to_string();
    assert!(error.contains("00000002.json") && error.contains("not trusted"), "{error}");
}

#[tokio::test]
async fn the_history_names_the_revisions_that_are_not_to_be_trusted() {
    let (place, new) = after_a_rotation().await;
    let store = place.store_trusting(&new.public().to_string());
    let shown = |limit| {
        let store = store.clone();
        async move {
            let entries = store.history(limit).await.unwrap();
            entries.into_iter().map(|entry| (entry.revision, entry.pins.is_ok())).collect::<Vec<_>>()
        }
    };
    assert_eq!(shown(10).await, [(5, true), (4, true), (3, true), (2, false), (1, false)]);
    assert_eq!(shown(4).await, [(5, true), (4, true), (3, true), (2, false)]);
    assert_eq!(shown(2).await, [(5, true), (4, true)]);
}

#[tokio::test]
async fn a_revision_that_was_never_in_force_cannot_be_restored() {
    let place = Place::new();
    place.put().await;
    // The state after an author's process died between the two writes.
    std::fs::copy(place.file("history/00000001.json"), place.file("history/00000002.json")).unwrap();
    let now = place.put().await;
    assert_eq!(now.revision, 3);
    assert!(place.store().was_in_force(&now, 2).await.unwrap().is_none());
}

async fn fallback(source: &StoredPins, in_force: &Pins, broken: u64) -> Option<u64> {
    source.fallback(in_force, broken).await.unwrap().map(|pins| pins.revision)
}

#[tokio::test]
async fn in_place_of_broken_pins_run_those_before_but_none_below_the_floor() {
    let place = Place::new();
    for _ in 0..4 {
        place.put().await;
    }
    let source = cold(place.store(), Floor::new(2, None));
    let now = Pins::clone(&source.current().await.unwrap());
    assert_eq!(fallback(&source, &now, 4).await, Some(3));
    assert_eq!(fallback(&source, &now, 3).await, Some(2));
    assert_eq!(fallback(&source, &now, 2).await, None, "revision 1 is below the floor");
    let revoked = Pins { revoked: [3].into(), ..now };
    assert_eq!(fallback(&source, &revoked, 4).await, Some(2), "a revoked revision does not run");
}

#[tokio::test]
async fn what_a_rollback_replaced_does_not_run_in_its_place() {
    let place = Place::new();
    place.put().await;
    place.put().await;
    let back = place.change(&place.store(), &place.key, Some(1)).await;
    let source = cold(place.store(), Floor::default());
    assert_eq!(fallback(&source, &back, 3).await, None);
}

#[tokio::test]
async fn changes_leave_the_floor_below_the_revisions_to_which_a_process_goes_back() {
    let place = Place::new();
    for _ in 0..3 {
        place.put().await;
    }
    let now = place.put().await;
    assert_eq!(place.store().floor_after(None, &now).await.unwrap(), 1, "revisions 2 to 4 may all be broken");
    for _ in 0..FALLBACK_STEPS {
        place.put().await;
    }
    let now = place.put().await;
    assert_eq!(place.store().floor_after(Some(&now), &now).await.unwrap(), now.revision - FALLBACK_STEPS as u64);
    let revoked = Pins { revoked: [3].into(), ..now.clone() };
    assert_eq!(place.store().floor_after(Some(&now), &revoked).await.unwrap(), now.revision);
    let back = place.change(&place.store(), &place.key, Some(2)).await;
    assert_eq!(place.store().floor_after(Some(&now), &back).await.unwrap(), back.revision);
    let after = place.put().await;
    assert_eq!(place.store().floor_after(Some(&back), &after).await.unwrap(), back.revision, "not before the rollback");
}

#[tokio::test]
async fn in_place_of_broken_pins_run_none_of_another_environment_or_by_an_untrusted_key() {
    let (place, new) = after_a_rotation().await;
    let source = cold(place.store_trusting(&new.public().to_string()), Floor::default());
    let now = source.current().await.unwrap();
    assert!(matches!(source.fallback(&now, 3).await, Err(PinError::Signature { .. })));

    let other = Place::new();
    other.put().await;
    let now = other.put().await;
    let pins = serde_json::json!({"revision": 1, "environment": "production", "states": {}});
    std::fs::write(other.file("history/00000001.json"), seal(TYPE, pins.to_string().as_bytes(), &other.key)).unwrap();
    let source = cold(other.store(), Floor::default());
    assert!(matches!(source.fallback(&now, 2).await, Err(PinError::Environment { .. })));
}

#[tokio::test]
async fn a_process_that_starts_on_signed_pins_with_a_mistake_runs_those_before() {
    let place = Place::new();
    place.put().await;
    place.put().await;
    let bad = |environment: &str, previous: u64| {
        let change = serde_json::json!({"by": "x", "at": "now", "why": "x", "previous": previous});
        let pins = serde_json::json!({"revision": 3, "environment": environment, "change": change, "statse": {}});
        std::fs::write(place.file(CURRENT), seal(TYPE, pins.to_string().as_bytes(), &place.key)).unwrap();
    };
    bad("staging", 2);
    let events = Arc::new(Mutex::new(Vec::new()));
    let watcher = events.clone();
    let log: stagehost_pins::PinsWatcher = Arc::new(move |event| watcher.lock().unwrap().push(format!("{event:?}")));
    let source = StoredPins::new(place.store(), Duration::ZERO, log);
    for _ in 0..3 {
        assert_eq!(source.current().await.unwrap().revision, 2);
    }
    let events = std::mem::take(&mut *events.lock().unwrap());
    assert!(events.len() == 1 && events[0].contains("statse"), "said once, with the mistake: {events:?}");

    let said = refusal(&cold(place.store(), Floor::new(3, None))).await;
    assert!(said.contains("statse"), "there is nothing above the floor: {said}");
    bad("production", 2);
    let said = refusal(&cold(place.store(), Floor::default())).await;
    assert!(said.contains("for the environment production"), "{said}");
    place.put_back(2);
    let mended = place.change(&place.store(), &place.key, None).await;
    assert_eq!(source.current().await.unwrap().revision, mended.revision);
}

#[tokio::test]
async fn a_signature_by_openssl_covers_environment_and_revision() {
    let place = Place::new();
    let write = |payload: &str| {
        let envelope = serde_json::json!({
            "payloadType": TYPE, "payload": base64(payload), "signatures": [{"sig": OPENSSL_SIGNATURE}],
        });
        std::fs::write(place.file(CURRENT), envelope.to_string()).unwrap();
    };
    let store = |roles: &str| place.store_trusting(&format!("{roles}{OPENSSL_KEY}"));
    write(OPENSSL_PINS);
    for roles in ["", "pins:"] {
        assert_eq!(cold(store(roles), Floor::new(4, None)).current().await.unwrap().revision, 4);
    }
    assert!(refusal(&cold(store("stages:"), Floor::default())).await.contains("not trusted to change pins"));
    assert!(refusal(&cold(store(""), Floor::new(5, None))).await.contains("nothing below 5"));
    let elsewhere = cold(store("").for_environment("production"), Floor::default());
    assert!(refusal(&elsewhere).await.contains("for the environment staging"));

    for changed in [OPENSSL_PINS.replace("staging", "product"), OPENSSL_PINS.replace(r#"n":4"#, r#"n":9"#)] {
        write(&changed);
        let store = store("").of_any_environment();
        assert!(refusal(&cold(store, Floor::default())).await.contains("does not match the content"), "{changed}");
    }
}

/// Returns the standard base64 of a text.
fn base64(text: &str) -> String {
    let envelope = seal(TYPE, text.as_bytes(), &SigningKey::generate().unwrap());
    serde_json::from_slice::<serde_json::Value>(&envelope).unwrap()["payload"].as_str().unwrap().to_owned()
}
