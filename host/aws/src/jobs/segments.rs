//! The segments of a job's streams. No output names them; a stream without one of them stops there.

use std::collections::BTreeSet;

use stagehost_batch::{Failure, list_digest};

use crate::jobs::streams::PLAYLIST;
use crate::jobs::ticket::TicketOutput;
use crate::objects::bucket::MediaBucket;

/// Returns a digest of all segments beside the playlists among `outputs`, by their keys and entity tags. `None` if there are no
/// playlists.
///
/// Errors: if the bucket cannot be listed.
pub(crate) async fn digest(bucket: &MediaBucket, outputs: &[TicketOutput]) -> Result<Option<String>, Failure> {
    let stems: BTreeSet<&str> = outputs.iter().filter_map(|output| output.key.strip_suffix(PLAYLIST)).collect();
    // The names of all others begin with the shortest.
    let Some(base) = stems.iter().min_by_key(|stem| stem.len()) else { return Ok(None) };
    let mut segments = bucket.list(base).await?;
    segments.retain(|(key, _)| stem_of(key).is_some_and(|stem| stems.contains(stem)));
    segments.sort();
    let parts = segments.iter().flat_map(|(key, etag)| [key.as_str(), etag.as_str()]);
    Ok(Some(list_digest(std::iter::once("segments").chain(parts))))
}

/// Returns what is in front of a segment's number: `{stem}_00001.ts`.
fn stem_of(key: &str) -> Option<&str> {
    let (stem, number) = key.strip_suffix(".ts")?.rsplit_once('_')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_known_by_the_number_at_its_end() {
        assert_eq!(stem_of("p/tour_hls-720p_00001.ts"), Some("p/tour_hls-720p"));
        for other in ["p/tour_hls-720p.m3u8", "p/tour_hls-720p_x.ts", "p/tour_hls-720p_.ts", "p/tour.ts"] {
            assert_eq!(stem_of(other), None, "{other}");
        }
    }
}
