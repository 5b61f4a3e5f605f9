//! The playlists of streams (RFC 8216): those that ffmpeg has written, with the names of the stored segments, and the one
//! above them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::made::{Made, MadeFile, Segments};
use crate::ffmpeg::{self, Media};
use crate::settings::{Content, Location, Plan, Stream};

/// The MIME type of a playlist.
const PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// The most segments of a rendition.
const MOST: u32 = 100_000;

/// The bytes of a segment in which its first parameter set is looked for.
const HEAD: u64 = 64 << 10;

/// Returns the files of a rendition whose playlist ffmpeg has written to `name`, and what they have in common.
pub(super) fn files(stream: &Stream, name: &Path) -> io::Result<Made> {
    let text = std::fs::read_to_string(name)?;
    let prefix = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (mut files, mut renamed, mut sizes) = (Vec::new(), String::with_capacity(text.len()), Vec::new());
    let (mut number, mut seconds) = (0, 0.0);
    for line in text.lines() {
        if let Some(length) = line.strip_prefix("#EXTINF:") {
            seconds = length.trim_end_matches(',').parse().unwrap_or(0.0);
        }
        if line.starts_with('#') || line.is_empty() {
            let _ = writeln!(renamed, "{line}");
            continue;
        }
        number += 1;
        if number > MOST {
            return Err(io::Error::other("a stream has more segments than are made here"));
        }
        let location = stream.segment_file(number);
        let _ = writeln!(renamed, "{}", reference(&location));
        let path = name.with_file_name(format!("{prefix}_{number:05}.ts"));
        sizes.push((path.metadata()?.len(), seconds));
        files.push(MadeFile { path, location, content_type: "video/mp2t" });
    }
    let codec = match files.first() {
        Some(first) => codec(&first.path)?,
        None => return Err(io::Error::other("a stream has no segments")),
    };
    let path = name.with_file_name(format!("{prefix}-stored.m3u8"));
    std::fs::write(&path, renamed)?;
    // Last, so that a reader who finds the playlist finds the segments.
    files.push(MadeFile { path, location: stream.playlist(), content_type: PLAYLIST });
    let (bytes, seconds) = sizes.iter().fold((0, 0.0), |(bytes, sum), (more, length)| (bytes + more, sum + length));
    let (peak, average) = (peak(&sizes, stream.segment), rate(bytes, seconds));
    Ok(Made { files, segments: Some(Segments { seconds, peak, average, codec }) })
}

/// Returns the peak segment bit rate. A segment shorter than half of the target counts together with the one before it (RFC 8216,
/// section 4.1).
fn peak(segments: &[(u64, f64)], target: u32) -> u64 {
    let mut before: Option<(u64, f64)> = None;
    let rates = segments.iter().map(|&(bytes, seconds)| {
        let (first, length) = before.filter(|_| seconds < f64::from(target) / 2.0).unwrap_or_default();
        before = Some((bytes, seconds));
        rate(first + bytes, length + seconds)
    });
    rates.max().unwrap_or(0)
}

/// Returns bits per second.
fn rate(bytes: u64, seconds: f64) -> u64 {
    // No picture is shown for less than a millisecond.
    (bytes as f64 * 8.0 / seconds.max(0.001)).ceil() as u64
}

/// Returns the codec of a segment's picture, `avc1.` and the first three bytes of its sequence parameter set: profile,
/// constraints, level (RFC 6381, section 3.3; ISO/IEC 14496-10, section 7.3.2.1).
fn codec(segment: &Path) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    std::fs::File::open(segment)?.take(HEAD).read_to_end(&mut head)?;
    // A start code and a unit of type 7.
    let set = head.windows(7).find(|bytes| bytes.starts_with(&[0, 0, 1]) && bytes[3] & 0x9F == 7);
    Ok(set.map(|bytes| format!("avc1.{:02X}{:02X}{:02X}", bytes[4], bytes[5], bytes[6])))
}

/// Writes the playlist above the renditions of every stream. `made` is in the plan's order.
pub(super) fn masters(plan: &Plan, media: &Media, made: &[Made], folder: &Path) -> io::Result<Vec<MadeFile>> {
    let Some(video) = &media.video else { return Ok(Vec::new()) };
    let mut texts: BTreeMap<String, (Location, String)> = BTreeMap::new();
    for (output, made) in plan.outputs().zip(made) {
        let (Content::Stream(stream), Some(segments)) = (&output.content, &made.segments) else { continue };
        let master = stream.master();
        let (_, text) = texts
            .entry(master.to_string())
            .or_insert_with(|| (master, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned()));
        let (width, height) = ffmpeg::output_size(stream.film.video.size, plan.input.rotate, video);
        let Segments { peak, average, codec, .. } = segments;
        let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}");
        if let Some(codec) = codec {
            // AAC of low complexity.
            let sound = if ffmpeg::sound_track(&stream.film, media).is_some() { ",mp4a.40.2" } else { "" };
            let _ = write!(text, ",CODECS=\"{codec}{sound}\"");
        }
        let _ = writeln!(text, ",RESOLUTION={width}x{height}\n{}", reference(&stream.playlist()));
    }
    let write = |(index, (location, text)): (usize, (Location, String))| -> io::Result<MadeFile> {
        let path: PathBuf = folder.join(format!("master-{index}.m3u8"));
        std::fs::write(&path, text)?;
        Ok(MadeFile { path, location, content_type: PLAYLIST })
    };
    texts.into_values().enumerate().map(write).collect()
}

/// Returns how a playlist in the same folder refers to a file: its name as a relative URI (RFC 3986, section 4.2).
fn reference(location: &Location) -> String {
    let name = location.key.rsplit('/').next().unwrap_or(&location.key);
    let mut uri = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_a_uri() {
        let location = Location { bucket: "b".into(), key: "51/processed/a tour #1 ü_hls-720p.m3u8".into() };
        assert_eq!(reference(&location), "a%20tour%20%231%20%C3%BC_hls-720p.m3u8");
    }

    #[test]
    fn a_short_last_segment_does_not_set_the_peak() {
        // The film's last picture alone.
        assert_eq!(peak(&[(6_000, 6.0), (12_000, 6.0), (4_000, 0.04)], 6), 8 * 16_000 * 100 / 604 + 1);
        assert_eq!(peak(&[(4_000, 0.5)], 6), 64_000);
        assert_eq!(peak(&[], 6), 0);
    }
}
