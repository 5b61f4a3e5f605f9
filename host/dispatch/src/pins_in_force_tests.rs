#![allow(clippy::unwrap_used)]
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use stagehost_pins::Pin;
use stagehost_runtime::Stage;
use tokio::sync::Semaphore;

use super::*;

/// A source that offers one revision and knows earlier ones.
struct Source {
    offered: Mutex<Arc<Pins>>,
    kept: Vec<Arc<Pins>>,
    patience: Duration,
}

#[async_trait]
impl PinSource for Source {
    async fn current(&self) -> Result<Arc<Pins>, PinError> {
        Ok(self.offered.lock().unwrap().clone())
    }

    async fn revision(&self, revision: u64) -> Result<Option<Arc<Pins>>, PinError> {
        let found = self.kept.iter().find(|pins| pins.revision == revision).cloned();
        found.map(Some).ok_or(PinError::Lost { revision, place: "history".into() })
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

/// A source without stages. Counts the requests, and answers as many as there are permits.
struct Empty {
    asked: Mutex<u32>,
    answers: Semaphore,
    /// Whether its store does not answer.
    down: Mutex<bool>,
}

#[async_trait]
impl StageSource for Empty {
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        *self.asked.lock().unwrap() += 1;
        self.answers.acquire().await.unwrap().forget();
        if *self.down.lock().unwrap() {
            return Err(Failure::new(Case::Transient, "the store is down").into());
        }
        Err(DispatchError::bad_stage(format!("no {}", pin.digest)))
    }
}

struct Place {
    source: Arc<Source>,
    stages: Arc<Empty>,
    events: Arc<Mutex<Vec<String>>>,
    revisions: Revisions,
}

impl Place {
    fn new(patience: Duration, answers: usize, kept: Vec<Arc<Pins>>) -> Self {
        let source = Arc::new(Source { offered: Mutex::new(pins(1, "0", 85)), kept, patience });
        let stages =
            Arc::new(Empty { asked: Mutex::new(0), answers: Semaphore::new(answers), down: Mutex::new(false) });
        let events = Arc::new(Mutex::new(Vec::new()));
        let watcher: PinsWatcher = {
            let events = events.clone();
            Arc::new(move |event| events.lock().unwrap().push(format!("{event:?}")))
        };
        let revisions = Revisions::new(source.clone(), stages.clone(), watcher);
        Self { source, stages, events, revisions }
    }

    fn offer(&self, pins: Arc<Pins>) {
        *self.source.offered.lock().unwrap() = pins;
    }

    async fn current(&self) -> u64 {
        self.revisions.current().await.unwrap().revision
    }
}

fn pins(revision: u64, digit: &str, quality: u32) -> Arc<Pins> {
    let pin = json!({
        "stage": "x", "version": "1.0.0", "world": "custom", "config": {"quality": quality},
        "digest": format!("sha256:{}", digit.repeat(64)),
    });
    let text = json!({"revision": revision, "states": {"X": pin}}).to_string();
    Arc::new(Pins::parse(text.as_bytes(), "test").unwrap())
}

#[tokio::test]
async fn a_revision_whose_stage_cannot_be_loaded_is_tried_once_and_the_last_good_one_stays_in_force() {
    let place = Place::new(Duration::ZERO, 100, vec![]);
    assert_eq!(place.current().await, 1);
    place.offer(pins(2, "1", 85));
    for _ in 0..3 {
        assert_eq!(place.current().await, 1);
    }
    assert_eq!(*place.stages.asked.lock().unwrap(), 1);
    // A revision that changes no bytes needs no stage loaded.
    place.offer(pins(3, "0", 70));
    assert_eq!(place.current().await, 3);
    let events = place.events.lock().unwrap().join("\n");
    assert!(events.contains("Refused { revision: 1, why: \"revision 2: Host.BadStage: no sha256:111"), "{events}");
    assert!(events.ends_with("InForce { revision: 3 }"), "{events}");
}

#[tokio::test]
async fn a_revision_whose_stage_cannot_be_fetched_now_is_tried_again() {
    let place = Place::new(Duration::ZERO, 100, vec![]);
    place.current().await;
    *place.stages.down.lock().unwrap() = true;
    place.offer(pins(2, "1", 85));
    let begun = SystemTime::now();
    while *place.stages.asked.lock().unwrap() < 2 {
        assert_eq!(place.current().await, 1);
        assert!(begun.elapsed().unwrap() < Duration::from_secs(60), "never again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_revision_without_a_pin_for_a_known_state_is_refused() {
    let place = Place::new(Duration::ZERO, 0, vec![]);
    place.current().await;
    let empty = br#"{"revision": 2, "states": {}}"#;
    place.offer(Arc::new(Pins::parse(empty, "test").unwrap()));
    assert_eq!(place.current().await, 1);
}

#[tokio::test]
async fn a_canarys_stage_must_be_loaded_before_its_revision_is_in_force() {
    let place = Place::new(Duration::ZERO, 100, vec![]);
    place.current().await;
    let mut tried = (*pins(2, "0", 85)).clone();
    let pin = pins(2, "1", 85).states["X"].clone();
    tried.canaries.insert("X".into(), stagehost_pins::Canary { percent: 5, abort_above_percent: None, pin });
    place.offer(Arc::new(tried));
    assert_eq!(place.current().await, 1);
}

#[tokio::test]
async fn calls_use_the_old_revision_while_a_new_one_loads_but_no_longer_than_the_source_allows() {
    let place = Arc::new(Place::new(Duration::from_secs(3600), 0, vec![]));
    place.current().await;
    place.offer(pins(2, "1", 85));
    assert_eq!(place.current().await, 1, "the call does not wait");
    assert_eq!(place.current().await, 1);
    tokio::task::yield_now().await;
    assert_eq!(*place.stages.asked.lock().unwrap(), 1, "loaded once");

    let place = Arc::new(Place::new(Duration::ZERO, 0, vec![]));
    place.current().await;
    place.offer(pins(2, "1", 85));
    let waiting = tokio::spawn({
        let place = place.clone();
        async move { place.current().await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished(), "the call waits for the result");
    place.stages.answers.add_permits(1);
    assert_eq!(waiting.await.unwrap(), 1);
}

#[tokio::test]
async fn a_revision_that_loads_slowly_does_not_replace_a_newer_one() {
    let place = Place::new(Duration::from_secs(3600), 0, vec![]);
    place.current().await;
    *place.stages.down.lock().unwrap() = true;
    place.offer(pins(2, "1", 85));
    assert_eq!(place.current().await, 1, "revision 2 is being loaded");
    // A rollback needs no stage loaded.
    place.offer(pins(3, "0", 80));
    let begun = SystemTime::now();
    while place.current().await != 3 {
        assert!(begun.elapsed().unwrap() < Duration::from_secs(60), "the newer one is never in force");
        tokio::task::yield_now().await;
    }
    place.stages.answers.add_permits(1);
    while place.stages.answers.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert_eq!(place.current().await, 3);
    let events = place.events.lock().unwrap().join("\n");
    assert_eq!(events, "InForce { revision: 3 }", "the outdated revision is not reported");
}

#[tokio::test]
async fn an_execution_continues_with_its_revision_unless_that_is_revoked_or_lost() {
    let place = Place::new(Duration::ZERO, 0, vec![pins(1, "0", 85), pins(2, "0", 80)]);
    place.offer(pins(3, "0", 70));
    let of = async |began| place.revisions.of(began).await.map(|pins| pins.revision);
    assert_eq!(of(None).await.unwrap(), 3, "a new execution");
    assert_eq!(of(Some(3)).await.unwrap(), 3);
    assert_eq!(of(Some(1)).await.unwrap(), 1);
    let lost = of(Some(9)).await.unwrap_err();
    assert_eq!(lost.error_type, "Host.NoPin");
    assert!(lost.error_message.contains("began with revision 9"), "{lost}");

    let mut revoking = (*pins(4, "0", 70)).clone();
    revoking.revoked.insert(1);
    place.offer(Arc::new(revoking));
    assert_eq!(of(Some(1)).await.unwrap(), 4);
    assert_eq!(of(Some(2)).await.unwrap(), 2);
}
