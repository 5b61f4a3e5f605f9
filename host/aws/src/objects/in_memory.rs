//! Small objects and ranges, read whole into memory, and the JSON documents that the host keeps in the bucket for
//! itself.

use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stagehost_batch::{Case, Failure};

use crate::objects::body::ResumingBody;
use crate::objects::bucket::{MediaBucket, length_of};
use crate::objects::notation::unquoted;

/// The longest document that the host reads back, in bytes.
const MAX_DOCUMENT: u64 = 16 * 1024 * 1024;

/// Returns exactly the bytes in `range` of the version `etag`.
pub(crate) async fn read_range(
    bucket: &MediaBucket,
    key: &str,
    etag: &str,
    range: Range<u64>,
) -> Result<Bytes, Failure> {
    let expected = usize::try_from(range.end.saturating_sub(range.start))
        .map_err(|_| Failure::new(Case::TooLarge, format!("{key}: the range {range:?} does not fit into memory")))?;
    let mut body = ResumingBody::new(bucket.clone(), key, etag, range);
    let mut all = Vec::with_capacity(expected);
    while let Some(chunk) = body.next().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(Bytes::from(all))
}

/// Returns an object of the host's own; `None` if it does not exist.
pub(crate) async fn read(bucket: &MediaBucket, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let output = match bucket.get(key, None, None).await {
        Ok(output) => output,
        Err(failure) if failure.case == Case::Missing => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let etag = unquoted(output.e_tag().unwrap_or_default()).to_owned();
    let length = length_of(key, output.content_length())?;
    if length > MAX_DOCUMENT {
        let message =
            format!("{key} has {length} bytes; the host writes at most {MAX_DOCUMENT}, so something else wrote it");
        return Err(Failure::new(Case::TooLarge, message));
    }
    let mut body = ResumingBody::begun(bucket.clone(), key, &etag, 0..length, output.body);
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(Some(all))
}

/// Returns a JSON document of the host's own; `None` if it does not exist.
/// Errors: `Internal` if the object is something else.
pub(crate) async fn read_document<T: DeserializeOwned>(bucket: &MediaBucket, key: &str) -> Result<Option<T>, Failure> {
    let Some(all) = read(bucket, key).await? else { return Ok(None) };
    serde_json::from_slice(&all)
        .map(Some)
        .map_err(|error| Failure::new(Case::Internal, format!("{key} is not a document that this host wrote: {error}")))
}

/// Writes a JSON document of the host's own.
pub(crate) async fn write_document<T: Serialize + Sync>(
    bucket: &MediaBucket,
    key: &str,
    document: &T,
) -> Result<(), Failure> {
    let body = serde_json::to_vec(document)
        .map_err(|error| Failure::new(Case::Internal, format!("writing {key}: {error}")))?;
    bucket.put(key, "application/json", body.into()).await
}
