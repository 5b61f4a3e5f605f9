#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use serde_json::json;
use stagehost_runtime::capability::ObjectInfo;
use stagehost_storage::Folder;

use super::*;
use crate::log::{CallLog, RecordLimits};
use crate::record_format::{Answer, FORMAT, HostCall};
use crate::recorded_bytes::Contents;
use crate::stored_record::StoredRecord;

const KEY: &str = "1/raw/video/vertical/long.mp4";

/// Returns byte `n` of the file.
fn byte(n: u64) -> u8 {
    (n % 251) as u8
}

fn bytes(offset: u64, len: u64) -> Bytes {
    (offset..offset + len).map(byte).collect::<Vec<_>>().into()
}

fn record() -> Record {
    let document = json!({
        "format": FORMAT, "recordedAt": "2026-01-02T03:04:05Z", "host": "1",
        "stage": {"name": "x", "version": "1", "digest": "sha256:0", "world": "custom"},
        "context": {
            "state": "X", "execution": "arn:aws:states:r:a:execution:m:job 4", "startedAt": "", "attempt": 1, "config": {},
        },
        "limits": {}, "grants": {}, "batch": {"listingId": 1, "assets": []},
        "asset": {"key": KEY, "type": "VIDEO_VERTICAL"}, "surroundings": {}, "calls": [],
        "outcome": {"failed": {"code": "Stage.Internal", "message": "x"}}, "report": {},
    });
    Record::parse(document.to_string().as_bytes(), "here").unwrap()
}

/// Returns a call that has read these ranges of a file of `total` bytes.
fn recording(total: u64, ranges: &[(u64, u64)]) -> Recording {
    let log = Arc::new(CallLog::new(RecordLimits::default(), &RecordBudget::default()));
    let info = ObjectInfo {
        key: KEY.to_owned(),
        bytes: total,
        etag: "v1".to_owned(),
        content_type: None,
        crc32: None,
        fingerprint: None,
    };
    let (if_match, answer) = (None, Answer::Ok(info));
    let number = log.add(HostCall::Open { key: KEY.to_owned(), if_match, written: 0, answer, reads: Vec::new() });
    for (offset, len) in ranges {
        log.read(number, &(KEY.to_owned(), "v1".to_owned()), total, *offset, &bytes(*offset, *len));
    }
    let mut record = record();
    record.calls = log.state().calls.clone();
    Recording { record: Arc::new(record), log }
}

#[tokio::test]
async fn a_long_file_is_stored_in_blobs_and_read_back_across_them() {
    let dir = tempfile::tempdir().unwrap();
    let sink: Arc<dyn Storage> = Arc::new(Folder::new(dir.path()));
    let total = 2 * BLOB_BYTES + 1000;
    // Two guests read the same file in different steps.
    let steps =
        |step: u64| -> Vec<_> { (0..total).step_by(step as usize).map(|at| (at, step.min(total - at))).collect() };
    let name = store(recording(total, &steps(1 << 20)), sink.as_ref()).await.unwrap();
    let again = store(recording(total, &steps(3_000_000)), sink.as_ref()).await.unwrap();
    assert!(name.starts_with("records/2026-01-02/job_4/X/long.mp4-") && name.ends_with("-1.json"), "{name}");
    assert!(again.ends_with("-1.2.json"), "{again}");
    assert_eq!(sink.list("blobs/").await.unwrap().len(), 3, "the same bytes are stored once");

    let stored = StoredRecord::open(&dir.path().join(&name)).unwrap();
    assert_eq!(
        stored.record.contents[0].ranges[0].blobs.iter().map(|b| b.bytes).collect::<Vec<_>>(),
        [BLOB_BYTES, BLOB_BYTES, 1000]
    );
    let contents = Contents::stored(&stored.record, stored.storage);
    let version = (KEY.to_owned(), "v1".to_owned());
    for (offset, len) in [(0, 10), (BLOB_BYTES - 5, 10), (BLOB_BYTES - 1, BLOB_BYTES + 2), (total - 1, 1)] {
        assert_eq!(contents.read(&version, offset, len).await.unwrap().unwrap(), bytes(offset, len));
    }
    assert!(contents.read(&version, total - 1, 2).await.is_none());
    assert!(contents.read(&(KEY.to_owned(), "v2".to_owned()), 0, 1).await.is_none());
}

#[tokio::test]
async fn only_bytes_that_were_read_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let sink = Folder::new(dir.path());
    let name = store(recording(100 << 20, &[(0, 100), (50 << 20, 200), (100, 100)]), &sink).await.unwrap();
    let record = StoredRecord::open(&dir.path().join(name)).unwrap().record;
    let ranges: Vec<_> = record.contents[0].ranges.iter().map(|r| (r.offset, r.blobs[0].bytes)).collect();
    assert_eq!(ranges, [(0, 200), (50 << 20, 200)]);
}

#[test]
fn the_name_of_a_record_has_only_plain_characters() {
    assert_eq!(plain("Foto 1 (größer).jpg"), "Foto_1__gr__er_.jpg");
    assert_eq!(plain("..hidden"), "_..hidden");
    assert_eq!(plain(""), "_");
    assert_eq!(plain(&"x".repeat(500)).len(), 100);
}
