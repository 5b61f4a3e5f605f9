//! Stored objects on S3.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types::{Tag, Tagging};
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{Digests, NewObject, ObjectInfo, ObjectReader, ObjectWriter, Objects};

use crate::objects::body::{self, ResumingBody};
use crate::objects::bucket::{Store, length_of, unquoted};
use crate::objects::reader::S3Reader;
use crate::objects::recent::{EdgeKeeper, Edges, Recent};
use crate::objects::writer::S3Writer;
use crate::sdk_error::failure;

/// The media bucket as the runtime's [`Objects`].
///
/// Every request retries by the SDK's standard policy (see [`Clients`](crate::Clients)); a body that breaks half-way is
/// taken up again where it broke. All reads after the first name the entity tag that the first one saw.
#[derive(Clone)]
pub struct S3Objects {
    store: Store,
    recent: Arc<Recent>,
}

impl S3Objects {
    /// Objects of `bucket`; new ones are encrypted by `kms_key_id` where it is given, else as the bucket says.
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>, kms_key_id: Option<String>) -> Self {
        Self::of(Store::new(client, bucket.into(), kms_key_id))
    }

    pub(crate) fn of(store: Store) -> Self {
        Self { store, recent: Arc::default() }
    }
}

#[async_trait]
impl Objects for S3Objects {
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        let info = self.store.head(key, None).await?;
        self.recent.seen(&info);
        Ok(info)
    }

    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
        let output = self.store.get(key, if_match, None).await?;
        let etag = unquoted(output.e_tag().unwrap_or_default()).to_owned();
        let length = length_of(key, output.content_length())?;
        let body = ResumingBody::begun(self.store.clone(), key, &etag, 0..length, output.body);
        let (mut chunks, _reading) = body::spawn(body);
        // Off the async workers: a file of 256 MiB keeps a core busy for a good while. `_reading` stays on this side, so
        // that a call which is given up ends the reading and, by that, the hashing.
        let hashing = tokio::task::spawn_blocking(move || {
            let mut sha256 = Sha256::new();
            let mut crc32 = crc32fast::Hasher::new();
            let mut edges = EdgeKeeper::default();
            let mut bytes = 0u64;
            while let Some(chunk) = chunks.blocking_recv() {
                let chunk = chunk?;
                sha256.update(&chunk);
                crc32.update(&chunk);
                edges.add(&chunk);
                bytes += chunk.len() as u64;
            }
            Ok::<_, Failure>((hex::encode(sha256.finalize()), crc32.finalize(), edges.finish(), bytes))
        });
        let (sha256, crc32, edges, bytes) =
            hashing.await.map_err(|error| Failure::new(Case::Internal, format!("digesting {key}: {error}")))??;
        if bytes != length {
            return Err(Failure::new(
                Case::Transient,
                format!("digesting {key}: {bytes} bytes came of the {length} that it has"),
            ));
        }
        self.recent.read(key, &etag, edges);
        Ok(Digests { sha256, crc32, bytes, etag })
    }

    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure> {
        // A version that was digested just now: its size is known, and most likely all that will be read of it.
        if let Some((info, edges)) = if_match.and_then(|etag| self.recent.take(key, unquoted(etag))) {
            return Ok(Box::new(S3Reader::new(self.store.clone(), info, edges)));
        }
        let info = self.store.head(key, if_match).await?;
        Ok(Box::new(S3Reader::new(self.store.clone(), info, Edges::default())))
    }

    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        Ok(Box::new(S3Writer::new(self.store.clone(), object)?))
    }

    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        let what = format!("tagging {key}");
        let client = self.store.client();
        let current = client
            .get_object_tagging()
            .bucket(self.store.bucket())
            .key(key)
            .send()
            .await
            .map_err(|error| failure(&what, &error))?;
        // S3 replaces the whole set, so the others have to be sent along.
        let Some(tags) = with_tag(current.tag_set(), name, value) else { return Ok(()) };
        let invalid = |error: &dyn std::fmt::Display| Failure::new(Case::InvalidInput, format!("{what}: {error}"));
        let tags = tags
            .into_iter()
            .map(|(name, value)| Tag::builder().key(name).value(value).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| invalid(&error))?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(|error| invalid(&error))?;
        client
            .put_object_tagging()
            .bucket(self.store.bucket())
            .key(key)
            .tagging(tagging)
            .send()
            .await
            .map_err(|error| failure(&what, &error))?;
        Ok(())
    }
}

/// The tags with `name` set to `value`; `None` if they are so already.
fn with_tag(current: &[Tag], name: &str, value: &str) -> Option<Vec<(String, String)>> {
    if current.iter().any(|tag| tag.key() == name && tag.value() == value) {
        return None;
    }
    let mut tags: Vec<(String, String)> = current
        .iter()
        .filter(|tag| tag.key() != name)
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
        .collect();
    tags.push((name.to_owned(), value.to_owned()));
    Some(tags)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tag(name: &str, value: &str) -> Tag {
        Tag::builder().key(name).value(value).build().unwrap()
    }

    #[test]
    fn a_tag_is_added_beside_the_others_and_replaces_its_own_earlier_value() {
        let current = [tag("owner", "web"), tag("stage", "old")];
        let tags = with_tag(&current, "stage", "raw").unwrap();
        assert_eq!(tags, [("owner".into(), "web".into()), ("stage".into(), "raw".into())]);
    }

    #[test]
    fn a_tag_that_is_there_already_costs_no_request() {
        assert_eq!(with_tag(&[tag("stage", "raw")], "stage", "raw"), None);
    }
}
