#![allow(clippy::unwrap_used)]
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use stagehost_storage::{Folder, Tag};

use super::*;

const STATE: &str = "GenerateThumbnails";

/// The health of canaries in one process, and the events that it reported.
struct Process {
    health: CanaryHealth,
    events: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn new(store: Option<Arc<dyn Storage>>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let watcher: PinsWatcher = {
            let events = events.clone();
            Arc::new(move |event| events.lock().unwrap().push(format!("{event:?}")))
        };
        Self { health: CanaryHealth::new(store, watcher), events }
    }

    fn alone() -> Self {
        Self::new(None)
    }

    /// Counts runs, with the defects spread evenly over them.
    fn runs(&self, canary: &Canary, role: Role, runs: u64, defects: u64) {
        for run in 0..runs {
            self.health.count(STATE, canary, role, (run + 1) * defects / runs > run * defects / runs);
        }
    }

    fn given_up(&self, canary: &Canary) -> bool {
        self.health.given_up(STATE, canary)
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }

    /// Exchanges everything that is known with the store.
    async fn exchange(&self, canary: &Canary) {
        self.ended().await;
        self.health.shared.known().values_mut().for_each(Known::make_exchange_due);
        self.health.change(STATE, canary, |_| {});
        self.ended().await;
    }

    async fn ended(&self) {
        let begun = Instant::now();
        while self.health.shared.known().values().any(Known::is_exchanging) {
            assert!(begun.elapsed() < Duration::from_secs(60), "the exchange does not end");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn canary(version: &str, limit: Option<u8>) -> Canary {
    let pin = json!({
        "stage": "x", "version": version, "world": "custom", "digest": format!("sha256:{}", "1".repeat(64)),
    });
    Canary { percent: 5, abort_above_percent: limit, pin: serde_json::from_value(pin).unwrap() }
}

fn bad(process: &Process) -> Canary {
    let bad = canary("2.0.0", Some(10));
    process.runs(&bad, Role::Pinned, 60, 2);
    process.runs(&bad, Role::Canary, 5, 5);
    bad
}

/// Returns the stored document of a canary.
fn stored(folder: &tempfile::TempDir, canary: &Canary) -> Value {
    serde_json::from_slice(&std::fs::read(folder.path().join(name_of(STATE, &canary.pin))).unwrap()).unwrap()
}

#[test]
fn a_canary_whose_runs_all_fail_is_given_up_after_a_few_and_reported_once() {
    let process = Process::alone();
    let bad = canary("2.0.0", Some(10));
    process.runs(&bad, Role::Pinned, 60, 2);
    process.runs(&bad, Role::Canary, 3, 3);
    assert!(!process.given_up(&bad), "too few runs to tell");
    process.runs(&bad, Role::Canary, 2, 2);
    assert!(process.given_up(&bad));
    let events = process.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("runs: 4, defects: 4, pinned_runs: 60, pinned_defects: 2"), "{events:?}");
}

#[test]
fn a_canary_that_was_given_up_does_not_come_back_when_anything_else_changes() {
    let process = Process::alone();
    let bad = bad(&process);
    assert!(process.given_up(&bad));
    // Another percentage, another limit, another canary of the state meanwhile, a canary of another state.
    let other = canary("3.0.0", Some(10));
    process.runs(&other, Role::Canary, 5, 0);
    process.health.count("ValidateRawAssets", &bad, Role::Canary, false);
    let changed = Canary { percent: 20, abort_above_percent: Some(50), ..bad.clone() };
    process.runs(&changed, Role::Canary, 100, 0);
    assert!(process.given_up(&bad) && process.given_up(&changed));
    assert!(!process.given_up(&other) && !process.health.given_up("ValidateRawAssets", &bad));
    assert_eq!(process.events().len(), 1);
}

#[test]
fn the_runs_of_a_canary_add_up_over_changes_of_its_percentage() {
    let process = Process::alone();
    let first = canary("2.0.0", Some(10));
    let wider = Canary { percent: 20, ..first.clone() };
    process.runs(&first, Role::Pinned, 60, 2);
    process.runs(&first, Role::Canary, 2, 2);
    process.runs(&wider, Role::Canary, 2, 2);
    assert!(process.given_up(&first) && process.given_up(&wider));
}

#[test]
fn a_candidate_with_other_settings_or_bytes_has_a_health_of_its_own() {
    let process = Process::alone();
    let bad = bad(&process);
    let mut mended = bad.clone();
    mended.pin.config.insert("quality".into(), 80.into());
    let mut roomier = bad.clone();
    roomier.pin.limits.memory_mib += 1;
    let mut rebuilt = bad.clone();
    rebuilt.pin.digest = format!("sha256:{}", "2".repeat(64));
    for other in [mended, roomier, rebuilt] {
        assert!(!process.given_up(&other), "{other:?}");
    }
}

#[test]
fn the_order_of_a_candidates_settings_does_not_matter() {
    let [mut one, mut other] = [canary("2.0.0", None), canary("2.0.0", None)];
    one.pin.config = serde_json::from_str(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#).unwrap();
    other.pin.config = serde_json::from_str(r#"{"b": {"d": 3, "c": 2}, "a": 1}"#).unwrap();
    assert_eq!(name_of(STATE, &one.pin), name_of(STATE, &other.pin));
}

#[test]
fn a_canary_that_cannot_be_loaded_is_given_up_at_once() {
    let (process, canary) = (Process::alone(), canary("2.0.0", None));
    process.health.unusable(STATE, &canary);
    assert!(process.given_up(&canary));
    assert_eq!(process.events().len(), 1);
}

#[test]
fn a_canary_without_a_limit_or_as_good_as_the_pinned_stage_goes_on() {
    let (process, free, limited) = (Process::alone(), canary("2.0.0", None), canary("3.0.0", Some(10)));
    process.runs(&free, Role::Pinned, 100, 0);
    process.runs(&free, Role::Canary, 100, 100);
    process.runs(&limited, Role::Pinned, 100, 30);
    process.runs(&limited, Role::Canary, 100, 30);
    assert!(!process.given_up(&free) && !process.given_up(&limited));
}

#[tokio::test]
async fn a_canary_that_one_process_gives_up_is_given_up_by_all_and_by_those_that_start_later() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Storage> = Arc::new(Folder::new(folder.path()));
    let [one, other] = [(); 2].map(|()| Process::new(Some(store.clone())));
    let bad = bad(&one);
    one.exchange(&bad).await;
    assert!(one.given_up(&bad));
    assert_eq!(stored(&folder, &bad)["givenUp"], true, "{}", stored(&folder, &bad));

    assert!(!other.given_up(&bad));
    other.exchange(&bad).await;
    assert!(other.given_up(&bad));
    assert_eq!(other.events().len(), 1);
    let later = Process::new(Some(store));
    let mut pins = Pins::new(stagehost_pins::BatchLimits::default(), [(STATE.to_owned(), bad.pin.clone())].into());
    pins.canaries.insert(STATE.to_owned(), bad.clone());
    later.health.follow(&pins);
    later.ended().await;
    assert!(later.given_up(&bad));
}

#[tokio::test]
async fn processes_that_each_see_one_failure_give_up_the_canary_together() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Storage> = Arc::new(Folder::new(folder.path()));
    let bad = canary("2.0.0", Some(10));
    let mut given_up = 0;
    for _ in 0..6 {
        let process = Process::new(Some(store.clone()));
        process.runs(&bad, Role::Pinned, 20, 0);
        process.runs(&bad, Role::Canary, 1, 1);
        process.exchange(&bad).await;
        given_up += u32::from(process.given_up(&bad));
    }
    assert_eq!(given_up, 3, "the fourth process and those after it: {}", stored(&folder, &bad));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_many_processes_write_at_the_same_time_are_all_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Storage> = Arc::new(Folder::new(folder.path()));
    let canary = canary("2.0.0", Some(50));
    let processes: Vec<_> = (0..8).map(|_| Arc::new(Process::new(Some(store.clone())))).collect();
    let mut all = tokio::task::JoinSet::new();
    for process in &processes {
        let (process, canary) = (process.clone(), canary.clone());
        all.spawn(async move {
            for _ in 0..10 {
                process.runs(&canary, Role::Canary, 3, 1);
                process.runs(&canary, Role::Pinned, 5, 2);
                process.exchange(&canary).await;
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.unwrap();
    }
    // What another process's write kept out goes with the next exchange.
    for process in &processes {
        process.exchange(&canary).await;
    }
    let stored = stored(&folder, &canary);
    assert_eq!(stored["canary"], json!({"runs": 240, "defects": 80}));
    assert_eq!(stored["pinned"], json!({"runs": 400, "defects": 160}));
}

/// A folder that counts writes, and can hang, or lose the answers of writes.
struct Faulty {
    folder: Folder,
    writes: AtomicU32,
    hangs: Mutex<bool>,
    loses_answers: Mutex<bool>,
}

impl Faulty {
    fn new(folder: &tempfile::TempDir) -> Arc<Self> {
        let folder = Folder::new(folder.path());
        Arc::new(Self { folder, writes: AtomicU32::new(0), hangs: Mutex::default(), loses_answers: Mutex::default() })
    }

    fn answer(&self, name: &str, written: Option<Tag>) -> Result<Option<Tag>, StorageError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        if *self.loses_answers.lock().unwrap() {
            return Err(StorageError::Failed { doing: "cannot write", place: self.place(name), reason: "cut".into() });
        }
        Ok(written)
    }
}

#[async_trait]
impl Storage for Faulty {
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, StorageError> {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        self.folder.get(name, unless).await
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, StorageError> {
        let written = self.folder.create(name, bytes).await?;
        self.answer(name, written)
    }

    async fn replace(&self, name: &str, bytes: Bytes, was: &Tag) -> Result<Option<Tag>, StorageError> {
        let written = self.folder.replace(name, bytes, was).await?;
        self.answer(name, written)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.folder.list(prefix).await
    }

    fn place(&self, name: &str) -> String {
        self.folder.place(name)
    }
}

#[tokio::test]
async fn runs_are_written_together_and_not_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Faulty::new(&folder);
    let process = Process::new(Some(store.clone()));
    let canary = canary("2.0.0", Some(10));
    for _ in 0..500 {
        process.runs(&canary, Role::Canary, 1, 0);
        process.runs(&canary, Role::Pinned, 1, 1);
        tokio::task::yield_now().await;
    }
    process.ended().await;
    // One at the beginning; the next is due half a minute later, which this test takes on no machine.
    let writes = store.writes.load(Ordering::Relaxed);
    assert!(writes <= 2, "{writes} writes");
    process.exchange(&canary).await;
    assert_eq!(stored(&folder, &canary)["canary"]["runs"], 500);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_counted_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = Faulty::new(&folder);
    let process = Process::new(Some(store.clone()));
    let canary = canary("2.0.0", Some(10));
    process.exchange(&canary).await;
    *store.loses_answers.lock().unwrap() = true;
    process.runs(&canary, Role::Canary, 7, 0);
    process.exchange(&canary).await;
    process.runs(&canary, Role::Pinned, 9, 0);
    process.exchange(&canary).await;
    *store.loses_answers.lock().unwrap() = false;
    process.exchange(&canary).await;
    let stored = stored(&folder, &canary);
    assert_eq!((&stored["canary"]["runs"], &stored["pinned"]["runs"]), (&json!(7), &json!(9)), "{stored}");
}

#[tokio::test]
async fn no_call_waits_for_a_store_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Faulty::new(&folder);
    *store.hangs.lock().unwrap() = true;
    let process = Process::new(Some(store.clone()));
    // None of these is asynchronous, so none can wait. All runs are kept for later.
    let bad = bad(&process);
    tokio::task::yield_now().await;
    assert!(!process.given_up(&bad));
    process.health.shared.with(&name_of(STATE, &bad.pin), |known| known.end_exchange(false));
    process.health.change(STATE, &bad, |_| {});
    assert!(process.given_up(&bad), "without the store, the process judges by its own runs");
    assert_eq!(process.events().len(), 1);
}

#[tokio::test]
async fn a_document_that_is_not_a_health_document_is_replaced() {
    for wrong in ["", "{}", "[1]", r#"{"canary": {"runs": 1, "defects": 2}}"#] {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::new(Some(Arc::new(Folder::new(folder.path()))));
        let canary = canary("2.0.0", Some(10));
        std::fs::write(folder.path().join(name_of(STATE, &canary.pin)), wrong).unwrap();
        process.runs(&canary, Role::Canary, 3, 0);
        process.exchange(&canary).await;
        assert_eq!(stored(&folder, &canary)["canary"]["runs"], 3, "{wrong}");
    }
}
