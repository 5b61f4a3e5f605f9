//! A host to test with: objects in memory, queued answers, and everything that a stage logged, measured or sent.
//!
//! ```
//! use stage_sdk::testing::{Host, asset};
//! use stage_sdk::{Asset, AssetStage, Call, Failure, Object};
//!
//! struct Size;
//! impl AssetStage for Size {
//!     fn process(_: Call, mut asset: Asset) -> Result<Asset, Failure> {
//!         asset.bytes = Some(Object::of(&asset)?.info().bytes);
//!         Ok(asset)
//!     }
//! }
//!
//! let host = Host::new();
//! host.put("51/raw/photo/vertical/a.jpg", b"abc");
//! let found = host.process::<Size>(asset("51/raw/photo/vertical/a.jpg")).unwrap();
//! assert_eq!(found.bytes, Some(3));
//! ```

pub(crate) mod keys;
pub(crate) mod state;

use std::marker::PhantomData;

use crate::bindings::batch::exports::toq::media::batch_stage::Outcome;
use crate::bindings::toq::media::http::{Request as HttpRequest, Response};
use crate::bindings::toq::media::types::{Asset, Batch, Context, Failure, Id, ListingField, MediaType};
use crate::bindings::toq::media::webhook::Reply;
use crate::call::Call;
use crate::logger;
use crate::stage::{AssetStage, BatchStage};
use state::{NewBytes, State, StoredObject, with};

pub use state::{LogLine, Measure};

/// The host of the running thread. Tests run on threads of their own, so each has its own host.
pub struct Host(PhantomData<*const ()>);

impl Host {
    /// Returns an empty host in place of the one that this thread had.
    #[allow(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        logger::init();
        with(|host| *host = State::default());
        Self(PhantomData)
    }

    /// Stores an object of type `application/octet-stream`.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.put_as(key, bytes, "application/octet-stream", None);
    }

    /// Stores an object with a MIME type and a fingerprint.
    pub fn put_as(&self, key: &str, bytes: &[u8], content_type: &str, fingerprint: Option<&str>) {
        let new = NewBytes { bytes: bytes.to_vec(), ..NewBytes::new(content_type, fingerprint) };
        with(|host| host.objects.insert(key.to_owned(), StoredObject::from(new)));
    }

    /// Returns the bytes of an object.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        with(|host| host.objects.get(key).map(|object| object.bytes.clone()))
    }

    /// Returns the keys of all objects, in order.
    pub fn keys(&self) -> Vec<String> {
        with(|host| host.objects.keys().cloned().collect())
    }

    /// Lets every function of the host fail that is about this object, or that begins a request in pieces to this URL.
    pub fn fail(&self, key: &str, failure: Failure) {
        with(|host| host.faults.insert(key.to_owned(), failure));
    }

    /// Lets the next answer of this URL that is read in pieces break off behind the last byte that it has.
    pub fn break_answer(&self, url: &str, failure: Failure) {
        with(|host| host.breaks.insert(url.to_owned(), failure));
    }

    /// Sets the stage's configuration, a JSON object.
    pub fn configure(&self, config: &str) {
        with(|host| host.config = config.to_owned());
    }

    /// Sets how much time is left, in milliseconds.
    pub fn remaining_ms(&self, left: u64) {
        with(|host| host.remaining_ms = left);
    }

    /// Adds the answer to the next HTTP request that has none yet.
    pub fn respond(&self, response: Result<Response, Failure>) {
        with(|host| host.responses.push_back(response));
    }

    /// Adds the answer to the next delivery that has none yet; without one it is 200.
    pub fn reply(&self, reply: Result<Reply, Failure>) {
        with(|host| host.replies.push_back(reply));
    }

    /// Returns the HTTP requests that were sent.
    pub fn requests(&self) -> Vec<HttpRequest> {
        with(|host| host.requests.clone())
    }

    /// Returns the bodies that were delivered.
    pub fn deliveries(&self) -> Vec<String> {
        with(|host| host.deliveries.clone())
    }

    /// Returns the tags that were set: key, name, value.
    pub fn tags(&self) -> Vec<(String, String, String)> {
        with(|host| host.tags.clone())
    }

    /// Returns the lines that were logged.
    pub fn logs(&self) -> Vec<LogLine> {
        with(|host| host.logs.clone())
    }

    /// Returns what was counted and timed.
    pub fn measures(&self) -> Vec<Measure> {
        with(|host| host.measures.clone())
    }

    /// Calls an asset stage.
    ///
    /// # Errors
    /// The stage's failure.
    pub fn process<S: AssetStage>(&self, asset: Asset) -> Result<Asset, Failure> {
        S::process(call(), asset)
    }

    /// Calls a batch stage.
    ///
    /// # Errors
    /// The stage's failure.
    pub fn process_batch<S: BatchStage>(&self, batch: Batch) -> Result<Outcome, Failure> {
        S::process(call(), batch)
    }
}

fn call() -> Call {
    let config = with(|host| host.config.clone());
    Call::from(Context {
        state: "Test".to_owned(),
        execution: "arn:aws:states:us-east-1:000000000000:execution:test:test".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        attempt: 0,
        config,
    })
}

/// Returns a verified asset of which only the key, its media type and, if this thread's host has the object, its length and
/// entity tag are known.
pub fn asset(key: &str) -> Asset {
    let info = crate::sys::stat(key).ok();
    Asset {
        key: key.to_owned(),
        media_type: keys::parse(key).map_or(MediaType::ProjectDoc, |parts| parts.media_type),
        content_type: None,
        bytes: info.as_ref().map(|info| info.bytes),
        etag: info.map(|info| info.etag),
        sha256: None,
        crc32: None,
        pixels: None,
        orientation: None,
        duration_ms: None,
        has_audio: None,
        title: None,
        sequence: None,
        verified: true,
        renditions: Vec::new(),
        attributes: Vec::new(),
        problem: None,
    }
}

/// Returns a batch of listing 51 with these files.
pub fn batch(assets: Vec<Asset>) -> Batch {
    Batch {
        listing: Id::Number(51),
        listing_field: ListingField::ListingId,
        batch_id: None,
        job_id: None,
        external_id: None,
        traceparent: None,
        assets,
        bundles: Vec::new(),
        files: Vec::new(),
        attributes: Vec::new(),
        problems: Vec::new(),
    }
}
