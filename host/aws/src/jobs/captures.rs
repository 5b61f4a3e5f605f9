//! Pictures of a film: MediaConvert's frame capture.
//!
//! MediaConvert captures the first frame and then one at every interval, and names the files `{name}.{number}.jpg` with seven
//! digits from 0 on ("FrameCaptureSettings" in its API reference). A film's first frame is often black. So a job asks for three
//! captures at an interval of a third of the film's length, and the second one, `….0000001.jpg`, is the picture. If that is of one
//! colour, as between two scenes, the one at two thirds is taken, or else the first frame. A film of one frame has only that.

use aws_sdk_mediaconvert::types::{
    ContainerSettings, ContainerType, FrameCaptureSettings, Output, VideoCodec, VideoCodecSettings,
};
use stagehost_batch::PixelSize;
use stagehost_runtime::capability::TranscodeOutput;

use super::colours;
use super::streams::PLAYLIST;

/// How the key of a picture ends in a job.
const NAMED: &str = ".0000001.jpg";

/// The captures in the order in which they are preferred: at a third, at two thirds, the first frame.
const PREFERRED: [u32; 3] = [1, 2, 0];

/// The share of the film's length between two captures.
const SHARE: u64 = 3;

/// JPEG quality as the service counts it, 1 to 100.
const QUALITY: i32 = 90;

/// Returns the name of a picture without number and extension; `None` if the output is not a picture.
pub(crate) fn base(output: &TranscodeOutput) -> Option<&str> {
    base_of(&output.key)
}

fn base_of(key: &str) -> Option<&str> {
    key.strip_suffix(NAMED).filter(|base| !base.is_empty() && !base.ends_with('/'))
}

/// Returns the keys of all captures of a picture, the preferred one first; `None` if the output is not a picture.
pub(crate) fn captured(key: &str) -> Option<[String; PREFERRED.len()]> {
    base_of(key).map(|base| PREFERRED.map(|number| format!("{base}.{number:07}.jpg")))
}

/// Returns whether a JPEG of this length has next to nothing in it: black, or another colour alone. The host decodes no
/// pictures, but such a one takes a twelfth of a bit for each pixel, and one of a scene half a bit or more at this quality. The
/// headers have up to 1 KiB.
pub(crate) fn is_plain(bytes: u64, pixels: PixelSize) -> bool {
    bytes <= 1024 + u64::from(pixels.width) * u64::from(pixels.height) / 32
}

/// Returns the MIME type of an output by its key.
pub(crate) fn content_type(key: &str) -> &'static str {
    if key.ends_with(".jpg") {
        "image/jpeg"
    } else if key.ends_with(PLAYLIST) {
        "application/vnd.apple.mpegurl"
    } else {
        "video/mp4"
    }
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
        .max_captures(PREFERRED.len() as i32)
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
        assert_eq!(capture.max_captures(), Some(3));
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
        let keys = captured("a/b_320x240.0000001.jpg").unwrap();
        assert_eq!(keys, ["a/b_320x240.0000001.jpg", "a/b_320x240.0000002.jpg", "a/b_320x240.0000000.jpg"]);
        assert!(["a/b_720p.mp4", "a/.0000001.jpg", "a/b_320x240.jpg"].into_iter().all(|key| captured(key).is_none()));
        assert_eq!(content_type("a/b_320x240.0000002.jpg"), "image/jpeg");
        assert_eq!(content_type("a/b_720p.mp4"), "video/mp4");
        assert_eq!(content_type("a/b_hls.m3u8"), "application/vnd.apple.mpegurl");
    }

    #[test]
    fn a_picture_of_one_colour_is_known_by_its_length() {
        // Lengths that ffmpeg's encoder gives: black, black with a sensor's noise, colour bars, a garden.
        let small = PixelSize { width: 320, height: 180 };
        assert_eq!([582, 720, 3775, 7809].map(|bytes| is_plain(bytes, small)), [true, true, false, false]);
        assert!(is_plain(5621, PixelSize { width: 1280, height: 720 }));
    }
}
