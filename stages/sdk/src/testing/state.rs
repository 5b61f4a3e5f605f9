//! What the host to test with knows.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::bindings::toq::media::http::{Request, Response};
use crate::bindings::toq::media::objects::{Digests, ObjectInfo};
use crate::bindings::toq::media::types::Failure;
use crate::bindings::toq::media::webhook::Reply;

/// A line that a stage logged.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct LogLine {
    pub level: log::Level,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

/// A number that a stage measured, with its name.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Added to a counter.
    Count(String, u64),
    /// A duration.
    Milliseconds(String, f64),
}

/// Bytes that are being written.
pub(crate) struct NewBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) fingerprint: Option<String>,
}

impl NewBytes {
    pub(crate) fn new(content_type: &str, fingerprint: Option<&str>) -> Self {
        let (content_type, fingerprint) = (content_type.to_owned(), fingerprint.map(str::to_owned));
        Self { bytes: Vec::new(), content_type, fingerprint }
    }
}

/// A stored object.
#[derive(Clone)]
pub(crate) struct StoredObject {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) fingerprint: Option<String>,
}

impl From<NewBytes> for StoredObject {
    fn from(NewBytes { bytes, content_type, fingerprint }: NewBytes) -> Self {
        Self { bytes, content_type, fingerprint }
    }
}

impl StoredObject {
    /// Returns the entity tag: other bytes have another one.
    pub(crate) fn etag(&self) -> String {
        self.sha256().chars().take(32).collect()
    }

    fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.bytes))
    }

    pub(crate) fn info(&self, key: &str) -> ObjectInfo {
        ObjectInfo {
            key: key.to_owned(),
            bytes: self.bytes.len() as u64,
            etag: self.etag(),
            content_type: Some(self.content_type.clone()),
            crc32: Some(crc32fast::hash(&self.bytes)),
            fingerprint: self.fingerprint.clone(),
        }
    }

    pub(crate) fn digests(&self) -> Digests {
        let (bytes, crc32) = (self.bytes.len() as u64, crc32fast::hash(&self.bytes));
        Digests { sha256: self.sha256(), crc32, bytes, etag: self.etag() }
    }

    /// Returns at most `len` bytes from `offset`.
    pub(crate) fn range(&self, offset: u64, len: u64) -> &[u8] {
        let place = |at: u64| usize::try_from(at).map_or(self.bytes.len(), |at| at.min(self.bytes.len()));
        &self.bytes[place(offset)..place(offset.saturating_add(len))]
    }
}

/// The state of one thread's host.
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, StoredObject>,
    pub(crate) faults: BTreeMap<String, Failure>,
    /// How answers break off behind their last byte, by URL.
    pub(crate) breaks: BTreeMap<String, Failure>,
    pub(crate) config: String,
    pub(crate) listing: String,
    pub(crate) remaining_ms: u64,
    pub(crate) responses: VecDeque<Result<Response, Failure>>,
    pub(crate) replies: VecDeque<Result<Reply, Failure>>,
    pub(crate) requests: Vec<Request>,
    pub(crate) deliveries: Vec<String>,
    pub(crate) tags: Vec<(String, String, String)>,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) measures: Vec<Measure>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            faults: BTreeMap::new(),
            breaks: BTreeMap::new(),
            config: "{}".to_owned(),
            listing: "51".to_owned(),
            remaining_ms: 60_000,
            responses: VecDeque::new(),
            replies: VecDeque::new(),
            requests: Vec::new(),
            deliveries: Vec::new(),
            tags: Vec::new(),
            logs: Vec::new(),
            measures: Vec::new(),
        }
    }
}

impl State {
    /// Returns the failure that was set for an object.
    pub(crate) fn fault(&self, key: &str) -> Result<(), Failure> {
        self.faults.get(key).map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Returns an object of this version.
    pub(crate) fn found(&self, key: &str, if_match: Option<&str>) -> Result<&StoredObject, Failure> {
        self.fault(key)?;
        let object = self.objects.get(key).ok_or_else(|| Failure::Missing(format!("{key} does not exist")))?;
        if if_match.is_some_and(|etag| etag != object.etag()) {
            return Err(Failure::Mismatch(format!("{key} has another entity tag")));
        }
        Ok(object)
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// Runs `work` with this thread's host.
pub(crate) fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(work)
}
