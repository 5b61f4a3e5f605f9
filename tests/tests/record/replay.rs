//! Records and replays, through the crate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use stagehost_record::{CallRecorder, CutReason, Kind, RecordBudget, RecordLimits, Replayed, StoredRecord, replay};
use stagehost_runtime::{Stage, World};
use stagehost_storage::{Folder, Found, Storage, StorageError, Tag};

use crate::world::{ACTED, OTHER, Outside, PHOTO, TASK_TOKEN, batch, fanout, request, stage};

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Records the stage's call for the batch. Returns the record, if it was stored.
async fn recorded(dir: &Path, stage: &Arc<Stage>, config: &str, limits: RecordLimits) -> Option<PathBuf> {
    recorded_as(dir, stage, config, limits, None).await
}

/// Records a call that ends with this failure.
async fn recorded_as(
    dir: &Path,
    stage: &Arc<Stage>,
    config: &str,
    limits: RecordLimits,
    failure: Option<&str>,
) -> Option<PathBuf> {
    let outside = Outside::new();
    let recorder = CallRecorder::storing(Arc::new(Folder::new(dir)), limits, RecordBudget::default());
    let fanout = fanout().intercepted(Arc::new(recorder));
    let run = fanout.run(stage.clone(), request(stage, &outside, config), batch(), Arc::new(())).await.unwrap();
    let problem = run.batch.assets[0].problem.as_ref();
    assert_eq!(problem.map(|problem| &*problem.code), failure, "{problem:?}");
    let records = files(&dir.join("records"));
    assert!(records.len() <= 1, "{records:?}");
    records.into_iter().next()
}

/// A store that never answers.
#[derive(Default)]
struct Hanging {
    asked: AtomicUsize,
}

#[async_trait]
impl Storage for Hanging {
    async fn get(&self, _: &str, _: Option<&Tag>) -> Result<Found, StorageError> {
        std::future::pending().await
    }

    async fn create(&self, _: &str, _: Bytes) -> Result<Option<Tag>, StorageError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }

    async fn replace(&self, _: &str, _: Bytes, _: &Tag) -> Result<Option<Tag>, StorageError> {
        std::future::pending().await
    }

    async fn list(&self, _: &str) -> Result<Vec<String>, StorageError> {
        std::future::pending().await
    }

    fn place(&self, name: &str) -> String {
        name.to_owned()
    }
}

async fn again(record: &Path, stage: &Stage, config: Option<&str>) -> Replayed {
    replay(StoredRecord::open(record).unwrap(), stage, config.map(str::to_owned)).await.unwrap()
}

fn kinds(replayed: &Replayed) -> Vec<Kind> {
    let mut kinds: Vec<_> = replayed.differences.iter().map(|difference| difference.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_depends_on_chance_and_time_replays_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let record = recorded(dir.path(), &actor, "{}", RecordLimits::default()).await.unwrap();
    for _ in 0..3 {
        let replayed = again(&record, &actor, None).await;
        assert_eq!(replayed.differences, []);
        let now = replayed.now.unwrap();
        assert_eq!(replayed.before.bytes_read, now.bytes_read);
        assert_eq!(replayed.before.bytes_written, now.bytes_written);
    }
    let text: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let calls: Vec<_> = text["calls"].as_array().unwrap().iter().map(|call| call["call"].as_str().unwrap()).collect();
    assert_eq!(calls, ["stat", "stat", "open", "http", "write", "tag", "stat"]);
    assert_eq!(text["calls"][2]["reads"], json!([{"offset": 0, "bytes": 20}]));
    assert_eq!(text["stage"]["digest"], actor.identity().digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_and_a_deletion_are_answered_from_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let record = recorded(dir.path(), &actor, "{\"do\":\"tidy\"}", RecordLimits::default()).await.unwrap();
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(text.contains("2 found, gone: true"), "{text}");
    assert_eq!(again(&record, &actor, None).await.differences, []);

    let replayed = again(&record, &actor, Some("{}")).await;
    let whats: Vec<_> = replayed.differences.iter().map(|difference| difference.what.as_str()).collect();
    assert!(whats.contains(&format!("{}: deletion", ACTED.replace("acted", "draft")).as_str()), "{whats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_pieces_is_answered_from_the_record_without_its_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let record = recorded(dir.path(), &actor, "{\"do\":\"pieces\"}", RecordLimits::default()).await.unwrap();
    let text = std::fs::read_to_string(&record).unwrap();
    assert!(text.contains("202 this is  and 33 bytes"), "{text}");
    for secret in ["path-secret", "header-secret", "answer-secret"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let document: Value = serde_json::from_str(&text).unwrap();
    let calls = document["calls"].as_array().unwrap();
    let exchange = calls.iter().find(|call| call["call"] == "exchange").unwrap();
    assert_eq!((&exchange["request"]["method"], &exchange["request"]["body"]["bytes"]), (&json!("PUT"), &json!(25)));
    assert_eq!((&exchange["answer"]["ok"]["status"], &exchange["complete"]), (&json!(202), &json!(true)));
    assert_eq!(again(&record, &actor, None).await.differences, []);

    // Other pieces of the same bytes get the same answer; other bytes have none.
    let replayed = again(&record, &actor, Some("{\"do\":\"pieces other-steps\"}")).await;
    assert_eq!(replayed.differences, []);
    let replayed = again(&record, &actor, Some("{\"do\":\"pieces other-bytes\"}")).await;
    let unrecorded: Vec<_> = replayed.differences.iter().filter(|one| one.kind == Kind::Unrecorded).collect();
    assert!(unrecorded.iter().any(|one| one.what.contains("with 17 bytes in pieces")), "{unrecorded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chance_and_both_clocks_come_from_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let record = recorded(dir.path(), &actor, "{}", RecordLimits::default()).await.unwrap();
    for (field, other) in [("seed", json!("00".repeat(32))), ("wall", json!([1])), ("monotonic", json!([1, 2]))] {
        let mut stored = StoredRecord::open(&record).unwrap();
        let mut document = serde_json::to_value(&stored.record).unwrap();
        document["surroundings"][field] = other;
        stored.record = serde_json::from_value(document).unwrap();
        let replayed = replay(stored, &actor, None).await.unwrap();
        assert!(kinds(&replayed).contains(&Kind::Object), "{field}: {:?}", replayed.differences);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_recorded_calls_get_different_seeds() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let actor = stage("actor", World::Custom);
    let mut seeds = Vec::new();
    for dir in [&one, &other] {
        let record = recorded(dir.path(), &actor, "{}", RecordLimits::default()).await.unwrap();
        seeds.push(StoredRecord::open(&record).unwrap().record.clocks_and_random.seed);
    }
    assert_ne!(seeds[0], seeds[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_were_read_can_be_read_in_other_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let record = recorded(dir.path(), &actor, "{}", RecordLimits::default()).await.unwrap();
    let replayed = again(&record, &actor, Some("{\"steps\":\"other-steps\"}")).await;
    // The object is read in other steps, and everything that depends on its bytes is the same.
    assert_eq!(replayed.differences, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_difference_of_a_candidate_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let record = recorded(dir.path(), &actor, "{}", RecordLimits::default()).await.unwrap();

    let replayed = again(&record, &actor, Some("{\"do\":\"other-bytes other-tag\"}")).await;
    assert_eq!(kinds(&replayed), [Kind::Object, Kind::Tag, Kind::Output]);
    let whats: Vec<_> = replayed.differences.iter().map(|difference| difference.what.as_str()).collect();
    assert!(whats.contains(&format!("{ACTED}: part 3").as_str()), "{whats:?}");
    assert!(whats.contains(&format!("{PHOTO}: acted").as_str()), "{whats:?}");
    assert!(whats.contains(&"renditions[acted].etag"), "{whats:?}");

    let replayed = again(&record, &actor, Some("{\"do\":\"trap\"}")).await;
    assert!(kinds(&replayed).contains(&Kind::Outcome), "{:?}", replayed.differences);
    assert!(kinds(&replayed).contains(&Kind::Object), "a missing object is a difference: {replayed:?}");

    // It opens a file that the recorded call did not open.
    let replayed = again(&record, &actor, Some("{\"do\":\"beyond\"}")).await;
    let unrecorded: Vec<_> = replayed.differences.iter().filter(|d| d.kind == Kind::Unrecorded).collect();
    assert_eq!(unrecorded.len(), 1, "{:?}", replayed.differences);
    assert_eq!(unrecorded[0].what, format!("open {OTHER}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_record_or_beside_it_and_it_replays_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let config = json!({
        "apiKey": "config-secret", "notify": "https://hooks.chat.example/T0/hook-secret", "login": {"password": "deep-secret"},
    });
    let record = recorded(dir.path(), &actor, &config.to_string(), RecordLimits::default()).await.unwrap();
    let all: Vec<u8> = files(dir.path()).iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let text = String::from_utf8_lossy(&all);
    for there in ["https://api.example.org/not-recorded-sha256-", "https://hooks.chat.example/not-recorded-sha256-"] {
        assert!(text.contains(there), "{there} is not there");
    }
    let secrets = [
        "query-secret",
        "path-secret",
        "header-secret",
        "cookie-secret",
        "answer-secret",
        "location-secret",
        "config-secret",
        "hook-secret",
        "deep-secret",
        TASK_TOKEN,
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(again(&record, &actor, None).await.differences, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_over_its_limits_is_cut_and_says_so_and_the_call_succeeds() {
    let actor = stage("actor", World::Custom);
    let default = RecordLimits::default();
    for (limits, reason) in [
        (RecordLimits { bytes: 10, ..default }, CutReason::ContentsTooLong),
        (RecordLimits { entries: 3, ..default }, CutReason::TooManyCalls),
        (RecordLimits { text: 4000, ..default }, CutReason::RecordTooLong),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let record = recorded(dir.path(), &actor, "{}", limits).await.unwrap();
        let cut = StoredRecord::open(&record).unwrap().record.cut.unwrap();
        assert_eq!(cut.reason, reason);
        let replayed = again(&record, &actor, None).await;
        assert_eq!(kinds(&replayed), [Kind::Cut]);
        assert_eq!(replayed.differences[0].what, format!("the record is {cut}"));
        assert_eq!(replayed.now, None, "there is nothing to compare");
    }
    // Not even the input has room.
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(recorded(dir.path(), &actor, "{}", RecordLimits { text: 10, ..default }).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_stage_that_writes_without_end_stays_small() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let limits = RecordLimits { text: 128 << 10, ..RecordLimits::default() };
    let call = recorded_as(dir.path(), &actor, "{\"do\":\"flood\"}", limits, Some("Stage.TooLarge"));
    let record = call.await.unwrap();
    let stored = StoredRecord::open(&record).unwrap().record;
    // Requests and answers, and the few bytes of the photo.
    assert!(stored.cut.unwrap().bytes <= 129 << 10, "{:?}", stored.cut);
    let bytes = std::fs::metadata(&record).unwrap().len();
    assert!(bytes < 512 << 10, "{bytes} bytes, with the spaces of JSON for people");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_answers_delays_the_answer_no_longer_than_agreed() {
    let (actor, outside) = (stage("actor", World::Custom), Outside::new());
    let hanging = Arc::new(Hanging::default());
    let limits = RecordLimits { wait: Duration::from_millis(100), ..RecordLimits::default() };
    let recorder = CallRecorder::storing(hanging.clone(), limits, RecordBudget::default());
    let fanout = fanout().intercepted(Arc::new(recorder));
    // Without a bound, this would wait forever.
    for _ in 0..3 {
        let run = fanout.run(actor.clone(), request(&actor, &outside, "{}"), batch(), Arc::new(())).await.unwrap();
        assert_eq!(run.batch.assets[0].problem, None);
    }
    assert_eq!(hanging.asked.load(Ordering::Relaxed), 1, "a store that was too slow once is not asked again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_does_not_fail_the_call() {
    let dir = tempfile::tempdir().unwrap();
    // A file where the folder should be.
    let blocked = dir.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    let actor = stage("actor", World::Custom);
    assert_eq!(recorded(&blocked, &actor, "{}", RecordLimits::default()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_is_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let actor = stage("actor", World::Custom);
    let record = recorded(dir.path(), &actor, "{}", RecordLimits::default()).await.unwrap();
    for blob in files(&dir.path().join("blobs")) {
        std::fs::write(blob, "something else").unwrap();
    }
    let replayed = again(&record, &actor, None).await;
    assert!(replayed.differences.iter().any(|d| d.what.contains("damaged")), "{:?}", replayed.differences);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_recorded_without_the_task_token_and_replayed_without_a_service() {
    let dir = tempfile::tempdir().unwrap();
    let submitter = stage("submitter", World::Transcode);
    let record = recorded(dir.path(), &submitter, "{}", RecordLimits::default()).await.unwrap();
    assert!(!std::fs::read_to_string(&record).unwrap().contains(TASK_TOKEN));
    assert_eq!(again(&record, &submitter, None).await.differences, []);
    let replayed = again(&record, &submitter, Some("{\"do\":\"more\"}")).await;
    assert_eq!(kinds(&replayed), [Kind::Job]);
    assert!(replayed.differences[0].what.contains("videoBitrate"), "{:?}", replayed.differences);
    let replayed = again(&record, &submitter, Some("{\"do\":\"none\"}")).await;
    assert_eq!(kinds(&replayed), [Kind::Job, Kind::Output]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_another_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.json");
    for (text, says) in
        [("{}", "format"), ("{\"format\":\"stagehost-record/9\"}", "stagehost-record/9"), ("x", "x.json")]
    {
        std::fs::write(&file, text).unwrap();
        let error = StoredRecord::open(&file).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
}
