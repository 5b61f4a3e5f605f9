//! Adaptive streaming: an HLS group of several renditions.
//!
//! MediaConvert writes `{destination}{name modifier}.m3u8` for each rendition, its segments beside it, and `{destination}.m3u8`
//! above them ("HlsGroupSettings" in its API reference). The stage names the playlists; the one above is that whose name begins
//! all others.

use aws_sdk_mediaconvert::types::{
    ContainerSettings, ContainerType, HlsDirectoryStructure, HlsGroupSettings, HlsManifestDurationFormat,
    HlsSegmentControl, M3u8Settings, OutputGroupSettings, OutputGroupType,
};
use stagehost_runtime::capability::TranscodeOutput;

/// How the key of a playlist ends.
pub(crate) const PLAYLIST: &str = ".m3u8";

/// The wanted length of a segment and the distance between key frames, in seconds (HTTP Live Streaming authoring specification
/// for Apple devices, 1.10 and 7.5).
pub(crate) const SEGMENT_SECONDS: i32 = 6;
pub(crate) const KEY_FRAME_SECONDS: f64 = 2.0;

/// Returns whether an output is a playlist.
pub(crate) fn is_playlist(output: &TranscodeOutput) -> bool {
    output.key.ends_with(PLAYLIST)
}

/// The playlists of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Renditions<'a> {
    /// The key of the playlist above, without extension.
    pub(crate) base: &'a str,
    /// Each rendition with what its name has in addition.
    pub(crate) each: Vec<(&'a TranscodeOutput, &'a str)>,
}

/// Returns the playlists among these outputs. `Ok(None)` if there are none.
///
/// Errors: a sentence, if there is none above the others, or none below it.
pub(crate) fn renditions(outputs: &[TranscodeOutput]) -> Result<Option<Renditions<'_>>, &'static str> {
    let stems: Vec<_> = outputs.iter().filter_map(|o| Some((o, o.key.strip_suffix(PLAYLIST)?))).collect();
    let Some((_, base)) = stems.iter().min_by_key(|(_, stem)| stem.len()).copied() else { return Ok(None) };
    if base.is_empty() || base.ends_with('/') {
        return Err("a playlist has no name");
    }
    let below =
        |(output, stem): &(&'_ TranscodeOutput, &'_ str)| -> bool { *stem != base && output.key.starts_with(base) };
    let each: Vec<_> = stems.iter().filter(|entry| below(entry)).map(|(o, stem)| (*o, &stem[base.len()..])).collect();
    if each.is_empty() || each.len() + 1 != stems.len() {
        return Err("a stream needs a playlist whose name begins those of its renditions");
    }
    Ok(Some(Renditions { base, each }))
}

/// Returns the settings of the group.
pub(crate) fn group(destination: String) -> OutputGroupSettings {
    let hls = HlsGroupSettings::builder()
        .destination(destination)
        .segment_control(HlsSegmentControl::SegmentedFiles)
        .segment_length(SEGMENT_SECONDS)
        .min_segment_length(0)
        .directory_structure(HlsDirectoryStructure::SingleDirectory)
        .manifest_duration_format(HlsManifestDurationFormat::FloatingPoint)
        .build();
    OutputGroupSettings::builder().r#type(OutputGroupType::HlsGroupSettings).hls_group_settings(hls).build()
}

/// Returns the container of a rendition.
pub(crate) fn container() -> ContainerSettings {
    ContainerSettings::builder().container(ContainerType::M3U8).m3u8_settings(M3u8Settings::builder().build()).build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use stagehost_batch::PixelSize;

    use super::*;

    fn output(key: &str) -> TranscodeOutput {
        let pixels = PixelSize { width: 64, height: 64 };
        TranscodeOutput { name: key.into(), key: key.into(), pixels, video_bitrate: 1000, audio_bitrate: None }
    }

    #[test]
    fn the_playlist_whose_name_begins_the_others_is_above_them() {
        let outputs = ["p/a_720p.mp4", "p/a_hls.m3u8", "p/a_hls-720p.m3u8", "p/a_hls-480p.m3u8"].map(output);
        let found = renditions(&outputs).unwrap().unwrap();
        assert_eq!(found.base, "p/a_hls");
        assert_eq!(found.each.iter().map(|(_, modifier)| *modifier).collect::<Vec<_>>(), ["-720p", "-480p"]);
        assert_eq!(renditions(&outputs[..1]), Ok(None));
        for wrong in [&["p/a_hls.m3u8"][..], &["p/a.m3u8", "p/b-1.m3u8"], &["p/.m3u8", "p/x.m3u8"]] {
            let outputs: Vec<_> = wrong.iter().map(|key| output(key)).collect();
            assert!(renditions(&outputs).is_err(), "{wrong:?}");
        }
    }
}
