//! The capabilities behind a stage's imports, as traits.
//!
//! The runtime links a component's imports to these traits and does not know who implements them: S3 and MediaConvert in
//! production, the same APIs on loopback in a local run, a record in a replay. The runtime itself checks grants and limits
//! and counts bytes before it calls an implementation, so that no implementation can forget it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stagehost_batch::{Batch, Case, Failure, PixelSize, Rendition};

use crate::budget::HostBudget;
use crate::grants::HttpSecret;

/// All capabilities of a host. Cheap to clone.
#[derive(Clone)]
pub struct Capabilities {
    /// Stored objects.
    pub objects: Arc<dyn Objects>,
    /// The transcoding service.
    pub transcoder: Arc<dyn Transcoder>,
    /// The backend's callback endpoint.
    pub webhook: Arc<dyn Webhook>,
    /// Other HTTP services.
    pub http: Arc<dyn Http>,
}

/// The call in which a capability is used.
#[derive(Clone, Debug)]
pub struct CallScope {
    /// The Step Functions state.
    pub state: String,
    /// The execution's ARN; empty outside an execution.
    pub execution: String,
    /// Retries of this state so far.
    pub attempt: u32,
    /// The token that ends the state, if it waits for one.
    pub task_token: Option<String>,
    /// The batch as it was when the call began.
    pub batch: Arc<Batch>,
    /// Stored with every object that the call writes.
    pub provenance: Arc<Provenance>,
}

/// The stage that made an object. Answers "which version processed this batch?" years later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The stage's name.
    pub stage: String,
    /// Its version.
    pub version: String,
    /// `sha256:…` of the component.
    pub digest: String,
}

/// What a store knows about an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ObjectInfo {
    pub key: String,
    pub bytes: u64,
    /// Without quotes.
    pub etag: String,
    pub content_type: Option<String>,
    /// CRC-32 of the whole object, if the store has one.
    pub crc32: Option<u32>,
    pub fingerprint: Option<String>,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ListedObject {
    pub key: String,
    pub bytes: u64,
    /// Without quotes.
    pub etag: String,
}

/// A part of a listing, in the order of the keys' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectPage {
    /// The objects.
    pub objects: Vec<ListedObject>,
    /// The last key of this page, if others follow.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Digests of an object's bytes, and the entity tag of the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Digests {
    /// Lower-case hexadecimal.
    pub sha256: String,
    pub crc32: u32,
    pub bytes: u64,
    pub etag: String,
}

/// An object to be written.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewObject {
    pub key: String,
    pub content_type: String,
    pub fingerprint: Option<String>,
    pub provenance: Arc<Provenance>,
    /// What the call found under the key.
    pub replaces: Replaces,
}

/// What a new object may replace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Replaces {
    /// Any object: the call has not looked.
    #[default]
    Anything,
    /// No object: none was there when the call looked.
    Nothing,
    /// The version with this entity tag, which was there when the call looked.
    Version(String),
}

/// Stored objects. All keys are in the media bucket. Entity tags have no quotes.
///
/// Errors: a [`Failure`] whose case the stage can act on: `Missing`, `Mismatch` (the object is not the version of
/// `if_match`), `Denied`, or `Transient` if a retry may succeed.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// Returns what the store knows about `key`.
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure>;
    /// Returns the object's digests. Streams it once, in bounded memory.
    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure>;
    /// Opens one version of the object. Every read is from that version.
    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure>;
    /// Begins a new object. Nothing is visible before [`ObjectWriter::finish`].
    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure>;
    /// Adds one tag and keeps the others.
    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure>;
    /// Returns the objects whose keys begin with `prefix` and come after the key `after`: at most `most`.
    async fn list(&self, _prefix: &str, _after: Option<&str>, _most: u16) -> Result<ObjectPage, Failure> {
        Err(Failure::new(Case::Unsupported, "this host cannot list objects"))
    }
    /// Deletes the object if its entity tag is `if_match` and a stage of this name wrote it (see [`Provenance`]).
    ///
    /// Errors: `Missing` if it is not there; `Denied` if it was made by anything else.
    async fn delete(&self, _key: &str, _if_match: &str, _stage: &str) -> Result<(), Failure> {
        Err(Failure::new(Case::Unsupported, "this host cannot delete objects"))
    }
    /// Returns this store for one call, with what it buffers charged to the call's budget. `None` if it buffers nothing
    /// of its own.
    fn charged_to(&self, _budget: &HostBudget) -> Option<Arc<dyn Objects>> {
        None
    }
}

/// An open object.
#[async_trait]
pub trait ObjectReader: Send {
    /// Returns the object's facts as of when it was opened.
    fn info(&self) -> &ObjectInfo;
    /// Returns `len` bytes from `offset`, fewer only at the end.
    async fn read(&mut self, offset: u64, len: u32) -> Result<Bytes, Failure>;
}

/// An object that is being written. Dropping it must leave nothing in the store (a multipart upload is aborted in the
/// background); [`abort`](ObjectWriter::abort) does the same and waits for it.
#[async_trait]
pub trait ObjectWriter: Send {
    /// Adds bytes.
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure>;
    /// Adds `len` bytes of a stored object from `offset`. The store copies them itself if it can.
    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure>;
    /// Makes the whole object visible. The info has the CRC-32 if all bytes went through the host.
    ///
    /// If somebody else has stored the same object meanwhile (the same fingerprint and the same bytes), that is a success,
    /// and the info is that of the stored object. Errors: `Mismatch` if something else is there than what
    /// [`NewObject::replaces`] allows; nothing is replaced then.
    async fn finish(self: Box<Self>) -> Result<ObjectInfo, Failure>;
    /// Discards it.
    async fn abort(self: Box<Self>);
}

/// One file to make, a film or a picture of it; see `transcoder.output` of the WIT contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TranscodeOutput {
    pub name: String,
    pub key: String,
    pub pixels: PixelSize,
    /// The highest rate, in bits per second.
    pub video_bitrate: u32,
    /// In bits per second; `None` for a file without sound.
    pub audio_bitrate: Option<u32>,
}

/// A transcoding job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TranscodeJob {
    pub source_key: String,
    pub source_etag: String,
    pub outputs: Vec<TranscodeOutput>,
}

/// The service's answer to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Submission {
    /// The job is accepted under this id.
    Running(String),
    /// The outputs were made earlier from the same source and still exist.
    UpToDate(Vec<Rendition>),
}

/// The transcoding service.
#[async_trait]
pub trait Transcoder: Send + Sync + 'static {
    /// Submits a job. The same job in the same execution is started once.
    async fn submit(&self, scope: &CallScope, job: TranscodeJob) -> Result<Submission, Failure>;
}

/// A reply of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookReply {
    /// HTTP status code.
    pub status: u16,
    /// From `Retry-After`, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// The backend's callback endpoint.
#[async_trait]
pub trait Webhook: Send + Sync + 'static {
    /// Sends one signed request.
    ///
    /// Errors: `Denied` if no address or no secret is configured.
    async fn deliver(&self, scope: &CallScope, body: Bytes) -> Result<WebhookReply, Failure>;
}

/// A request to another service.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// Secrets from the pin. The implementation that sends the request puts their values into headers; whatever stands before
    /// it, such as a recorder, sees their names only.
    pub secrets: Vec<HttpSecret>,
    pub body: Bytes,
    pub timeout: std::time::Duration,
    /// The longest response body to accept, in bytes.
    pub max_response: usize,
}

/// The response to an [`HttpRequest`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// The head of a request whose body follows in pieces.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct HttpHead {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// As in [`HttpRequest`].
    pub secrets: Vec<HttpSecret>,
    /// The length of the body in bytes; `None` if it is not known.
    pub body_bytes: Option<u64>,
    /// How long to wait for the service without any progress.
    pub timeout: std::time::Duration,
}

/// The head of the answer to an [`HttpHead`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct HttpAnswerHead {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// One request and its answer, both in pieces. The runtime calls in this order: `write` any number of times, `answer` once,
/// `read` until the end; it calls nothing more after a failure. Dropping an exchange cancels its request, and a body that
/// `answer` has not ended must never arrive as a complete one.
///
/// Errors: `Transient` if the service breaks off or makes no progress within the time allowed.
#[async_trait]
pub trait HttpExchange: Send {
    /// Sends the next bytes of the body. Returns when there is room for more, so that a service that is slow to take them
    /// slows the stage down.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure>;
    /// Ends the body and returns the head of the answer, whatever its status is.
    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure>;
    /// Returns the next `len` bytes of the answer's body, fewer only at its end.
    async fn read(&mut self, len: usize) -> Result<Bytes, Failure>;
}

/// Other HTTP services. The runtime checks the host against the pin's grants before it calls this.
#[async_trait]
pub trait Http: Send + Sync + 'static {
    /// Sends one request. Redirects are not followed.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure>;
    /// Begins a request whose body, and whose answer's body, come in pieces. Redirects are not followed.
    async fn begin(&self, _head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        Err(Failure::new(Case::Unsupported, "this host cannot exchange bodies in pieces"))
    }
}
