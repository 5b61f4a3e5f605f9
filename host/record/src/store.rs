//! Storing records.
//!
//! ```text
//! records/<date>/<execution>/<state>/<file or batch>-<attempt>.json
//! blobs/sha256/<digest>                                                 bytes, each stored once
//! ```
//!
//! The record is written last: if it exists, its blobs do, too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_storage::{Storage, StorageError};
use tokio::task::JoinSet;

use crate::budget::RecordBudget;
use crate::error::{MAX_SAME_NAME, RecordError};
use crate::record_format::{BlobRef, Content, Range, Record};
use crate::recording::Recording;

/// Objects are cut into blobs at multiples of this size, so that equal files give equal blobs regardless of how they were
/// read. At most one blob is in memory.
const BLOB_BYTES: u64 = 8 << 20;

/// Returns the name of the blob with this digest.
pub fn blob_name(sha256: &str) -> String {
    format!("blobs/sha256/{sha256}")
}

/// Stores bytes under their digest, unless they are stored already.
///
/// # Errors
/// If the store cannot be written.
pub async fn store_blob(sink: &dyn Storage, bytes: Bytes) -> Result<BlobRef, StorageError> {
    let blob = BlobRef { bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(&bytes)) };
    sink.create(&blob_name(&blob.sha256), bytes).await?;
    Ok(blob)
}

/// Returns the name of a call's record, without the `.json`.
fn name(record: &Record) -> String {
    let date = record.recorded_at.get(..10).unwrap_or("undated");
    let execution = record.context.execution.rsplit(':').next().unwrap_or_default();
    let subject = match &record.asset {
        None => "batch".to_owned(),
        Some(asset) => {
            // Files of the same name in different folders differ in the digests of their keys.
            let digest = hex::encode(Sha256::digest(asset.key.as_bytes()));
            format!("{}-{}", plain(asset.key.rsplit('/').next().unwrap_or_default()), &digest[..8])
        }
    };
    format!("records/{date}/{}/{}/{subject}-{}", plain(execution), plain(&record.context.state), record.context.attempt)
}

/// Returns a text as one segment of a document's name.
pub(crate) fn plain(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-=+@".contains(c) { c } else { '_' };
    let text: String = text.chars().map(allowed).take(100).collect();
    if text.is_empty() || text.starts_with('.') { format!("_{text}") } else { text }
}

/// Stores a recording; returns the record's name.
///
/// # Errors
/// If the temporary file cannot be read, or the store cannot be written.
pub(crate) async fn store(recording: Recording, sink: &dyn Storage) -> Result<String, RecordError> {
    let Recording { record, log } = recording;
    // A copy only if the record is also kept, and only for as many as are stored at the same time.
    let mut record = Arc::unwrap_or_clone(record);
    let (contents, bodies) = {
        let state = log.state();
        (state.contents.clone(), state.bodies.clone())
    };
    for span in bodies.into_values() {
        store_blob(sink, log.spool.get(span)?).await?;
    }
    for ((key, etag), (bytes, ranges)) in contents {
        let mut content = Content { key, etag, bytes, ranges: Vec::new() };
        for (offset, len) in ranges.runs() {
            let (mut at, end, mut blobs) = (offset, offset + len, Vec::new());
            while at < end {
                let next = ((at / BLOB_BYTES + 1) * BLOB_BYTES).min(end);
                if let Some(bytes) = ranges.read(&log.spool, at, next - at) {
                    blobs.push(store_blob(sink, bytes?).await?);
                }
                at = next;
            }
            content.ranges.push(Range { offset, blobs });
        }
        record.contents.push(content);
    }
    record.contents.sort_by(|a, b| (&a.key, &a.etag).cmp(&(&b.key, &b.etag)));
    let mut text = serde_json::to_vec_pretty(&record).map_err(std::io::Error::other)?;
    text.push(b'\n');
    store_numbered(sink, &name(&record), text.into()).await
}

/// Stores a new JSON document under `name`, or under `name` with the next free number; returns its name.
pub(crate) async fn store_numbered(sink: &dyn Storage, name: &str, text: Bytes) -> Result<String, RecordError> {
    for number in 1..=MAX_SAME_NAME {
        let name = if number == 1 { format!("{name}.json") } else { format!("{name}.{number}.json") };
        if sink.create(&name, text.clone()).await?.is_some() {
            return Ok(name);
        }
    }
    Err(RecordError::Taken(sink.place(name)))
}

/// Stores a recording within `wait`, and within half of the time until the deadline. Errors and panics go to the log,
/// because recording must neither fail a call nor make it late. Returns whether the store answered in time.
pub(crate) async fn store_or_log(
    recording: Recording,
    sink: &Arc<dyn Storage>,
    budget: &RecordBudget,
    wait: Duration,
    deadline: Option<Instant>,
) -> bool {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()) / 2);
    let wait = left.map_or(wait, |left| left.min(wait));
    let context = recording.record.context.clone();
    let (asset, cut) = (recording.record.asset.as_ref().map(|asset| asset.key.clone()), recording.record.cut);
    // A task of its own, so that a store which blocks its thread does not block the answer. It ends when it is dropped.
    let mut storing = JoinSet::new();
    let (sink, budget) = (sink.clone(), budget.clone());
    storing.spawn(async move {
        let _slot = budget.store_slot().await;
        store(recording, sink.as_ref()).await
    });
    let why = match tokio::time::timeout(wait, storing.join_next()).await {
        Ok(Some(Ok(Ok(name)))) => {
            if let Some(cut) = cut {
                tracing::info!(state = %context.state, execution = %context.execution, name, %cut, "a record is cut");
            }
            return true;
        }
        Ok(Some(Ok(Err(error)))) => error.to_string(),
        Ok(Some(Err(error))) => format!("a defect of the host: {error}"),
        Ok(None) | Err(_) => format!("it was not stored within {} ms", wait.as_millis()),
    };
    let late = !storing.is_empty();
    tracing::warn!(state = %context.state, execution = %context.execution, asset, why, "a call is not recorded");
    !late
}

#[cfg(test)]
mod tests;
