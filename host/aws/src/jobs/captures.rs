//! Pictures of a film: MediaConvert's frame capture.
//!
//! MediaConvert captures the first frame and then one at every interval, and names the files `{name}.{number}.jpg` with seven
//! digits from 0 on ("FrameCaptureSettings" in its API reference). A film's first frame is often black. So a job asks for two
//! captures at an interval of a third of the film's length, and the second one, `….0000001.jpg`, is the picture. A film of one
//! frame has only the first.

use aws_sdk_mediaconvert::types::{
    ContainerSettings, ContainerType, FrameCaptureSettings, Output, VideoCodec, VideoCodecSettings,
};
use stagehost_runtime::capability::TranscodeOutput;

use super::colours;

/// How the key of a picture ends.
const SECOND: &str = ".0000001.jpg";
/// How the key of the first frame ends.
const FIRST: &str = ".0000000.jpg";

/// The share of the film's length at which the picture is taken.
const SHARE: u64 = 3;

/// JPEG quality as the service counts it, 1 to 100.
const QUALITY: i32 = 90;

/// Returns the name of a picture without number and extension; `None` if this is no picture.
pub(crate) fn base(output: &TranscodeOutput) -> Option<&str> {
    output.key.strip_suffix(SECOND).filter(|base| !base.is_empty() && !base.ends_with('/'))
}

/// Returns the key of the first frame beside a picture.
pub(crate) fn first_frame(key: &str) -> Option<String> {
    key.strip_suffix(SECOND).map(|base| format!("{base}{FIRST}"))
}

/// Returns the MIME type of an output by its key.
pub(crate) fn content_type(key: &str) -> &'static str {
    if key.ends_with(SECOND) || key.ends_with(FIRST) { "image/jpeg" } else { "video/mp4" }
}

/// Returns the settings of a picture. `duration` is the film's length in milliseconds; without it, the picture is taken after a
/// second.
pub(crate) fn settings(size: (i32, i32), duration: Option<u64>, modifier: Option<&str>) -> Output {
    // An interval of `denominator / numerator` seconds.
    let (numerator, denominator) = match duration.and_then(|millis| i32::try_from(millis).ok()) {
        Some(millis) if millis > 0 => (i32::try_from(SHARE * 1000).unwrap_or(i32::MAX), millis),
        _ => (1, 1),
    };
    let capture = FrameCaptureSettings::builder()
        .framerate_numerator(numerator)
        .framerate_denominator(denominator)
        .max_captures(2)
        .quality(QUALITY)
        .build();
    let codec = VideoCodecSettings::builder().codec(VideoCodec::FrameCapture).frame_capture_settings(capture).build();
    Output::builder()
        .container_settings(ContainerSettings::builder().container(ContainerType::Raw).build())
        .video_description(colours::picture(size).codec_settings(codec).build())
        .extension("jpg")
        .set_name_modifier(modifier.map(str::to_owned))
        .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn interval(duration: Option<u64>) -> (i32, i32) {
        let output = settings((320, 180), duration, Some("_320x240"));
        let codec = output.video_description().unwrap().codec_settings().unwrap().clone();
        let capture = codec.frame_capture_settings().unwrap();
        assert_eq!(capture.max_captures(), Some(2));
        (capture.framerate_numerator().unwrap(), capture.framerate_denominator().unwrap())
    }

    #[test]
    fn the_picture_is_taken_at_a_third_of_the_film() {
        assert_eq!(interval(Some(60_000)), (3000, 60_000), "every 20 seconds");
        assert_eq!(interval(None), (1, 1));
        assert_eq!(interval(Some(u64::MAX)), (1, 1));
    }

    #[test]
    fn a_picture_is_known_by_its_key() {
        assert_eq!(first_frame("a/b_320x240.0000001.jpg").as_deref(), Some("a/b_320x240.0000000.jpg"));
        assert_eq!(first_frame("a/b_720p.mp4"), None);
        assert_eq!(content_type("a/b_320x240.0000001.jpg"), "image/jpeg");
        assert_eq!(content_type("a/b_720p.mp4"), "video/mp4");
    }
}
