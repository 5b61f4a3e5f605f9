//! The directory of a ZIP archive in the bucket (APPNOTE.TXT, section 4.3.6: it is the last part of the file).

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use zip::ZipArchive;

use super::window::FileEnd;
use crate::source::error::SourceError;
use crate::source::media::MediaFiles;

/// How much of the end is read at first, in bytes: what leads to the directory, with the longest comment, is within 64 KiB
/// and some bytes, and so are the directories of some six hundred files.
const TAIL: u64 = 72 << 10;

/// The longest directory that is read, in bytes.
const LONGEST: u64 = 8 << 20;

/// How often a range is read. A directory that begins before the tail takes two.
const RANGES: usize = 3;

/// How many entries are kept.
const KEPT: usize = 1_000;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// Its name, which anybody may have chosen.
    pub name: String,
    /// Its length, in bytes.
    pub bytes: u64,
}

/// What is in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveListing {
    /// The first files, in the order of the directory.
    pub entries: Vec<ArchiveEntry>,
    /// How many there are.
    pub all: usize,
}

/// The last bytes of an object, and which version of it they are of.
struct End {
    start: u64,
    bytes: Bytes,
    etag: Option<String>,
}

/// Reads what is in an archive.
///
/// # Errors
/// [`SourceError::Missing`]. [`SourceError::Refused`] if it is no archive or its directory is too long.
pub async fn listing(media: &dyn MediaFiles, key: &str) -> Result<ArchiveListing, SourceError> {
    let mut end = read(media, key, &format!("bytes=-{TAIL}"), TAIL).await?;
    for ranges in 1..=RANGES {
        let (window, missed) = FileEnd::new(end.start, end.bytes.clone());
        // A long directory takes some milliseconds.
        let parsed = tokio::task::spawn_blocking(move || entries(window)).await;
        let why = match parsed.map_err(|error| SourceError::Failed(format!("{key} cannot be read: {error}")))? {
            Ok(listing) => return Ok(listing),
            Err(why) => why,
        };
        let Some(from) = missed.at() else {
            return Err(SourceError::Refused(format!("{key} is no archive that can be read: {why}")));
        };
        let missing = end.start.saturating_sub(from);
        if missing == 0 || missing.saturating_add(end.bytes.len() as u64) > LONGEST {
            return Err(SourceError::Refused(format!(
                "the directory of {key} is longer than {} MiB, or it is no archive: {why}",
                LONGEST >> 20
            )));
        }
        if ranges < RANGES {
            end = prepended(media, key, from, missing, end).await?;
        }
    }
    Err(SourceError::Refused(format!("the directory of {key} is not where the archive says")))
}

/// Reads the bytes from `from` to the ones that are known.
async fn prepended(media: &dyn MediaFiles, key: &str, from: u64, count: u64, end: End) -> Result<End, SourceError> {
    let before = read(media, key, &format!("bytes={from}-{}", end.start - 1), count).await?;
    if before.start != from || before.bytes.len() as u64 != count || before.etag != end.etag {
        return Err(SourceError::Failed(format!(
            "{key} was replaced while its directory was read; load the page again"
        )));
    }
    let mut bytes = BytesMut::with_capacity(before.bytes.len() + end.bytes.len());
    bytes.extend_from_slice(&before.bytes);
    bytes.extend_from_slice(&end.bytes);
    Ok(End { start: from, bytes: bytes.freeze(), etag: end.etag })
}

/// Reads a range of at most `most` bytes.
async fn read(media: &dyn MediaFiles, key: &str, range: &str, most: u64) -> Result<End, SourceError> {
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
    Ok(End { start, bytes: bytes.freeze(), etag: file.etag })
}

/// Returns the first byte's place from `bytes 17-99/100` (RFC 9110, section 14.4).
fn first_byte(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

fn entries(window: FileEnd) -> Result<ArchiveListing, String> {
    let archive = ZipArchive::new(window).map_err(|error| error.to_string())?;
    let metadata = archive.metadata();
    let entries = (0..metadata.len().min(KEPT)).map(|at| {
        let entry = metadata.entry(at).map_err(|error| error.to_string())?;
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(_) => String::from_utf8_lossy(entry.name_raw()).into_owned(),
        };
        Ok(ArchiveEntry { name, bytes: entry.size() })
    });
    Ok(ArchiveListing { entries: entries.collect::<Result<_, String>>()?, all: metadata.len() })
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
