#![allow(clippy::unwrap_used)]
//! Several processes on the same pins: they run the same revision although some start while the newest one is broken or the
//! registry hangs, and they give up a canary together.

#[path = "../fixtures/dispatching.rs"]
#[allow(dead_code)]
mod dispatching;
#[path = "../fixtures/versions.rs"]
#[allow(dead_code)]
mod versions;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagehost_dispatch::{DispatchError, Dispatcher};
use stagehost_pins::{Author, BatchLimits, Canary, Pin, PinStore, Pins, PinsWatcher, StoredPins};
use stagehost_registry::SigningKey;
use stagehost_storage::{Folder, Storage};
use versions::{Published, published};

/// The longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(120);

/// Pins in a store, and a registry with three versions of a stage.
struct Fleet {
    published: Published,
    folder: tempfile::TempDir,
    key: SigningKey,
}

/// One process of the fleet.
struct Process {
    dispatcher: Dispatcher,
    events: Arc<Mutex<Vec<String>>>,
}

impl Fleet {
    async fn new() -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate().unwrap());
        Self { published: published(3).await.unwrap(), folder, key }
    }

    fn store(&self) -> PinStore {
        PinStore::new(Arc::new(Folder::new(self.folder.path())), self.key.public().to_string().parse().unwrap())
    }

    /// Pins a stage to the state `First`, and another one to `Second`.
    async fn pin(&self, first: &Pin, second: &Pin) -> u64 {
        let states = [("First", first), ("Second", second)].map(|(state, pin)| (state.to_owned(), pin.clone()));
        self.put(Pins::new(BatchLimits::default(), states.into())).await
    }

    async fn put(&self, pins: Pins) -> u64 {
        let on = self.store().current(None).await.ok().flatten();
        let author = Author { key: &self.key, by: "a test", why: "the next", restores: None };
        self.store().put(pins, on.as_ref(), &author).await.unwrap().revision
    }

    /// Starts a process with an empty cache.
    fn starts(&self, name: &str) -> Process {
        let events = Arc::new(Mutex::new(Vec::new()));
        let watcher: PinsWatcher = {
            let events = events.clone();
            Arc::new(move |event| events.lock().unwrap().push(format!("{event:?}")))
        };
        let pins = StoredPins::new(self.store(), Duration::from_millis(20), watcher.clone());
        let stages = self.published.elsewhere(name).unwrap();
        let canaries = Some(Arc::new(Folder::new(self.folder.path().join("canaries"))) as Arc<dyn Storage>);
        let dispatcher =
            dispatching::dispatcher_of_a_fleet(Arc::new(pins), stages, Arc::new(()), watcher, canaries).unwrap();
        Process { dispatcher, events }
    }

    fn versions(&self) -> [&Pin; 3] {
        [0, 1, 2].map(|number| &self.published.versions[number].pin)
    }
}

impl Process {
    /// Runs a state of an execution that began with this revision; `None` if it is new.
    async fn call(&self, state: &str, began: Option<u64>, seconds: u64) -> Result<Value, DispatchError> {
        let mut batch = json!({"listingId": 51, "jobId": 4, "assets": ["51/raw/photo/vertical/2025-11-27/a.jpg"]});
        let execution = json!({"arn": "one", "name": "one", "startedAt": "2026-01-02T03:04:05.678Z"});
        if let Some(began) = began {
            batch = self.begun(&execution, batch).await.unwrap();
            batch["revision"] = json!(began);
        }
        let payload = json!({"state": state, "execution": execution, "retry": 0, "batch": batch}).to_string();
        self.dispatcher.handle(payload.as_bytes(), Some(Instant::now() + Duration::from_secs(seconds))).await
    }

    /// Runs the state `First` of this execution. Returns the version that answers, or why it failed.
    async fn first(&self, execution: &str) -> Result<String, DispatchError> {
        let batch = json!({"listingId": 51, "jobId": 4, "assets": ["51/raw/photo/vertical/2025-11-27/a.jpg"]});
        let execution = json!({"arn": execution, "name": execution, "startedAt": "2026-01-02T03:04:05.678Z"});
        let answer = self.begun(&execution, batch).await?;
        Ok(answer["assets"][0]["title"].as_str().unwrap().to_owned())
    }

    /// Returns the batch of an execution that has begun.
    async fn begun(&self, execution: &Value, batch: Value) -> Result<Value, DispatchError> {
        let payload = json!({"state": "First", "execution": execution, "retry": 0, "batch": batch}).to_string();
        self.dispatcher.handle(payload.as_bytes(), None).await
    }

    /// Returns the revision and the version that answer for a state.
    async fn answer(&self, state: &str) -> (u64, String) {
        let answer = self.call(state, None, 60).await.unwrap_or_else(|error| panic!("{error}: {}", self.events()));
        (answer["revision"].as_u64().unwrap(), answer["assets"][0]["title"].as_str().unwrap().to_owned())
    }

    /// Waits until this revision answers.
    async fn follows(&self, revision: u64) {
        let begun = Instant::now();
        while self.answer("Second").await.0 != revision {
            assert!(begun.elapsed() < PATIENCE, "revision {revision} never answers: {}", self.events());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn events(&self) -> String {
        self.events.lock().unwrap().join("\n")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_on_a_broken_revision_answers_as_the_running_ones_do() {
    let fleet = Fleet::new().await;
    let [one, two, three] = fleet.versions();
    let mut unpublished = two.clone();
    unpublished.version = "9.0.0".to_owned();
    fleet.published.damage(&fleet.published.versions[2]).unwrap();
    for (name, broken, why) in
        [("unpublished", &unpublished, "9.0.0"), ("damaged", three, "not the one that was signed")]
    {
        let good = fleet.pin(one, two).await;
        let running = fleet.starts(&format!("{name}-running"));
        running.follows(good).await;
        // Only the second state's stage is broken.
        let revision = fleet.pin(two, broken).await;
        let starting = fleet.starts(&format!("{name}-starting"));
        for _ in 0..5 {
            assert_eq!(starting.answer("First").await, (good, "guest version 001".to_owned()), "{}", starting.events());
            assert_eq!(running.answer("First").await, (good, "guest version 001".to_owned()), "{}", running.events());
        }
        let events = starting.events();
        assert!(events.contains(&format!("FellBack {{ revision: {good}, broken: {revision}")), "{events}");
        assert!(events.contains(why), "{name}: {events}");
        // An execution that another process began with the broken revision goes on.
        let answer = starting.call("Second", Some(revision), 60).await.unwrap();
        assert_eq!(answer["revision"], good);
        // Both follow the next good one.
        let mended = fleet.pin(two, two).await;
        starting.follows(mended).await;
        running.follows(mended).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_while_the_registry_hangs_fails_by_name_within_the_calls_deadline_and_recovers() {
    let fleet = Fleet::new().await;
    let [one, two, _] = fleet.versions();
    let revision = fleet.pin(one, two).await;
    let running = fleet.starts("running");
    running.follows(revision).await;
    // It has loaded both versions.
    running.answer("First").await;
    fleet.published.hangs.send_replace(true);
    let starting = fleet.starts("starting");
    let error = starting.call("First", None, 8).await.unwrap_err();
    assert_eq!(error.error_type, "Stage.Transient", "it may be tried again: {error}");
    assert!(error.error_message.contains("versioned 1.0.0"), "{error}");
    // A running process needs nothing of the registry.
    let next = fleet.pin(two, one).await;
    running.follows(next).await;
    fleet.published.hangs.send_replace(false);
    starting.follows(next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_runs_out_of_memory_is_given_up_by_the_whole_fleet_and_stays_so_when_the_pins_change() {
    let fleet = Fleet::new().await;
    let [one, two, _] = fleet.versions();
    let mut starved = two.clone();
    starved.limits.memory_mib = 1;
    let canary = Canary { percent: 50, abort_above_percent: Some(2), pin: starved };
    let states = [("First", one), ("Second", one)].map(|(state, pin)| (state.to_owned(), pin.clone()));
    let pins = Pins::new(BatchLimits::default(), states.into()).with_canary("First", canary.clone()).unwrap();
    fleet.put(pins.clone()).await;
    let process = fleet.starts("running");
    let (begun, mut failed) = (Instant::now(), 0);
    for number in 0.. {
        match process.first(&format!("execution-{number}")).await {
            Ok(title) => assert_eq!(title, "guest version 001"),
            Err(error) => {
                assert_eq!(error.error_type, "Stage.OutOfMemory", "{error}");
                failed += 1;
            }
        }
        if process.events().contains("CanaryGivenUp") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{failed} of {number} executions failed, and the canary runs on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(failed >= 3, "given up after {failed} failures");

    // Another percentage, and a process that has seen no failure.
    let wider = Canary { percent: 99, ..canary };
    let revision = fleet.put(pins.with_canary("First", wider).unwrap()).await;
    process.follows(revision).await;
    let other = fleet.starts("other");
    other.follows(revision).await;
    while !other.events().contains("CanaryGivenUp") {
        assert!(begun.elapsed() < 2 * PATIENCE, "the other process does not know: {}", other.events());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for number in 0..50 {
        for process in [&process, &other] {
            let title = process.first(&format!("later-{number}")).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(title, "guest version 001");
        }
    }
}
