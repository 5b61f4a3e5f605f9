//! The runtime's [`Objects`] on S3.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::types::{Tag, Tagging};
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::HostBudget;
use stagehost_runtime::capability::{Digests, NewObject, ObjectInfo, ObjectPage, ObjectReader, ObjectWriter, Objects};

use crate::objects::body::{self, ResumingBody};
use crate::objects::bucket::{MediaBucket, length_of};
use crate::objects::notation::unquoted;
use crate::objects::reader::{DIGEST_BYTES, S3Reader};
use crate::objects::recent::{EdgeCollector, Edges, RecentObjects};
use crate::objects::writer::S3Writer;
use crate::sdk_error::failure;

/// The objects of the media bucket.
///
/// Every request is retried by the SDK's standard policy (see `clients`). A body that breaks off is resumed where it
/// broke. All reads after the first require the entity tag that the first one returned.
#[derive(Clone)]
pub struct S3Objects {
    bucket: MediaBucket,
    recent: Arc<RecentObjects>,
    budget: HostBudget,
}

impl S3Objects {
    /// Returns the objects of `bucket`. New objects are encrypted with the key `kms_key_id`, or without one by the
    /// bucket's default.
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>, kms_key_id: Option<String>) -> Self {
        Self::of(MediaBucket::new(client, bucket.into(), kms_key_id))
    }

    pub(crate) fn of(bucket: MediaBucket) -> Self {
        Self { bucket, recent: Arc::default(), budget: HostBudget::unlimited() }
    }
}

#[async_trait]
impl Objects for S3Objects {
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        let info = self.bucket.head(key, None).await?;
        self.recent.add(&info);
        Ok(info)
    }

    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
        let _buffers = self.budget.charge(DIGEST_BYTES, "hashing an object")?;
        let output = self.bucket.get(key, if_match, None).await?;
        let etag = unquoted(output.e_tag().unwrap_or_default()).to_owned();
        let length = length_of(key, output.content_length())?;
        let body = ResumingBody::begun(self.bucket.clone(), key, &etag, 0..length, output.body);
        let (mut chunks, _reading) = body::spawn(body);
        // Hashing runs outside the async workers, because a file of 256 MiB keeps a core busy for a while. `_reading`
        // stays in this future: a call that is dropped ends the reading, and the end of the chunks ends the hashing.
        let hashing = tokio::task::spawn_blocking(move || {
            let mut sha256 = Sha256::new();
            let mut crc32 = crc32fast::Hasher::new();
            let mut edges = EdgeCollector::default();
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
            hashing.await.map_err(|error| Failure::new(Case::Internal, format!("hashing {key}: {error}")))??;
        if bytes != length {
            return Err(Failure::new(
                Case::Transient,
                format!("hashing {key}: only {bytes} of its {length} bytes arrived"),
            ));
        }
        self.recent.add_edges(key, &etag, edges);
        Ok(Digests { sha256, crc32, bytes, etag })
    }

    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure> {
        // This version was hashed just now, so its size is known, and most likely all the bytes that will be read.
        if let Some((info, edges)) = if_match.and_then(|etag| self.recent.take(key, unquoted(etag))) {
            return Ok(Box::new(S3Reader::new(self.bucket.clone(), self.budget.clone(), info, edges)));
        }
        let info = self.bucket.head(key, if_match).await?;
        Ok(Box::new(S3Reader::new(self.bucket.clone(), self.budget.clone(), info, Edges::default())))
    }

    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        Ok(Box::new(S3Writer::new(self.bucket.clone(), self.budget.clone(), object)?))
    }

    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        let what = format!("tagging {key}");
        let client = self.bucket.client();
        let current = client
            .get_object_tagging()
            .bucket(self.bucket.name())
            .key(key)
            .send()
            .await
            .map_err(|error| failure(&what, &error))?;
        // S3 replaces the whole set, so the other tags are sent again.
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
            .bucket(self.bucket.name())
            .key(key)
            .tagging(tagging)
            .send()
            .await
            .map_err(|error| failure(&what, &error))?;
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, most: u16) -> Result<ObjectPage, Failure> {
        self.bucket.page(prefix, after, most).await
    }

    async fn delete(&self, key: &str, if_match: &str, stage: &str) -> Result<(), Failure> {
        let maker = self.bucket.maker(key, if_match).await?;
        if maker.as_deref() != Some(stage) {
            let message = format!("{key} was not made by the stage {stage}, so it is not deleted");
            return Err(Failure::new(Case::Denied, message));
        }
        if self.bucket.delete_if(key, if_match).await? {
            return Ok(());
        }
        // It was replaced or deleted after the look, perhaps by an earlier try whose answer was lost. The failure says which.
        self.bucket.head(key, Some(if_match)).await?;
        Err(Failure::new(Case::Transient, format!("{key} changed while it was to be deleted")))
    }

    fn charged_to(&self, budget: &HostBudget) -> Option<Arc<dyn Objects>> {
        Some(Arc::new(Self { budget: budget.clone(), ..self.clone() }))
    }
}

/// Returns the tags with `name` set to `value`; `None` if it has this value already.
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
