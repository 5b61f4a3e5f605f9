#![allow(clippy::unwrap_used)]
use stagehost_storage::Folder;

use super::*;
use crate::document::tests::{pin, pins};

struct Place {
    folder: tempfile::TempDir,
    key: SigningKey,
    store: PinStore,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let store = PinStore::new(Arc::new(Folder::new(folder.path())), trusting(&key));
        Self { folder, key, store }
    }

    async fn put(&self, pins: Pins, on: Option<&CurrentPins>) -> Result<Pins, PinError> {
        self.store.put(pins, on, &Author { key: &self.key, by: "someone", why: "a test", restores: None }).await
    }

    async fn current(&self) -> CurrentPins {
        self.store.current(None).await.unwrap().unwrap()
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn trusting(key: &SigningKey) -> TrustedKeys {
    key.public().to_string().parse().unwrap()
}

#[test]
fn the_roles_of_a_key_are_those_that_it_is_trusted_for_here() {
    let place = Place::new();
    assert_eq!(place.store.roles_of(&place.key.public()), Some(KeyRoles::Both));
    let trusted = format!("pins:{}", place.key.public()).parse().unwrap();
    let strict = PinStore::new(Arc::new(Folder::new(place.folder.path())), trusted);
    assert_eq!(strict.roles_of(&place.key.public()), Some(KeyRoles::Pins));
    assert_eq!(strict.roles_of(&SigningKey::generate().unwrap().public()), None);
}

fn version(pins: &Pins) -> &str {
    &pins.states["X"].version
}

#[tokio::test]
async fn every_revision_is_kept_with_its_author_time_and_reason() {
    let place = Place::new();
    assert!(matches!(place.store.current(None).await, Err(PinError::None { .. })));
    place.put(pins(0, "1.0.0", '0'), None).await.unwrap();
    let first = place.current().await;
    let next = first.pins.pinning("X", pin("x", "2.0.0", '1'));
    assert_eq!(place.put(next, Some(&first)).await.unwrap().revision, 2);

    assert!(place.store.current(Some(&place.current().await.tag)).await.unwrap().is_none(), "unchanged");
    let history = place.store.history(10).await.unwrap();
    assert_eq!(
        history.iter().map(|entry| (entry.revision, version(entry.pins.as_ref().unwrap()))).collect::<Vec<_>>(),
        [(2, "2.0.0"), (1, "1.0.0")]
    );
    let change = history[0].pins.as_ref().unwrap().change.clone().unwrap();
    assert_eq!((change.by.as_str(), change.why.as_str(), change.previous), ("someone", "a test", Some(1)));
    assert_eq!(place.store.history(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_changes_based_on_the_same_pins_one_succeeds_and_the_other_names_it() {
    let place = Place::new();
    place.put(pins(0, "1.0.0", '0'), None).await.unwrap();
    let seen = place.current().await;
    place.put(seen.pins.pinning("X", pin("x", "2.0.0", '1')), Some(&seen)).await.unwrap();
    let error = place.put(seen.pins.pinning("X", pin("x", "3.0.0", '2')), Some(&seen)).await.unwrap_err();
    assert!(matches!(error, PinError::Overtaken { .. }));
    assert!(error.to_string().contains("revision 2 by someone"), "{error}");
    assert_eq!(version(&place.current().await.pins), "2.0.0");
    assert!(
        matches!(place.put(pins(0, "4.0.0", '3'), None).await, Err(PinError::Overtaken { .. })),
        "there are pins already"
    );
}

#[tokio::test]
async fn a_revision_that_never_took_effect_does_not_block_the_next_change() {
    let place = Place::new();
    place.put(pins(0, "1.0.0", '0'), None).await.unwrap();
    // The state after an author's process died between the two writes.
    std::fs::copy(place.file("history/00000001.json"), place.file("history/00000002.json")).unwrap();
    let seen = place.current().await;
    let next = place.put(seen.pins.pinning("X", pin("x", "2.0.0", '1')), Some(&seen)).await.unwrap();
    assert_eq!(next.revision, 3);
    let revisions = place.store.history(10).await.unwrap();
    assert_eq!(revisions.iter().map(|pins| pins.revision).collect::<Vec<_>>(), [3, 1]);
}

#[tokio::test]
async fn pins_without_a_valid_trusted_signature_are_refused_with_the_reason() {
    let place = Place::new();
    place.put(pins(0, "1.0.0", '0'), None).await.unwrap();
    let refusal = || async { place.store.current(None).await.unwrap_err().to_string() };

    let good = std::fs::read_to_string(place.file(CURRENT)).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&good).unwrap();
    let payload = document["payload"].as_str().unwrap().to_owned();
    let flipped = if payload.starts_with("ew") { "fw" } else { "ew" };
    document["payload"] = format!("{flipped}{}", &payload[2..]).into();
    std::fs::write(place.file(CURRENT), document.to_string()).unwrap();
    assert!(refusal().await.contains("does not match the content"), "{}", refusal().await);

    std::fs::write(place.file(CURRENT), serde_json::to_vec(&pins(9, "1.0.0", '0')).unwrap()).unwrap();
    assert!(refusal().await.contains("not a signed envelope"), "{}", refusal().await);

    std::fs::write(place.file(CURRENT), &good).unwrap();
    let other = SigningKey::generate().unwrap();
    let store = PinStore::new(Arc::new(Folder::new(place.folder.path())), trusting(&other));
    let error = store.current(None).await.unwrap_err().to_string();
    assert!(error.contains("is not trusted"), "{error}");
    let nobody = PinStore::new(Arc::new(Folder::new(place.folder.path())), TrustedKeys::default());
    assert!(nobody.current(None).await.unwrap_err().to_string().contains("no key is trusted"));
}

#[tokio::test]
async fn a_revision_under_the_name_of_another_is_refused() {
    let place = Place::new();
    place.put(pins(0, "1.0.0", '0'), None).await.unwrap();
    let seen = place.current().await;
    place.put(seen.pins.pinning("X", pin("x", "2.0.0", '1')), Some(&seen)).await.unwrap();
    std::fs::copy(place.file("history/00000001.json"), place.file("history/00000002.json")).unwrap();
    assert!(matches!(place.store.revision(2).await, Err(PinError::Misplaced { found: 1, .. })));
    assert!(matches!(place.store.revision(5).await, Err(PinError::Lost { revision: 5, .. })));
}

#[tokio::test]
async fn a_planted_file_with_the_highest_number_does_not_restart_the_numbers() {
    let place = Place::new();
    place.put(pins(0, "1.0.0", '0'), None).await.unwrap();
    let seen = place.current().await;
    std::fs::write(place.file(&format!("history/{}.json", u64::MAX)), "").unwrap();
    let error = place.put(pins(0, "2.0.0", '1'), Some(&seen)).await.unwrap_err();
    assert!(error.to_string().contains("no higher revision"), "{error}");
}

/// A store in which every write is made twice, as when the first answer was lost.
struct Lossy(Folder);

#[async_trait::async_trait]
impl Storage for Lossy {
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, stagehost_storage::StorageError> {
        self.0.get(name, unless).await
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, stagehost_storage::StorageError> {
        self.0.create(name, bytes.clone()).await?;
        self.0.create(name, bytes).await
    }

    async fn replace(
        &self,
        name: &str,
        bytes: Bytes,
        was: &Tag,
    ) -> Result<Option<Tag>, stagehost_storage::StorageError> {
        self.0.replace(name, bytes.clone(), was).await?;
        self.0.replace(name, bytes, was).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, stagehost_storage::StorageError> {
        self.0.list(prefix).await
    }

    fn place(&self, name: &str) -> String {
        self.0.place(name)
    }
}

#[tokio::test]
async fn a_repeated_write_is_not_refused_because_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let store = PinStore::new(Arc::new(Lossy(Folder::new(folder.path()))), trusting(&key));
    let author = Author { key: &key, by: "someone", why: "a test", restores: None };
    store.put(pins(0, "1.0.0", '0'), None, &author).await.unwrap();
    let seen = store.current(None).await.unwrap().unwrap();
    assert_eq!(seen.signer, key.public());
    assert_eq!(store.put(pins(0, "2.0.0", '1'), Some(&seen), &author).await.unwrap().revision, 2);
}
