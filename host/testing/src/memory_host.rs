//! The host in memory, as a test sees it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stagehost_batch::Failure;
use stagehost_runtime::capability::ObjectInfo;
use stagehost_runtime::lock;

use crate::faults::{Faults, HostUse, InjectedFault};
use crate::journal::Effect;

/// A host in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryHost(Arc<Mutex<Inside>>);

/// What it holds.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    pub(crate) objects: BTreeMap<String, StoredObject>,
    /// The stages that made objects, by key. What a test has put is made by none.
    pub(crate) makers: BTreeMap<String, String>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) answers: Vec<HttpAnswer>,
    pub(crate) statuses: Vec<u16>,
    pub(crate) jobs: u32,
    faults: Faults,
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// What a store knows of it.
    pub info: ObjectInfo,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The answer of another HTTP service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpAnswer {
    /// The request's method; any if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The request's URL; with `*` at its end, any URL that begins so.
    pub url: String,
    /// The status code.
    #[serde(default = "ok")]
    pub status: u16,
    /// Names and values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, as text.
    #[serde(default)]
    pub body: String,
}

fn ok() -> u16 {
    200
}

impl MemoryHost {
    /// Stores an object without an entry in the journal. Returns its entity tag.
    pub fn put(&self, key: &str, content_type: &str, fingerprint: Option<String>, bytes: impl Into<Bytes>) -> String {
        let object = StoredObject::new(key, content_type, fingerprint, bytes.into());
        let etag = object.info.etag.clone();
        let mut inside = lock(&self.0);
        inside.objects.insert(key.to_owned(), object);
        inside.makers.remove(key);
        etag
    }

    /// Returns an object.
    pub fn object(&self, key: &str) -> Option<StoredObject> {
        lock(&self.0).objects.get(key).cloned()
    }

    /// Gives the answer to some requests. The first one that fits counts.
    pub fn answer(&self, answer: HttpAnswer) {
        lock(&self.0).answers.push(answer);
    }

    /// Gives the status codes of the next callbacks; after the last one it is 200.
    pub fn callback_statuses(&self, statuses: impl IntoIterator<Item = u16>) {
        lock(&self.0).statuses.extend(statuses);
    }

    /// Injects a fault.
    pub fn inject(&self, fault: InjectedFault) {
        lock(&self.0).faults.add(fault);
    }

    /// Returns what was done to the outside so far, in order, without what was taken by [`MemoryHost::take_effects`].
    pub fn effects(&self) -> Vec<Effect> {
        lock(&self.0).effects.clone()
    }

    /// Returns the same and forgets it, so that a host that is used again and again does not keep everything. Objects stay.
    pub fn take_effects(&self) -> Vec<Effect> {
        std::mem::take(&mut lock(&self.0).effects)
    }

    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&mut Inside) -> T) -> T {
        use_it(&mut lock(&self.0))
    }

    /// Lets an injected fault happen, if one concerns this use. Errors: the fault.
    pub(crate) async fn meet(&self, used: HostUse, name: &str) -> Result<(), Failure> {
        let Some(fault) = self.with(|inside| inside.faults.next(used, name)) else { return Ok(()) };
        tokio::time::sleep(fault.delay()).await;
        fault.failure(name).map_or(Ok(()), Err)
    }
}

impl StoredObject {
    pub(crate) fn new(key: &str, content_type: &str, fingerprint: Option<String>, bytes: Bytes) -> Self {
        let info = ObjectInfo {
            key: key.to_owned(),
            bytes: bytes.len() as u64,
            etag: hex::encode(&Sha256::digest(&bytes)[..16]),
            content_type: Some(content_type.to_owned()),
            crc32: Some(crc32fast::hash(&bytes)),
            fingerprint,
        };
        Self { info, bytes }
    }
}
