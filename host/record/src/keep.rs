//! Records at rest.
//!
//! ```text
//! records/<date>/<execution>/<state>/<file or batch>-<attempt>.json
//! blobs/sha256/<digest>                                                 bytes, each once
//! ```
//!
//! The record is written last: where there is one, its blobs are there too.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_storage::{Folder, Found, Storage, StorageError};

use crate::format::{Blob, Content, FORMAT, Payload, Range, Record};
use crate::log::CallLog;
use crate::recorder::Recording;
use crate::spill::Version;

/// Objects are cut into blobs at multiples of this, so that equal files give equal blobs however they were read, and no
/// more than this is in memory at once.
const BLOB: u64 = 8 << 20;

/// How long storing may take at most. The call's answer waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many records of one name: a state that is invoked twice with the same attempt.
const NAMESAKES: u32 = 9;

/// Why a record was not stored, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Too much passed in this call.
    #[error("the record is not complete: {0}")]
    Incomplete(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The temporary file failed.
    #[error("the temporary file of a record: {0}")]
    Spill(#[from] std::io::Error),
    /// It is no record.
    #[error("{place} is no record of a call: {reason}")]
    Invalid {
        /// File or object.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// All names are taken.
    #[error("there are {NAMESAKES} documents at {0} already")]
    Taken(String),
}

/// The name of the blob with this digest.
pub fn blob_name(sha256: &str) -> String {
    format!("blobs/sha256/{sha256}")
}

/// Stores bytes by their digest, unless they are there.
///
/// # Errors
/// If the store cannot be written.
pub async fn store_blob(sink: &dyn Storage, bytes: Bytes) -> Result<Blob, StorageError> {
    let blob = Blob { bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(&bytes)) };
    sink.create(&blob_name(&blob.sha256), bytes).await?;
    Ok(blob)
}

/// Where the record of a call is kept, without the `.json`.
fn name(record: &Record) -> String {
    let date = record.recorded_at.get(..10).unwrap_or("undated");
    let execution = record.context.execution.rsplit(':').next().unwrap_or_default();
    let subject = match &record.asset {
        None => "batch".to_owned(),
        Some(asset) => {
            // Two files of one name differ in their keys.
            let digest = hex::encode(Sha256::digest(asset.key.as_bytes()));
            format!("{}-{}", plain(asset.key.rsplit('/').next().unwrap_or_default()), &digest[..8])
        }
    };
    format!("records/{date}/{}/{}/{subject}-{}", plain(execution), plain(&record.context.state), record.context.attempt)
}

/// A text as one segment of a document's name.
pub(crate) fn plain(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-=+@".contains(c) { c } else { '_' };
    let text: String = text.chars().map(allowed).take(100).collect();
    if text.is_empty() || text.starts_with('.') { format!("_{text}") } else { text }
}

/// Stores a call that is over; gives the record's name.
///
/// # Errors
/// If it is not complete, or the store cannot be written.
pub async fn store(recording: &Recording, sink: &dyn Storage) -> Result<String, RecordError> {
    let log = &recording.log;
    let (known, bodies) = {
        let state = log.state();
        if let Some(why) = state.lost.as_ref().or(state.partial.as_ref()) {
            return Err(RecordError::Incomplete(why.clone()));
        }
        (state.known.clone(), state.bodies.clone())
    };
    let mut record = recording.record.clone();
    for place in bodies.into_values() {
        store_blob(sink, log.spill.get(place)?).await?;
    }
    for ((key, etag), (bytes, ranges)) in known {
        let mut content = Content { key, etag, bytes, ranges: Vec::new() };
        for (offset, len) in ranges.runs() {
            let (mut at, end, mut blobs) = (offset, offset + len, Vec::new());
            while at < end {
                let next = ((at / BLOB + 1) * BLOB).min(end);
                if let Some(bytes) = ranges.read(&log.spill, at, next - at) {
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

/// Stores a new JSON document under `name`, or under the next one that is free.
pub(crate) async fn store_numbered(sink: &dyn Storage, name: &str, text: Bytes) -> Result<String, RecordError> {
    for number in 1..=NAMESAKES {
        let name = if number == 1 { format!("{name}.json") } else { format!("{name}.{number}.json") };
        if sink.create(&name, text.clone()).await?.is_some() {
            return Ok(name);
        }
    }
    Err(RecordError::Taken(sink.place(name)))
}

/// [`store`], in half of the time that is left. What goes wrong is said in the log: recording must not fail a call, and
/// not make it late either.
pub(crate) async fn store_or_say(recording: &Recording, sink: &dyn Storage, deadline: Option<Instant>) {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()) / 2);
    let patience = left.map_or(PATIENCE, |left| left.min(PATIENCE));
    let stored = tokio::time::timeout(patience, store(recording, sink)).await;
    let why = match stored {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it was not stored within {} ms", patience.as_millis()),
    };
    let context = &recording.record.context;
    tracing::warn!(
        state = %context.state,
        execution = %context.execution,
        asset = recording.record.asset.as_ref().map(|asset| asset.key.as_str()),
        why,
        "a call is not recorded"
    );
}

impl Record {
    /// Reads a record; `place` is for the errors.
    ///
    /// # Errors
    /// If it is none, or of another format.
    pub fn parse(text: &[u8], place: &str) -> Result<Self, RecordError> {
        let invalid = |reason: String| RecordError::Invalid { place: place.to_owned(), reason };
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| invalid(e.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_str) {
            Some(FORMAT) => {}
            Some(other) => return Err(invalid(format!("its format is {other:?}; this stagehost reads {FORMAT:?}"))),
            None => return Err(invalid(format!("it has no field \"format\"; records begin with {FORMAT:?}"))),
        }
        serde_json::from_value(value).map_err(|e| invalid(e.to_string()))
    }
}

/// A record that was stored, and where its blobs are.
pub struct StoredRecord {
    /// The record.
    pub record: Record,
    /// The store that it is in.
    pub storage: Arc<dyn Storage>,
}

impl StoredRecord {
    /// Opens the record in this file. Its blobs are in `blobs/` of the nearest folder above that has one.
    ///
    /// # Errors
    /// If it cannot be read or is no record.
    pub fn open(file: &Path) -> Result<Self, RecordError> {
        let place = file.display().to_string();
        let invalid = |reason: String| RecordError::Invalid { place: place.clone(), reason };
        let text = std::fs::read(file).map_err(|e| invalid(e.to_string()))?;
        let record = Record::parse(&text, &place)?;
        let whole = file.canonicalize().map_err(|e| invalid(e.to_string()))?;
        let folder = whole.parent().unwrap_or(&whole);
        let root = folder.ancestors().find(|folder| folder.join("blobs/sha256").is_dir());
        Ok(Self { record, storage: Arc::new(Folder::new(root.unwrap_or(folder))) })
    }
}

/// The bytes that go with a record.
pub(crate) enum Contents {
    /// Of a call in this process.
    Live(Arc<CallLog>),
    /// At rest.
    Stored {
        storage: Arc<dyn Storage>,
        by_version: HashMap<Version, Vec<Range>>,
        /// The blob that was used last: reading forwards stays in it.
        last: tokio::sync::Mutex<Option<(String, Bytes)>>,
    },
}

impl Contents {
    pub(crate) fn stored(record: &Record, storage: Arc<dyn Storage>) -> Self {
        let by_version = record
            .contents
            .iter()
            .map(|content| ((content.key.clone(), content.etag.clone()), content.ranges.clone()))
            .collect();
        Self::Stored { storage, by_version, last: tokio::sync::Mutex::default() }
    }

    /// `len` bytes from `offset`, if all of them are known.
    pub(crate) async fn read(&self, version: &Version, offset: u64, len: u64) -> Option<Result<Bytes, String>> {
        match self {
            Self::Live(log) => {
                let state = log.state();
                let (_, ranges) = state.known.get(version)?;
                Some(ranges.read(&log.spill, offset, len)?.map_err(|error| error.to_string()))
            }
            Self::Stored { by_version, .. } => {
                let ranges = by_version.get(version)?;
                let end = offset.checked_add(len)?;
                let covers = |range: &&Range| {
                    let bytes: u64 = range.blobs.iter().map(|blob| blob.bytes).sum();
                    range.offset <= offset && end <= range.offset + bytes
                };
                let range = ranges.iter().find(covers)?;
                let (mut at, mut out) = (range.offset, Vec::new());
                for blob in &range.blobs {
                    let (from, to) = (offset.max(at), end.min(at + blob.bytes));
                    if from < to {
                        let bytes = match self.blob(&blob.sha256).await {
                            Ok(bytes) => bytes,
                            Err(why) => return Some(Err(why)),
                        };
                        let inside = usize::try_from(from - at).ok().zip(usize::try_from(to - at).ok());
                        out.extend_from_slice(inside.and_then(|(from, to)| bytes.get(from..to)).unwrap_or_default());
                    }
                    at += blob.bytes;
                }
                Some(Ok(out.into()))
            }
        }
    }

    /// A body.
    pub(crate) async fn body(&self, payload: &Payload) -> Result<Bytes, String> {
        if let Some(text) = &payload.text {
            return Ok(text.clone().into());
        }
        if payload.bytes == 0 {
            return Ok(Bytes::new());
        }
        match self {
            Self::Live(log) => {
                let place = log.state().bodies.get(&payload.sha256).copied();
                let place = place.ok_or("the body was too long to be kept")?;
                log.spill.get(place).map_err(|error| error.to_string())
            }
            Self::Stored { .. } => self.blob(&payload.sha256).await,
        }
    }

    async fn blob(&self, sha256: &str) -> Result<Bytes, String> {
        let Self::Stored { storage, last, .. } = self else { return Err("there are no blobs".to_owned()) };
        let mut last = last.lock().await;
        if let Some((digest, bytes)) = last.as_ref()
            && digest == sha256
        {
            return Ok(bytes.clone());
        }
        let name = blob_name(sha256);
        let bytes = match storage.get(&name, None).await {
            Ok(Found::Found { bytes, .. }) => bytes,
            Ok(_) => return Err(format!("the record's blob {} is missing", storage.place(&name))),
            Err(error) => return Err(error.to_string()),
        };
        if hex::encode(Sha256::digest(&bytes)) != sha256 {
            return Err(format!("the record's blob {} is damaged", storage.place(&name)));
        }
        *last = Some((sha256.to_owned(), bytes.clone()));
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
