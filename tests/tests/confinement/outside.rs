//! A world for stages that keeps nothing of what hostile ones write, so that only the host's own memory is measured. It
//! counts every effect.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{
    CallScope, Capabilities, Digests, Http, HttpAnswerHead, HttpExchange, HttpHead, HttpRequest, HttpResponse,
    NewObject, ObjectInfo, ObjectReader, ObjectWriter, Objects, Submission, TranscodeJob, Transcoder, Webhook,
    WebhookReply,
};

/// The length of every uploaded photo, in bytes.
pub const PHOTO_BYTES: u64 = 100_000;
/// The entity tag of all of them.
pub const ETAG: &str = "photo-1";
/// The listing whose calls are honest.
pub const HONEST_LISTING: u64 = 7;
/// What the answer without end is made of.
static ZEROS: [u8; 4 << 20] = [0; 4 << 20];

#[derive(Default)]
pub struct Outside {
    photo: Bytes,
    /// Whether a writer that is discarded never answers.
    pub hangs_on_abort: AtomicBool,
    /// Every finished object, with its length.
    finished: Mutex<BTreeMap<String, u64>>,
    /// The bytes of those of the honest listing.
    honest: Mutex<BTreeMap<String, Bytes>>,
    /// The tags that were set, each as `name=value`, with how often.
    tags: Mutex<BTreeMap<String, u64>>,
    /// Bytes that hostile calls appended or copied.
    pub bytes: AtomicU64,
    /// Objects that hostile calls began.
    pub created: AtomicU64,
    pub jobs: AtomicU64,
    pub deliveries: AtomicU64,
    /// Requests to HTTP services, whole or in pieces.
    pub requests: AtomicU64,
    /// Bytes that exchanges sent to services.
    pub sent: AtomicU64,
    /// Exchanges with services that are not dropped yet.
    pub open_exchanges: AtomicU64,
    /// Requests of hostile calls to the store, reads of open objects and appends included.
    pub storage: AtomicU64,
    /// Writers that are neither finished nor discarded.
    pub open_writers: AtomicU64,
    /// Writers that were dropped, so that nobody waited until the store had discarded them.
    pub lost_writers: AtomicU64,
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::SeqCst);
}

/// Returns a byte of the photo.
pub fn photo_byte(at: u64) -> u8 {
    (at * 31 % 251) as u8
}

impl Outside {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { photo: (0..PHOTO_BYTES).map(photo_byte).collect(), ..Self::default() })
    }

    pub fn capabilities(self: &Arc<Self>) -> Capabilities {
        let shared = Arc::new(Shared(self.clone()));
        Capabilities { objects: shared.clone(), transcoder: shared.clone(), webhook: shared.clone(), http: shared }
    }

    /// Returns this world as a store.
    pub fn objects(self: &Arc<Self>) -> Arc<dyn Objects> {
        Arc::new(Shared(self.clone()))
    }

    /// Returns the keys of all finished objects.
    pub fn finished(&self) -> Vec<String> {
        self.finished.lock().unwrap().keys().cloned().collect()
    }

    /// Returns the bytes of an object that an honest call has finished.
    pub fn honest_bytes(&self, key: &str) -> Option<Bytes> {
        self.honest.lock().unwrap().get(key).cloned()
    }

    /// Returns the tags that were set, with how often.
    pub fn tags(&self) -> BTreeMap<String, u64> {
        self.tags.lock().unwrap().clone()
    }

    fn asked(&self, key: &str) {
        if !is_honest(key) {
            count(&self.storage, 1);
        }
    }

    fn find(&self, key: &str, if_match: Option<&str>) -> Result<ObjectInfo, Failure> {
        self.asked(key);
        let bytes = match self.finished.lock().unwrap().get(key) {
            Some(bytes) => *bytes,
            None if key.contains("/raw/") => PHOTO_BYTES,
            None => return Err(Failure::new(Case::Missing, "there is no such object")),
        };
        if if_match.is_some_and(|etag| etag != ETAG) {
            return Err(Failure::new(Case::Mismatch, "it is another version"));
        }
        Ok(info(key, bytes))
    }
}

fn is_honest(key: &str) -> bool {
    key.starts_with(&format!("{HONEST_LISTING}/"))
}

fn info(key: &str, bytes: u64) -> ObjectInfo {
    ObjectInfo { key: key.into(), bytes, etag: ETAG.into(), content_type: None, crc32: None, fingerprint: None }
}

struct Shared(Arc<Outside>);

#[async_trait]
impl Objects for Shared {
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        self.0.find(key, None)
    }

    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
        let info = self.0.find(key, if_match)?;
        Ok(Digests { sha256: "0".repeat(64), crc32: 0, bytes: info.bytes, etag: info.etag })
    }

    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure> {
        Ok(Box::new(Reader { info: self.0.find(key, if_match)?, world: self.0.clone() }))
    }

    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        self.0.asked(&object.key);
        count(&self.0.open_writers, 1);
        let honest = is_honest(&object.key).then(Vec::new);
        if honest.is_none() {
            count(&self.0.created, 1);
        }
        Ok(Box::new(Writer { world: self.0.clone(), key: object.key, bytes: 0, honest, ended: false }))
    }

    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        self.0.asked(key);
        *self.0.tags.lock().unwrap().entry(format!("{name}={value}")).or_default() += 1;
        Ok(())
    }
}

struct Reader {
    info: ObjectInfo,
    world: Arc<Outside>,
}

#[async_trait]
impl ObjectReader for Reader {
    fn info(&self) -> &ObjectInfo {
        &self.info
    }

    async fn read(&mut self, offset: u64, len: u32) -> Result<Bytes, Failure> {
        self.world.asked(&self.info.key);
        let from = offset.min(PHOTO_BYTES) as usize;
        let to = offset.saturating_add(len.into()).min(PHOTO_BYTES) as usize;
        Ok(self.world.photo.slice(from..to.max(from)))
    }
}

struct Writer {
    world: Arc<Outside>,
    key: String,
    bytes: u64,
    /// The bytes, if the call is honest.
    honest: Option<Vec<u8>>,
    /// Whether it was finished or discarded.
    ended: bool,
}

impl Writer {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.honest.is_none() {
            self.world.asked(&self.key);
            count(&self.world.bytes, bytes);
        }
    }
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.add(bytes.len() as u64);
        if let Some(kept) = &mut self.honest {
            kept.extend_from_slice(&bytes);
        }
        Ok(())
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        let info = self.world.find(key, if_match)?;
        if offset.checked_add(len).is_none_or(|end| end > info.bytes) {
            return Err(Failure::new(Case::InvalidInput, "the range is longer than the object"));
        }
        self.add(len);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectInfo, Failure> {
        self.ended = true;
        self.world.finished.lock().unwrap().insert(self.key.clone(), self.bytes);
        if let Some(bytes) = self.honest.take() {
            self.world.honest.lock().unwrap().insert(self.key.clone(), bytes.into());
        }
        Ok(info(&self.key, self.bytes))
    }

    async fn abort(mut self: Box<Self>) {
        self.ended = true;
        if self.world.hangs_on_abort.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.world.open_writers.fetch_sub(1, Ordering::SeqCst);
        if !self.ended {
            count(&self.world.lost_writers, 1);
        }
    }
}

#[async_trait]
impl Transcoder for Shared {
    async fn submit(&self, _: &CallScope, _: TranscodeJob) -> Result<Submission, Failure> {
        count(&self.0.jobs, 1);
        Ok(Submission::Running("job-1".into()))
    }
}

#[async_trait]
impl Webhook for Shared {
    async fn deliver(&self, _: &CallScope, _: Bytes) -> Result<WebhookReply, Failure> {
        count(&self.0.deliveries, 1);
        Ok(WebhookReply { status: 503, retry_after_ms: None })
    }
}

#[async_trait]
impl Http for Shared {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, Failure> {
        count(&self.0.requests, 1);
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: Bytes::from_static(b"answer") })
    }

    async fn begin(&self, head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        count(&self.0.requests, 1);
        count(&self.0.open_exchanges, 1);
        let path = head.url.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Box::new(Service { world: self.0.clone(), path, reads: 0 }))
    }
}

/// A service that takes everything, and whose answer is as the last part of the path says: it has no end, stops after two reads,
/// breaks off or never comes. Any other path has an empty answer.
struct Service {
    world: Arc<Outside>,
    path: String,
    reads: u32,
}

#[async_trait]
impl HttpExchange for Service {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        count(&self.world.sent, bytes.len() as u64);
        Ok(())
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        if self.path == "silent" {
            std::future::pending::<()>().await;
        }
        Ok(HttpAnswerHead { status: 200, headers: Vec::new() })
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        self.reads += 1;
        match &*self.path {
            "broken" => Err(Failure::new(Case::Transient, "the connection was closed")),
            "drip" if self.reads > 2 => std::future::pending().await,
            "endless" | "drip" => Ok(Bytes::from_static(&ZEROS[..len.min(ZEROS.len())])),
            _ => Ok(Bytes::new()),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.world.open_exchanges.fetch_sub(1, Ordering::SeqCst);
    }
}
