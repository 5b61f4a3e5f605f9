//! Storing an upload without replacing anything.

use std::path::Path;

use futures::TryStreamExt as _;
use time::Date;
use tokio::io::AsyncReadExt as _;

use super::names::{key, numbered};
use crate::source::error::SourceError;
use crate::source::media::MediaFiles;

/// How many different files of one name a listing can get in a day.
const MOST_OF_A_NAME: usize = 50;

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) key: String,
    pub(super) how: How,
}

/// How it got there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    New,
    /// The same bytes were there already.
    Same,
    /// Another file has the name, so this one got a number.
    Renamed,
}

impl How {
    /// Returns the word for the page's script.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Renamed => "renamed",
        }
    }
}

/// Stores a file as `{listing}/raw/{area}/{today}/{name}`. If another file has that key, the name gets the next number; if the
/// same bytes are there, nothing is stored.
///
/// # Errors
/// [`SourceError::Refused`] if all numbers are taken; others if the bucket does not answer.
pub(super) async fn store(
    media: &dyn MediaFiles,
    (listing, area, today): (&str, &str, Date),
    (name, content_type): (&str, &str),
    file: &Path,
) -> Result<Stored, SourceError> {
    for number in 1..=MOST_OF_A_NAME {
        let key = key(listing, area, today, &numbered(name, number));
        if media.create(&key, content_type, file).await? {
            let how = if number == 1 { How::New } else { How::Renamed };
            return Ok(Stored { key, how });
        }
        if is_same(media, &key, file).await? {
            return Ok(Stored { key, how: How::Same });
        }
    }
    Err(SourceError::Refused(format!(
        "{MOST_OF_A_NAME} other files of listing {listing} are called {name} today; give this one another name"
    )))
}

/// Returns whether an object has the bytes of a file. Objects of another length are not read.
async fn is_same(media: &dyn MediaFiles, key: &str, file: &Path) -> Result<bool, SourceError> {
    let failed =
        |error: std::io::Error| SourceError::Failed(format!("{key} cannot be compared with the upload: {error}"));
    let mut kept = match media.open(key, None, None).await {
        Ok(Some(kept)) => kept,
        // Somebody has deleted it meanwhile.
        Ok(None) | Err(SourceError::Missing(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut own = tokio::fs::File::open(file).await.map_err(failed)?;
    let length = own.metadata().await.map_err(failed)?.len();
    if kept.length != Some(length) {
        return Ok(false);
    }
    let (mut compared, mut buffer) = (0, Vec::new());
    while let Some(chunk) = kept.body.try_next().await.map_err(failed)? {
        compared += chunk.len() as u64;
        if compared > length {
            return Ok(false);
        }
        buffer.resize(chunk.len(), 0);
        own.read_exact(&mut buffer).await.map_err(failed)?;
        if buffer != chunk {
            return Ok(false);
        }
    }
    Ok(compared == length)
}
