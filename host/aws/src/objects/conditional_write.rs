//! Writes that replace exactly what the call has seen, so that executions beside each other do not fight.
//!
//! Every write of a stage's object has a condition: nothing is there (`If-None-Match: *`), or one version is (`If-Match`). If
//! S3 refuses it, the object that is there decides. The same fingerprint with the same bytes means that another execution has
//! finished first, or that the answer to an own earlier try was lost: this is a success, and the stored object is the result.
//! Anything else is newer than what the call has seen and stays.
//!
//! The first writer wins even if all write the same bytes. With SSE-KMS an entity tag is not a digest: the same bytes written
//! twice have two tags, so an archive that is being composed of the first object would not find it any more.

use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{NewObject, ObjectInfo, Replaces};

use crate::objects::bucket::MediaBucket;
use crate::objects::notation::quoted;
use crate::sdk_error::failure;

/// How often one write may be refused before it fails.
const MAX_REFUSALS: u32 = 6;

/// One object's write, over all its tries.
pub(crate) struct Replacing<'a> {
    bucket: &'a MediaBucket,
    object: &'a NewObject,
    bytes: u64,
    crc32: Option<u32>,
    /// The version to replace; `None` for no object.
    expected: Option<String>,
    refusals: u32,
}

impl<'a> Replacing<'a> {
    /// Returns a write of `object`, which has `bytes` bytes with this CRC-32, if that is known.
    pub(crate) fn new(bucket: &'a MediaBucket, object: &'a NewObject, bytes: u64, crc32: Option<u32>) -> Self {
        let expected = match &object.replaces {
            // Usually nothing is there. If something is, the first refusal tells which version.
            Replaces::Anything | Replaces::Nothing => None,
            Replaces::Version(etag) => Some(etag.clone()),
        };
        Self { bucket, object, bytes, crc32, expected, refusals: 0 }
    }

    /// Returns the header `If-None-Match` of the next try.
    pub(crate) fn if_none_match(&self) -> Option<&'static str> {
        self.expected.is_none().then_some("*")
    }

    /// Returns the header `If-Match` of the next try.
    pub(crate) fn if_match(&self) -> Option<String> {
        self.expected.as_deref().map(quoted)
    }

    /// Decides what follows a try that S3 refused for its condition: the stored object if it is the same; `None` if the write
    /// is to be tried again.
    ///
    /// Errors: `Mismatch` if another object is there than the call has seen; `Transient` if the object changes all the time.
    pub(crate) async fn refused(&mut self, what: &str) -> Result<Option<ObjectInfo>, Failure> {
        let there = match self.bucket.head(&self.object.key, None).await {
            Ok(info) => Some(info),
            Err(failure) if failure.case == Case::Missing => None,
            Err(failure) => return Err(failure),
        };
        if let Some(there) = &there {
            if self.is_same(there) {
                tracing::debug!(key = %there.key, etag = %there.etag, "the same object was stored by another try or execution");
                return Ok(Some(there.clone()));
            }
            let seen = match &self.object.replaces {
                Replaces::Anything => true,
                Replaces::Nothing => false,
                Replaces::Version(etag) => *etag == there.etag,
            };
            if !seen {
                return Err(Failure::new(
                    Case::Mismatch,
                    format!(
                        "{what}: somebody else has stored another object there since this call looked (entity tag {}, \
                         fingerprint {}); it is kept",
                        there.etag,
                        there.fingerprint.as_deref().unwrap_or("none"),
                    ),
                ));
            }
        }
        self.refusals += 1;
        if self.refusals > MAX_REFUSALS {
            let message = format!("{what}: the object keeps changing: refused {} times", self.refusals);
            return Err(Failure::new(Case::Transient, message));
        }
        let expected = there.map(|there| there.etag);
        if expected == self.expected {
            // Another write was in progress at that moment (409).
            tokio::time::sleep(Duration::from_millis(25 << self.refusals)).await;
        }
        self.expected = expected;
        Ok(None)
    }

    /// Returns whether a stored object is the one that is being written. Without a fingerprint, both checksums must be known,
    /// and the content types must be equal.
    pub(crate) fn is_same(&self, there: &ObjectInfo) -> bool {
        // An empty one is not stored.
        let fingerprint = self.object.fingerprint.as_deref().filter(|text| !text.is_empty());
        let identified = fingerprint.is_some();
        let checksums = match (self.crc32, there.crc32) {
            (Some(own), Some(stored)) => own == stored,
            _ => identified,
        };
        let content_type = identified || there.content_type.as_ref() == Some(&self.object.content_type);
        there.bytes == self.bytes && there.fingerprint.as_deref() == fingerprint && checksums && content_type
    }
}

/// Passes on the failure of a try, unless S3 refused it for its condition or for another write at the same moment.
pub(crate) fn refusal<E>(what: &str, error: &SdkError<E, HttpResponse>) -> Result<(), Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let refused = match error {
        SdkError::ServiceError(service) => match service.raw().status().as_u16() {
            409 | 412 => true,
            // The version of `If-Match` has been deleted.
            404 => service.err().code() == Some("NoSuchKey"),
            _ => false,
        },
        _ => false,
    };
    if refused { Ok(()) } else { Err(failure(what, error)) }
}
