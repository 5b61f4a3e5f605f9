//! What a job must know of the film that it is for: its sound tracks and its length.
//!
//! MediaConvert fails a job whose selected sound track it cannot decode, and by default it selects the first track. Phones
//! write sound that only their maker can decode (`apac`) before or beside one that everybody can. So the host reads the
//! film's header and selects the first track of a codec that the service knows; a film without one is made without sound.

use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{CallScope, TranscodeJob};

use crate::objects::bucket::MediaBucket;
use crate::objects::in_memory;

/// The codecs of sound that MediaConvert decodes, by their names in MP4 and QuickTime files: AAC, AC-3, E-AC-3, AMR, FLAC, MP2
/// and MP3, Opus, PCM. The list is `Codec` of the API's Probe operation ("AWS Elemental MediaConvert API Reference").
const DECODABLE: [&[u8; 4]; 25] = [
    b"mp4a",
    b"ac-3",
    b"ec-3",
    b"samr",
    b"sawb",
    b"fLaC",
    b".mp2",
    b".mp3",
    b"ms\0\x50",
    b"ms\0U",
    b"Opus",
    b"lpcm",
    b"sowt",
    b"twos",
    b"raw ",
    b"NONE",
    b"in24",
    b"in32",
    b"fl32",
    b"fl64",
    b"42ni",
    b"23ni",
    b"23lf",
    b"ipcm",
    b"fpcm",
];

/// The most bytes of a film's header that are read. An hour of film has about 2 MiB.
const MAX_HEADER: u64 = 16 << 20;
/// The most outermost boxes that are looked at on the way to the header.
const MAX_BOXES: usize = 32;
/// The bytes that are read to find the next box. Most headers are within them.
const STEP: u64 = 64 << 10;

/// The sound of a film, as the service can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sound {
    /// Left to the service, because the film's header could not be read.
    #[default]
    Unknown,
    /// This track, counted from 1.
    Track(u32),
    /// The film has no sound that can be decoded.
    Missing,
}

/// What a job must know of its film.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceFilm {
    pub(crate) sound: Sound,
    /// In milliseconds.
    pub(crate) duration: Option<u64>,
}

/// Returns what is known of the job's film. If the film cannot be read, its job is submitted all the same, and the service's
/// error says what is wrong.
///
/// Errors: `Transient` if the bucket does not answer.
pub(crate) async fn read(bucket: &MediaBucket, scope: &CallScope, job: &TranscodeJob) -> Result<SourceFilm, Failure> {
    let asset = scope.batch.asset(&job.source_key);
    let duration = asset.and_then(|asset| asset.duration_ms);
    if job.outputs.iter().all(|output| output.audio_bitrate.is_none()) {
        return Ok(SourceFilm { sound: Sound::Missing, duration });
    }
    let sound = match header(bucket, &job.source_key, &job.source_etag).await {
        Ok(Some(moov)) => match stage_probe::sound_codecs(&mut moov.as_slice()) {
            Ok(codecs) => choose(&job.source_key, &codecs),
            Err(_) => Sound::Unknown,
        },
        Ok(None) => Sound::Unknown,
        Err(failure) if failure.case == Case::Transient => return Err(failure),
        Err(_) => Sound::Unknown,
    };
    Ok(SourceFilm { sound, duration })
}

fn choose(key: &str, codecs: &[[u8; 4]]) -> Sound {
    match codecs.iter().position(|codec| DECODABLE.contains(&codec)) {
        Some(index) => Sound::Track(u32::try_from(index).unwrap_or_default() + 1),
        None => {
            if !codecs.is_empty() {
                let names: Vec<_> = codecs.iter().map(|codec| codec.escape_ascii().to_string()).collect();
                let codecs = names.join(", ");
                tracing::warn!(key, codecs, "no sound track of this film can be decoded; it is made without sound");
            }
            Sound::Missing
        }
    }
}

/// Returns the film's `moov` box with its header; `None` if it has none, or one that is too long.
async fn header(bucket: &MediaBucket, key: &str, etag: &str) -> Result<Option<Vec<u8>>, Failure> {
    let length = bucket.head(key, Some(etag)).await?.bytes;
    let mut at = 0;
    for _ in 0..MAX_BOXES {
        let end = length.min(at + STEP);
        if at + 8 > end {
            return Ok(None);
        }
        let bytes = in_memory::read_range(bucket, key, etag, at..end).await?;
        // Small boxes follow each other within what was read.
        let mut within = 0_usize;
        while let Some((kind, size)) = bytes.get(within..).and_then(|rest| outer_box(rest, length - at - within as u64))
        {
            let start = at + within as u64;
            if &kind == b"moov" {
                if size > MAX_HEADER || start + size > length {
                    return Ok(None);
                }
                return Ok(Some(in_memory::read_range(bucket, key, etag, start..start + size).await?.to_vec()));
            }
            within = match usize::try_from(size).ok().and_then(|size| within.checked_add(size)) {
                Some(next) => next,
                None => return Ok(None),
            };
        }
        if within == 0 {
            return Ok(None);
        }
        at += within as u64;
    }
    Ok(None)
}

/// Returns the type and the length of the box that begins here, of which `left` bytes are in the file. `None` if its header is
/// not there or makes no sense.
fn outer_box(bytes: &[u8], left: u64) -> Option<([u8; 4], u64)> {
    let kind = bytes.get(4..8)?.try_into().ok()?;
    let (header, size) = match u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) {
        0 => (8, left),
        1 => (16, u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?)),
        size => (8, u64::from(size)),
    };
    (size >= header).then_some((kind, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_track_of_a_known_codec_is_chosen() {
        assert_eq!(choose("k", &[*b"apac", *b"mp4a"]), Sound::Track(2));
        assert_eq!(choose("k", &[*b"mp4a", *b"apac"]), Sound::Track(1));
        assert_eq!(choose("k", &[*b"apac"]), Sound::Missing);
        assert_eq!(choose("k", &[]), Sound::Missing);
    }

    #[test]
    fn a_box_gives_its_length_in_one_of_three_ways() {
        assert_eq!(outer_box(b"\0\0\0\x09moov\0", 100), Some((*b"moov", 9)));
        assert_eq!(outer_box(b"\0\0\0\0mdat", 100), Some((*b"mdat", 100)));
        assert_eq!(outer_box(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x14", 100), Some((*b"mdat", 20)));
        assert_eq!(outer_box(b"\0\0\0\x07mdat", 100), None);
        assert_eq!(outer_box(b"\0\0\0", 3), None);
    }
}
