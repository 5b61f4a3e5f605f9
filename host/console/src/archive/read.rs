//! Reading what is in an archive of the bucket.

use bytes::BytesMut;
use futures::TryStreamExt as _;

use super::directory::{ArchiveListing, Directory, Part, Step};
use crate::source::error::SourceError;
use crate::source::media::MediaFiles;

/// How much of the end is read at first, in bytes: what leads to the directory, with the longest comment, is within 64 KiB
/// and some bytes, and so are the directories of some six hundred files.
const TAIL: u64 = 72 << 10;

/// Reads what is in an archive.
///
/// # Errors
/// [`SourceError::Missing`]. [`SourceError::Refused`] if it is no archive or its directory is too long.
pub async fn listing(media: &dyn MediaFiles, key: &str) -> Result<ArchiveListing, SourceError> {
    let (mut part, etag) = read(media, key, &format!("bytes=-{TAIL}"), TAIL).await?;
    let mut directory = Directory::default();
    loop {
        // A long directory takes some milliseconds.
        let step = tokio::task::spawn_blocking(move || {
            let step = directory.add(part);
            (directory, step)
        });
        let (next, step) = step.await.map_err(|error| SourceError::Failed(format!("{key} cannot be read: {error}")))?;
        directory = next;
        match step.map_err(|refusal| SourceError::Refused(format!("{key}: {refusal}")))? {
            Step::Done(listing) => return Ok(listing),
            Step::Read { from, count } => {
                let range = format!("bytes={from}-{}", from + count - 1);
                let (before, now) = read(media, key, &range, count).await?;
                if before.start != from || before.bytes.len() as u64 != count || now != etag {
                    return Err(SourceError::Failed(format!(
                        "{key} was replaced while its directory was read; load the page again"
                    )));
                }
                part = before;
            }
        }
    }
}

/// Reads a range of at most `most` bytes. Returns them, and the entity tag of the object.
async fn read(
    media: &dyn MediaFiles,
    key: &str,
    range: &str,
    most: u64,
) -> Result<(Part, Option<String>), SourceError> {
    let failed = |why: &str| SourceError::Failed(format!("{key} cannot be read: {why}"));
    let mut file = media.open(key, Some(range), None).await?.ok_or_else(|| failed("the store has not sent it"))?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = file.body.try_next().await.map_err(|error| failed(&error.to_string()))? {
        if bytes.len() as u64 + chunk.len() as u64 > most {
            return Err(failed("the store has sent more than was asked for"));
        }
        bytes.extend_from_slice(&chunk);
    }
    // A store may send the whole of a short object.
    let start = match file.range.as_deref().map(first_byte) {
        Some(Some(start)) => start,
        Some(None) => return Err(failed("the store does not say which part it is")),
        None => 0,
    };
    Ok((Part { start, bytes: bytes.freeze() }, file.etag))
}

/// Returns the first byte's place from `bytes 17-99/100` (RFC 9110, section 14.4).
fn first_byte(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_range_is_read() {
        let places = ["bytes 17-99/100", "bytes 0-0/1", "bytes */100", "items 1-2/3", ""].map(first_byte);
        assert_eq!(places, [Some(17), Some(0), None, None, None]);
    }
}
