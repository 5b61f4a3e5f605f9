//! A world for stages in memory: objects, services that answer at once, and a list of everything that was done to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use stagehost_batch::{Asset, Batch, Case, Failure, Id, Listing, ListingField, MediaType};
use stagehost_runtime::capability::{
    CallScope, Capabilities, Digests, Http, HttpAnswerHead, HttpExchange, HttpHead, HttpRequest, HttpResponse,
    ListedObject, NewObject, ObjectInfo, ObjectPage, ObjectReader, ObjectWriter, Objects, Submission, TranscodeJob,
    Transcoder, Webhook, WebhookReply,
};
use stagehost_runtime::{CallRequest, Fanout, FanoutRequest, Grants, Limits, Stage, StageEngine, StageIdentity, World};
use stagehost_tests::guest;

pub const PHOTO: &str = "51/raw/photo/vertical/2025-11-27/photo.jpg";
pub const OTHER: &str = "51/raw/photo/vertical/2025-11-27/other.jpg";
pub const ACTED: &str = "51/thumb/photo/vertical/2025-11-27/photo_acted.bin";
pub const TASK_TOKEN: &str = "task-token-secret";

#[derive(Default)]
pub struct Outside {
    pub objects: Mutex<BTreeMap<String, (Bytes, ObjectInfo)>>,
    /// Everything that changed something.
    pub effects: Mutex<Vec<String>>,
    /// Everything that was read.
    pub reads: Mutex<Vec<String>>,
}

#[derive(Clone)]
pub struct Shared(pub Arc<Outside>);

impl Outside {
    pub fn new() -> Arc<Self> {
        let this = Arc::new(Self::default());
        this.put(PHOTO, Bytes::from_static(b"the bytes of a photo"), None);
        this.put(OTHER, Bytes::from_static(b"another one"), None);
        this
    }

    fn put(&self, key: &str, bytes: Bytes, fingerprint: Option<String>) -> ObjectInfo {
        let info = ObjectInfo {
            key: key.to_owned(),
            bytes: bytes.len() as u64,
            etag: StageIdentity::digest_of(&bytes)[7..23].to_owned(),
            content_type: None,
            crc32: None,
            fingerprint,
        };
        self.objects.lock().unwrap().insert(key.to_owned(), (bytes, info.clone()));
        info
    }

    fn get(&self, key: &str, if_match: Option<&str>) -> Result<(Bytes, ObjectInfo), Failure> {
        self.reads.lock().unwrap().push(key.to_owned());
        let objects = self.objects.lock().unwrap();
        let found = objects.get(key).ok_or_else(|| Failure::new(Case::Missing, format!("no {key}")))?;
        if if_match.is_some_and(|etag| etag != found.1.etag) {
            return Err(Failure::new(Case::Mismatch, format!("another {key}")));
        }
        Ok(found.clone())
    }

    fn did(&self, what: String) {
        self.effects.lock().unwrap().push(what);
    }

    /// Returns what was done to the world so far, and all objects.
    pub fn state(&self) -> (Vec<String>, BTreeMap<String, (Bytes, ObjectInfo)>) {
        (self.effects.lock().unwrap().clone(), self.objects.lock().unwrap().clone())
    }

    pub fn capabilities(self: &Arc<Self>) -> Capabilities {
        let shared = Arc::new(Shared(self.clone()));
        Capabilities { objects: shared.clone(), transcoder: shared.clone(), webhook: shared.clone(), http: shared }
    }
}

#[async_trait]
impl Objects for Shared {
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        Ok(self.0.get(key, None)?.1)
    }

    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
        let (bytes, info) = self.0.get(key, if_match)?;
        let sha256 = StageIdentity::digest_of(&bytes)[7..].to_owned();
        Ok(Digests { sha256, crc32: 0, bytes: info.bytes, etag: info.etag })
    }

    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure> {
        let (bytes, info) = self.0.get(key, if_match)?;
        Ok(Box::new(Reader(bytes, info)))
    }

    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        self.0.did(format!("create {}", object.key));
        Ok(Box::new(Writer { world: self.clone(), object, bytes: Vec::new() }))
    }

    async fn list(&self, prefix: &str, _: Option<&str>, _: u16) -> Result<ObjectPage, Failure> {
        let objects = self.0.objects.lock().unwrap();
        let found = objects.values().filter(|(_, info)| info.key.starts_with(prefix));
        let found =
            found.map(|(_, info)| ListedObject { key: info.key.clone(), bytes: info.bytes, etag: info.etag.clone() });
        Ok(ObjectPage { objects: found.collect(), next: None })
    }

    async fn delete(&self, key: &str, if_match: &str, _: &str) -> Result<(), Failure> {
        self.0.get(key, Some(if_match))?;
        self.0.objects.lock().unwrap().remove(key);
        self.0.did(format!("delete {key}"));
        Ok(())
    }

    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        self.0.did(format!("tag {key} {name}={value}"));
        Ok(())
    }
}

struct Reader(Bytes, ObjectInfo);

#[async_trait]
impl ObjectReader for Reader {
    fn info(&self) -> &ObjectInfo {
        &self.1
    }

    async fn read(&mut self, offset: u64, len: u32) -> Result<Bytes, Failure> {
        let from = self.0.len().min(offset as usize);
        Ok(self.0.slice(from..self.0.len().min(from + len as usize)))
    }
}

struct Writer {
    world: Shared,
    object: NewObject,
    bytes: Vec<u8>,
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        let (bytes, _) = self.world.0.get(key, if_match)?;
        self.bytes.extend_from_slice(&bytes[offset as usize..(offset + len) as usize]);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ObjectInfo, Failure> {
        let Self { world, object, bytes } = *self;
        world.0.did(format!("finish {}", object.key));
        Ok(world.0.put(&object.key, bytes.into(), object.fingerprint))
    }

    async fn abort(self: Box<Self>) {}
}

#[async_trait]
impl Transcoder for Shared {
    async fn submit(&self, scope: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        assert_eq!(scope.task_token.as_deref(), Some(TASK_TOKEN));
        self.0.did(format!("job for {}", job.source_key));
        Ok(Submission::Running("job-1".into()))
    }
}

#[async_trait]
impl Webhook for Shared {
    async fn deliver(&self, _: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        self.0.did(format!("callback of {} bytes", body.len()));
        Ok(WebhookReply { status: 200, retry_after_ms: None })
    }
}

#[async_trait]
impl Http for Shared {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        self.0.did(format!("{} {}", request.method, request.url));
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header("set-cookie", "session=answer-secret"),
            header("location", "https://api.example.org/looked/location-secret"),
        ];
        Ok(HttpResponse { status: 201, headers, body: Bytes::from_static(b"looked at") })
    }

    async fn begin(&self, head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        Ok(Box::new(Film { world: self.clone(), head, bytes: BytesMut::new() }))
    }
}

/// A service that answers with what it gets, after three words.
struct Film {
    world: Shared,
    head: HttpHead,
    bytes: BytesMut,
}

#[async_trait]
impl HttpExchange for Film {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        let got = self.bytes.split().freeze();
        self.world.0.did(format!("{} {} with {} bytes in pieces", self.head.method, self.head.url, got.len()));
        self.bytes.extend_from_slice(b"this is made of ");
        self.bytes.extend_from_slice(&got);
        let headers = vec![("set-cookie".to_owned(), "session=answer-secret".to_owned())];
        Ok(HttpAnswerHead { status: 202, headers })
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        Ok(self.bytes.split_to(len.min(self.bytes.len())).freeze())
    }
}

/// Compiles a guest as a stage.
pub fn stage(name: &str, world: World) -> Arc<Stage> {
    let bytes = std::fs::read(guest(name).unwrap()).unwrap();
    let digest = StageIdentity::digest_of(&bytes);
    let identity = StageIdentity { name: name.into(), version: "1.0.0".into(), digest };
    Arc::new(Stage::compile(&StageEngine::new().unwrap(), identity, world, &bytes).unwrap())
}

pub fn grants() -> Grants {
    Grants {
        read: vec!["{listingId}/raw/".into()],
        write: vec!["{listingId}/thumb/".into(), "{listingId}/processed/".into()],
        http: vec!["api.example.org".into()],
        tags: vec!["acted".into()],
        ..Grants::default()
    }
}

pub fn limits() -> Limits {
    Limits { memory_mib: 64, deadline_ms: 60_000, ..Limits::default() }
}

/// Returns a batch with the photo.
pub fn batch() -> Batch {
    let mut batch = Batch::new(Listing { id: Id::Number(51), field: ListingField::ListingId });
    batch.job_id = Some(Id::Number(4));
    let mut asset = Asset::new(PHOTO, MediaType::PhotoVertical);
    (asset.verified, asset.etag) = (true, Some("v1".into()));
    batch.assets.push(asset);
    batch.recount();
    batch
}

/// Returns a call of the state with this stage in service.
pub fn request(stage: &Stage, outside: &Arc<Outside>, config: &str) -> FanoutRequest {
    FanoutRequest {
        call: CallRequest {
            scope: CallScope {
                state: "Act".into(),
                execution: "arn:aws:states:us-east-1:000000000000:execution:machine:job-4".into(),
                attempt: 0,
                task_token: Some(TASK_TOKEN.into()),
                batch: Arc::new(batch()),
                provenance: Arc::new(stage.provenance()),
            },
            started_at: "2026-01-01T00:00:00Z".into(),
            config: config.into(),
            limits: limits(),
            grants: grants(),
            capabilities: outside.capabilities(),
            deadline: None,
        },
        transient_fails: true,
    }
}

pub fn fanout() -> Fanout {
    Fanout::new(2, 512)
}
