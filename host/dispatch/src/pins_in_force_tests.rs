#![allow(clippy::unwrap_used)]
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::json;
use stagehost_pins::Pin;
use stagehost_runtime::Stage;
use tokio::sync::Semaphore;

use super::*;

/// Longer than anything here takes, unless it never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// A source that offers one revision and knows earlier ones.
struct Source {
    offered: Mutex<Arc<Pins>>,
    kept: Vec<Arc<Pins>>,
    max_wait: Duration,
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

    async fn fallback(&self, _: &Pins, broken: u64) -> Result<Option<Arc<Pins>>, PinError> {
        Ok(self.kept.iter().filter(|pins| pins.revision < broken).max_by_key(|pins| pins.revision).cloned())
    }

    fn max_wait(&self) -> Duration {
        self.max_wait
    }
}

/// A source whose stages can be checked and not loaded. Counts the requests, and answers as many as there are permits.
struct Shelf {
    /// The first digits of the stages that it has.
    has: Mutex<Vec<&'static str>>,
    asked: Mutex<u32>,
    answers: Semaphore,
    /// Whether its store does not answer.
    down: Mutex<bool>,
}

#[async_trait]
impl StageSource for Shelf {
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        *self.asked.lock().unwrap() += 1;
        self.answers.acquire().await.unwrap().forget();
        if *self.down.lock().unwrap() {
            return Err(Failure::new(Case::Transient, "the store is down").into());
        }
        Err(DispatchError::bad_stage(format!("no {}", pin.digest)))
    }

    async fn check(&self, pin: &Pin) -> Result<(), DispatchError> {
        match self.stage(pin).await {
            Err(error) if !self.has.lock().unwrap().iter().any(|digit| pin.digest.ends_with(digit)) => Err(error),
            _ => Ok(()),
        }
    }
}

struct Place {
    source: Arc<Source>,
    stages: Arc<Shelf>,
    events: Arc<Mutex<Vec<String>>>,
    revisions: Revisions,
}

impl Place {
    fn new(max_wait: Duration, answers: usize, kept: Vec<Arc<Pins>>) -> Self {
        let source = Arc::new(Source { offered: Mutex::new(pins(1, "0", 85)), kept, max_wait });
        let (has, answers) = (Mutex::new(vec!["0"]), Semaphore::new(answers));
        let stages = Arc::new(Shelf { has, asked: Mutex::new(0), answers, down: Mutex::new(false) });
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
        tokio::time::timeout(PATIENCE, self.revisions.current()).await.expect("the call waits").unwrap().revision
    }

    async fn of(&self, began: u64) -> u64 {
        self.revisions.of(Some(began)).await.unwrap().revision
    }

    /// Waits for a condition.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = SystemTime::now();
        while !holds(self) {
            assert!(begun.elapsed().unwrap() < PATIENCE, "never {what}: {}", self.events());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn events(&self) -> String {
        self.events.lock().unwrap().join("\n")
    }
}

/// Returns pins of one state, whose stage has a digest of this digit. They have no history.
fn pins(revision: u64, digit: &str, quality: u32) -> Arc<Pins> {
    let pin = json!({
        "stage": "x", "version": "1.0.0", "world": "custom", "config": {"quality": quality},
        "digest": format!("sha256:{}", digit.repeat(64)),
    });
    let text = json!({"revision": revision, "states": {"X": pin}}).to_string();
    Arc::new(Pins::parse(text.as_bytes(), "test").unwrap())
}

/// Returns such pins that follow those of the revision before.
fn following(revision: u64, digit: &str) -> Arc<Pins> {
    let mut pins = (*pins(revision, digit, 85)).clone();
    let change = json!({"by": "x", "at": "2026-01-02T03:04:05Z", "why": "a test", "previous": revision - 1});
    pins.change = Some(serde_json::from_value(change).unwrap());
    Arc::new(pins)
}

#[tokio::test]
async fn a_revision_whose_stage_cannot_be_loaded_is_tried_once_and_the_last_good_one_stays_in_force() {
    let place = Place::new(PATIENCE, 100, vec![]);
    assert_eq!(place.current().await, 1);
    place.offer(pins(2, "1", 85));
    for _ in 0..3 {
        assert_eq!(place.current().await, 1);
    }
    assert_eq!(*place.stages.asked.lock().unwrap(), 1);
    // A revision that changes no bytes needs no stage loaded.
    place.offer(pins(3, "0", 70));
    assert_eq!(place.current().await, 3);
    let events = place.events();
    assert!(events.contains("Refused { revision: 1, why: \"revision 2: Host.BadStage: no sha256:111"), "{events}");
    assert!(events.ends_with("InForce { revision: 3 }"), "{events}");
}

#[tokio::test]
async fn a_revision_whose_stage_cannot_be_fetched_now_is_tried_again_and_each_try_is_reported() {
    let place = Place::new(Duration::ZERO, 100, vec![]);
    place.current().await;
    *place.stages.down.lock().unwrap() = true;
    place.offer(pins(2, "1", 85));
    let begun = SystemTime::now();
    while place.events().matches("Late { revision: 1, newer: 2, ").count() < 2 {
        assert_eq!(place.current().await, 1);
        assert!(begun.elapsed().unwrap() < PATIENCE, "never again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(place.events().contains("the store is down"), "{}", place.events());
}

#[tokio::test]
async fn a_revision_without_a_pin_for_a_known_state_is_refused() {
    let place = Place::new(PATIENCE, 0, vec![]);
    place.current().await;
    let empty = br#"{"revision": 2, "states": {}}"#;
    place.offer(Arc::new(Pins::parse(empty, "test").unwrap()));
    assert_eq!(place.current().await, 1);
    assert!(place.events().contains("it has no pin for X"), "{}", place.events());
}

#[tokio::test]
async fn a_rollback_to_before_a_state_had_a_pin_is_followed() {
    let place = Place::new(PATIENCE, 0, vec![]);
    place.current().await;
    let mut back = (*following(2, "0")).clone();
    back.states.clear();
    back.change.as_mut().unwrap().restores = Some(1);
    place.offer(Arc::new(back));
    assert_eq!(place.current().await, 2, "{}", place.events());
}

#[tokio::test]
async fn a_canarys_stage_must_be_loaded_before_its_revision_is_in_force() {
    let place = Place::new(PATIENCE, 100, vec![]);
    place.current().await;
    let mut tried = (*pins(2, "0", 85)).clone();
    let pin = pins(2, "1", 85).states["X"].clone();
    tried.canaries.insert("X".into(), stagehost_pins::Canary { percent: 5, abort_above_percent: None, pin });
    place.offer(Arc::new(tried));
    assert_eq!(place.current().await, 1);
}

#[tokio::test(start_paused = true)]
async fn calls_go_on_with_the_old_revision_however_long_a_new_one_takes_to_load() {
    let place = Place::new(Duration::ZERO, 0, vec![]);
    place.current().await;
    place.offer(pins(2, "1", 85));
    for _ in 0..100 {
        let called = tokio::time::Instant::now();
        assert_eq!(place.current().await, 1);
        assert!(called.elapsed().is_zero(), "the call waited for {:?}", called.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let events = place.events();
    assert!(events.contains("newer: 2, ") && events.contains("not loaded within 15 s: x 1.0.0"), "{events}");
}

#[tokio::test]
async fn where_the_source_allows_it_a_call_waits_for_a_new_revision_but_no_longer() {
    let place = Arc::new(Place::new(PATIENCE, 0, vec![]));
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

    let place = Place::new(Duration::from_millis(20), 0, vec![]);
    place.current().await;
    place.offer(pins(2, "1", 85));
    assert_eq!(place.current().await, 1, "nothing has answered");
}

#[tokio::test]
async fn a_revision_that_loads_slowly_does_not_replace_a_newer_one() {
    let place = Place::new(Duration::ZERO, 0, vec![]);
    place.current().await;
    *place.stages.down.lock().unwrap() = true;
    place.offer(pins(2, "1", 85));
    assert_eq!(place.current().await, 1, "revision 2 is being loaded");
    // A rollback needs no stage loaded.
    place.offer(pins(3, "0", 80));
    let begun = SystemTime::now();
    while place.current().await != 3 {
        assert!(begun.elapsed().unwrap() < PATIENCE, "the newer one is never in force");
        tokio::task::yield_now().await;
    }
    place.stages.answers.add_permits(1);
    while place.stages.answers.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert_eq!(place.current().await, 3);
    assert_eq!(place.events(), "InForce { revision: 3 }", "the outdated revision is not reported");
}

#[tokio::test]
async fn an_execution_continues_with_its_revision_unless_that_is_revoked_or_lost() {
    let place = Place::new(PATIENCE, 0, vec![pins(1, "0", 85), pins(2, "0", 80)]);
    place.offer(pins(3, "0", 70));
    assert_eq!(place.current().await, 3, "a new execution");
    assert_eq!(place.of(3).await, 3);
    assert_eq!(place.of(1).await, 1);
    let lost = place.revisions.of(Some(9)).await.unwrap_err();
    assert_eq!(lost.error_type, "Host.NoPin");
    assert!(lost.error_message.contains("began with revision 9"), "{lost}");

    let mut revoking = (*pins(4, "0", 70)).clone();
    revoking.revoked.insert(1);
    place.offer(Arc::new(revoking));
    assert_eq!(place.of(1).await, 4);
    assert_eq!(place.of(2).await, 2);
}

#[tokio::test]
async fn a_revocation_counts_before_the_pins_that_have_it_are_loaded() {
    let place = Place::new(Duration::ZERO, 0, vec![pins(1, "0", 85), pins(2, "0", 80)]);
    place.offer(pins(3, "0", 70));
    place.current().await;
    let mut revoking = (*pins(4, "1", 70)).clone();
    revoking.revoked.insert(1);
    place.offer(Arc::new(revoking.clone()));
    assert_eq!(place.of(1).await, 3, "revision 4 is not loaded yet, but revision 1 must not run");
    assert_eq!(place.of(2).await, 2);
    // If the revision in force itself is revoked, there is no good one: the call fails and may be tried again.
    *place.stages.down.lock().unwrap() = true;
    place.stages.answers.add_permits(100);
    revoking.revision = 5;
    revoking.revoked.insert(3);
    place.offer(Arc::new(revoking));
    let error = place.revisions.current().await.unwrap_err();
    assert_eq!(error.error_type, "Stage.Transient");
    assert!(error.error_message.contains("revision 3 of the pins is revoked, and revision 5"), "{error}");
}

#[tokio::test]
async fn a_process_that_starts_on_a_broken_revision_goes_back_to_the_last_usable_one_as_running_ones_do() {
    let kept = vec![following(2, "0"), following(3, "1")];
    let [running, starting] = [(); 2].map(|()| Place::new(Duration::ZERO, 100, kept.clone()));
    running.offer(following(2, "0"));
    assert_eq!(running.current().await, 2);
    for place in [&running, &starting] {
        place.offer(following(4, "1"));
    }
    // Its very first call does not begin with the broken revision.
    assert_eq!(starting.current().await, 2, "{}", starting.events());
    assert_eq!(running.current().await, 2);
    let events = starting.events();
    assert!(events.contains("FellBack { revision: 2, broken: 4, why: \"revision 4: Host.BadStage"), "{events}");
    for _ in 0..3 {
        assert_eq!(starting.current().await, 2);
    }
    assert_eq!(starting.events(), events, "reported once");
    // It follows the next good one.
    starting.offer(following(5, "0"));
    starting.current().await;
    starting.until("in force", |place| place.events().ends_with("InForce { revision: 5 }")).await;
    assert_eq!(starting.current().await, 5);
}

#[tokio::test]
async fn a_process_without_anything_to_go_back_to_runs_what_it_can() {
    let place = Place::new(Duration::ZERO, 100, vec![]);
    place.offer(following(4, "1"));
    assert_eq!(place.current().await, 4, "another state's stage may be usable");
    assert!(place.events().contains("Refused { revision: 4"), "{}", place.events());
    let packaged = Place::new(Duration::ZERO, 0, vec![]);
    packaged.offer(pins(1, "1", 85));
    assert_eq!(packaged.current().await, 1, "pins without a history are not checked");
    assert_eq!(*packaged.stages.asked.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_process_goes_back_a_limited_number_of_revisions() {
    let place = Place::new(Duration::ZERO, 1000, (1..50).map(|revision| following(revision, "1")).collect());
    place.offer(following(50, "1"));
    assert_eq!(place.current().await, 50);
    assert_eq!(*place.stages.asked.lock().unwrap(), 1 + FALLBACK_STEPS as u32);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_while_a_store_hangs_begins_with_the_newest_pins_and_goes_back_if_they_are_broken() {
    let place = Place::new(Duration::ZERO, 0, vec![following(2, "0")]);
    place.offer(following(3, "1"));
    let begun = tokio::time::Instant::now();
    assert_eq!(place.current().await, 3, "the state's own stage may be at hand");
    assert!(begun.elapsed() >= FIRST_CHECK && begun.elapsed() < FIRST_CHECK * 2, "{:?}", begun.elapsed());
    let called = tokio::time::Instant::now();
    assert_eq!(place.current().await, 3);
    assert!(called.elapsed().is_zero(), "only the first call waits");

    place.stages.answers.add_permits(100);
    place.until("goes back", |place| place.events().contains("FellBack { revision: 2, broken: 3")).await;
    assert_eq!(place.current().await, 2);
    assert_eq!(place.of(3).await, 2, "an execution that began with the broken revision goes on");
}
