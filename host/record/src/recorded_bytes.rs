//! The bytes that belong to a record.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_storage::{Found, Storage};

use crate::log::CallLog;
use crate::record_format::{Payload, Range, Record};
use crate::spool::Version;
use crate::store::blob_name;

/// The bytes that belong to a record.
pub(crate) enum Contents {
    /// Of a call in this process.
    Live(Arc<CallLog>),
    /// Of a stored record.
    Stored {
        storage: Arc<dyn Storage>,
        by_version: HashMap<Version, Vec<Range>>,
        /// The last used blob. Most reads go forwards and stay in it.
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

    /// Returns `len` bytes from `offset`; `None` if not all of them are recorded.
    pub(crate) async fn read(&self, version: &Version, offset: u64, len: u64) -> Option<Result<Bytes, String>> {
        match self {
            Self::Live(log) => {
                let state = log.state();
                let (_, ranges) = state.contents.get(version)?;
                Some(ranges.read(&log.spool, offset, len)?.map_err(|error| error.to_string()))
            }
            Self::Stored { by_version, .. } => {
                let ranges = by_version.get(version)?;
                let end = offset.checked_add(len)?;
                let covers = |range: &&Range| {
                    let bytes = range.blobs.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.bytes));
                    range.offset <= offset && end <= range.offset.saturating_add(bytes)
                };
                let range = ranges.iter().find(covers)?;
                let (mut at, mut out) = (range.offset, Vec::new());
                for blob in &range.blobs {
                    let (from, to) = (offset.max(at), end.min(at.saturating_add(blob.bytes)));
                    if from < to {
                        let bytes = match self.blob(&blob.sha256).await {
                            Ok(bytes) => bytes,
                            Err(why) => return Some(Err(why)),
                        };
                        let inside = usize::try_from(from - at).ok().zip(usize::try_from(to - at).ok());
                        out.extend_from_slice(inside.and_then(|(from, to)| bytes.get(from..to)).unwrap_or_default());
                    }
                    at = at.saturating_add(blob.bytes);
                }
                Some(Ok(out.into()))
            }
        }
    }

    /// Returns a body.
    pub(crate) async fn body(&self, payload: &Payload) -> Result<Bytes, String> {
        if let Some(text) = &payload.text {
            return Ok(text.clone().into());
        }
        if payload.bytes == 0 {
            return Ok(Bytes::new());
        }
        match self {
            Self::Live(log) => {
                let span = log.state().bodies.get(&payload.sha256).copied();
                let span = span.ok_or("the body was too long to be recorded")?;
                log.spool.get(span).map_err(|error| error.to_string())
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
