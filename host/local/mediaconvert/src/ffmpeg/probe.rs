//! Reading the headers of a media file with ffprobe.

use std::path::Path;

use serde_json::Value;

use super::media::{Media, VideoStream};
use super::process::{Limits, ToolError, file_argument, run};
use super::tools::{INPUT_OPTIONS, Tools};

/// The most bytes of ffprobe's output that are read.
const LONGEST: usize = 1 << 20;

/// Reads the headers of `file`.
pub(crate) async fn probe(tools: &Tools, file: &Path, folder: &Path, limits: &Limits) -> Result<Media, ToolError> {
    let mut arguments: Vec<std::ffi::OsString> = ["-hide_banner", "-loglevel", "error"].map(Into::into).into();
    arguments.extend(INPUT_OPTIONS.map(Into::into));
    arguments.extend(["-show_streams", "-show_format", "-of", "json"].map(Into::into));
    arguments.push(file_argument(file).into());
    let mut answer = Vec::new();
    run(&tools.ffprobe, &arguments, folder, limits, |bytes| {
        let room = LONGEST.saturating_sub(answer.len()).min(bytes.len());
        answer.extend_from_slice(bytes.get(..room).unwrap_or_default());
    })
    .await?;
    Ok(read(&answer))
}

/// Reads ffprobe's JSON. Missing or invalid values count as absent.
fn read(answer: &[u8]) -> Media {
    let answer: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
    let mut media = Media { duration: seconds(&answer["format"]["duration"]), ..Media::default() };
    for stream in answer["streams"].as_array().into_iter().flatten() {
        match stream["codec_type"].as_str() {
            Some("audio") => media.audio_tracks += 1,
            Some("video") if media.video.is_none() && stream["disposition"]["attached_pic"] != 1 => {
                media.video = read_video(stream);
                media.duration = media.duration.max(seconds(&stream["duration"]));
            }
            _ => {}
        }
    }
    media
}

fn read_video(stream: &Value) -> Option<VideoStream> {
    let dimension =
        |name: &str| stream[name].as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=16_384).contains(n));
    let codec = stream["codec_name"].as_str().filter(|name| *name != "unknown").map(str::to_owned);
    let rotation = stream["side_data_list"]
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|data| data["rotation"].as_f64())
        .filter(|degrees| degrees.is_finite())
        // ffprobe gives the rotation counter-clockwise.
        .map_or(0, |degrees| (-degrees).round().rem_euclid(360.0) as u16);
    Some(VideoStream {
        codec,
        width: dimension("width")?,
        height: dimension("height")?,
        pixel_aspect: aspect(stream["sample_aspect_ratio"].as_str()),
        rotation,
    })
}

/// Returns the ratio of `4:3`. An unknown or extreme one counts as square.
fn aspect(text: Option<&str>) -> f64 {
    let ratio = text.and_then(|text| {
        let (across, down) = text.split_once(':')?;
        Some(across.parse::<f64>().ok()? / down.parse::<f64>().ok()?)
    });
    ratio.filter(|ratio| (0.1..=10.0).contains(ratio)).unwrap_or(1.0)
}

/// Returns decimal seconds in a string as microseconds. More than a week counts as unknown.
fn seconds(value: &Value) -> u64 {
    let seconds = value.as_str().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    if (0.0..604_800.0).contains(&seconds) { (seconds * 1e6) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn media(answer: Value) -> Media {
        read(answer.to_string().as_bytes())
    }

    #[test]
    fn a_portrait_video_of_a_phone_has_a_rotation_of_90_degrees() {
        let media = media(json!({
            "streams": [
                {"codec_type": "video", "codec_name": "mjpeg", "width": 10, "height": 10, "disposition": {"attached_pic": 1}},
                {"codec_type": "video", "codec_name": "hevc", "width": 1920, "height": 1080, "duration": "2.5",
                 "sample_aspect_ratio": "1:1", "side_data_list": [{"rotation": -90}]},
                {"codec_type": "audio", "codec_name": "aac"},
                {"codec_type": "data"},
            ],
            "format": {"duration": "2.400000"},
        }));
        assert_eq!((media.duration, media.audio_tracks), (2_500_000, 1));
        let video = media.video.unwrap();
        assert_eq!((video.width, video.height, video.rotation), (1920, 1080, 90));
    }

    #[test]
    fn invalid_values_count_as_absent() {
        let media = media(json!({
            "streams": [{"codec_type": "video", "width": 1e12, "height": -1}],
            "format": {"duration": "NaN"},
        }));
        assert_eq!(media, Media::default());
        for (text, ratio) in
            [(Some("4:3"), 4.0 / 3.0), (Some("0:1"), 1.0), (Some("1:0"), 1.0), (Some("x"), 1.0), (None, 1.0)]
        {
            assert!((aspect(text) - ratio).abs() < 1e-9);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(answer in "\\PC{0,200}", rotation in proptest::num::f64::ANY, duration in "\\PC{0,20}") {
            read(answer.as_bytes());
            media(json!({
                "streams": [{"codec_type": "video", "width": 2, "height": 2, "side_data_list": [{"rotation": rotation}]}],
                "format": {"duration": duration},
            }));
        }
    }
}
