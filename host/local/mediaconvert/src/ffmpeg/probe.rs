//! Reading the headers of a media file with ffprobe.

use std::path::Path;

use serde_json::Value;

use super::colour::ColourTags;
use super::media::{Media, VideoStream};
use super::process::{Limits, ToolError, file_argument, run};
use super::tools::{AUDIO_CODECS, INPUT_OPTIONS, Tools, VIDEO_CODECS};

/// The most bytes of ffprobe's output that are read.
const LONGEST: usize = 1 << 20;

/// The most other codecs, of any kind of track, that a file is read with.
const MAX_FOREIGN: usize = 8;

/// Reads the headers of `file`.
pub(crate) async fn probe(tools: &Tools, file: &Path, folder: &Path, limits: &Limits) -> Result<Media, ToolError> {
    let mut foreign: Vec<String> = Vec::new();
    loop {
        match headers(tools, file, folder, limits, &foreign).await {
            Err(ToolError::Failed { program, status, stderr }) => match refused_codec(&stderr) {
                Some(codec) if foreign.len() < MAX_FOREIGN && !foreign.contains(&codec) => foreign.push(codec),
                _ => return Err(ToolError::Failed { program, status, stderr }),
            },
            Err(error) => return Err(error),
            Ok(answer) => return read(&answer).ok_or(ToolError::Answer { program: "ffprobe".into() }),
        }
    }
}

/// Runs ffprobe. It opens a decoder for every stream and gives up on the first that is not on the list, which may be that of
/// subtitles or of a cover picture. So the codecs in `foreign` are opened as well, with which nothing is decoded: their
/// tracks are left out afterwards, and a film whose pictures have such a codec is refused.
async fn headers(
    tools: &Tools,
    file: &Path,
    folder: &Path,
    limits: &Limits,
    foreign: &[String],
) -> Result<Vec<u8>, ToolError> {
    let mut arguments: Vec<std::ffi::OsString> = ["-hide_banner", "-loglevel", "error"].map(Into::into).into();
    arguments.extend(INPUT_OPTIONS.map(Into::into));
    if !foreign.is_empty() {
        let all = format!("{VIDEO_CODECS},{AUDIO_CODECS},{}", foreign.join(","));
        for kind in ["-codec_whitelist:v", "-codec_whitelist:a", "-codec_whitelist:s"] {
            arguments.extend([kind.into(), all.clone().into()]);
        }
    }
    arguments.extend(["-show_streams", "-show_format", "-of", "json"].map(Into::into));
    arguments.push(file_argument(file).into());
    let mut answer = Vec::new();
    run(&tools.ffprobe, &arguments, folder, limits, |bytes| {
        let room = LONGEST.saturating_sub(answer.len()).min(bytes.len());
        answer.extend_from_slice(bytes.get(..room).unwrap_or_default());
    })
    .await?;
    Ok(answer)
}

/// Returns the codec in ffmpeg's message `Codec (flac) not on whitelist '…'`.
fn refused_codec(stderr: &str) -> Option<String> {
    let (before, _) = stderr.split_once(") not on whitelist")?;
    let (_, name) = before.rsplit_once("Codec (")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.len() <= 32 && name.chars().all(plain)).then(|| name.to_owned())
}

/// Reads ffprobe's JSON. Missing or invalid values count as absent; `None` if it is not JSON.
fn read(answer: &[u8]) -> Option<Media> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let mut media = Media { duration: seconds(&answer["format"]["duration"]), ..Media::default() };
    for stream in answer["streams"].as_array().into_iter().flatten() {
        match stream["codec_type"].as_str() {
            Some("audio") => media.sound.push(is_decodable(&stream["codec_name"])),
            Some("video") if media.video.is_none() && stream["disposition"]["attached_pic"] != 1 => {
                media.video = read_video(stream);
                media.duration = media.duration.max(seconds(&stream["duration"]));
            }
            _ => {}
        }
    }
    Some(media)
}

fn is_decodable(codec: &Value) -> bool {
    codec.as_str().is_some_and(|name| AUDIO_CODECS.split(',').any(|known| known == name))
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
        // Of a matrix of zeros, which turns nothing, ffprobe gives the smallest whole number of 64 bits.
        .filter(|degrees| degrees.abs() <= 360.0)
        // ffprobe gives the rotation counter-clockwise.
        .map_or(0, |degrees| (-degrees).round().rem_euclid(360.0) as u16);
    let tag = |name: &str| {
        // They are put into a chain of filters.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let known = |text: &&str| !text.is_empty() && *text != "unknown" && text.chars().all(plain);
        stream[name].as_str().filter(known).map(str::to_owned)
    };
    let full_by_format = stream["pix_fmt"].as_str().is_some_and(|format| format.starts_with("yuvj"));
    let dolby_vision_only = stream["side_data_list"].as_array().into_iter().flatten().any(|data| {
        data["dv_profile"].is_u64() && data["dv_bl_signal_compatibility_id"].as_u64().unwrap_or_default() == 0
    });
    Some(VideoStream {
        codec,
        width: dimension("width")?,
        height: dimension("height")?,
        pixel_aspect: aspect(stream["sample_aspect_ratio"].as_str()),
        rotation,
        colour: ColourTags {
            matrix: tag("color_space"),
            transfer: tag("color_transfer"),
            primaries: tag("color_primaries"),
            full_range: full_by_format || stream["color_range"] == "pc",
        },
        interlaced: matches!(stream["field_order"].as_str(), Some("tt" | "bb" | "tb" | "bt")),
        dolby_vision_only,
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
        read(answer.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_portrait_video_of_a_phone_has_a_rotation_of_90_degrees() {
        let media = media(json!({
            "streams": [
                {"codec_type": "video", "codec_name": "mjpeg", "width": 10, "height": 10, "disposition": {"attached_pic": 1}},
                {"codec_type": "video", "codec_name": "hevc", "width": 1920, "height": 1080, "duration": "2.5",
                 "sample_aspect_ratio": "1:1", "side_data_list": [{"rotation": -90}]},
                {"codec_type": "audio", "codec_tag_string": "apac"},
                {"codec_type": "audio", "codec_name": "qdm2"},
                {"codec_type": "audio", "codec_name": "aac"},
                {"codec_type": "data"},
            ],
            "format": {"duration": "2.400000"},
        }));
        assert_eq!((media.duration, media.first_sound()), (2_500_000, Some(2)));
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

    #[test]
    fn a_rotation_of_more_than_a_turn_is_none() {
        let rotation = |degrees: f64| {
            let stream = json!({
                "codec_type": "video", "width": 2, "height": 2, "side_data_list": [{"rotation": degrees}],
            });
            media(json!({"streams": [stream]})).video.unwrap().rotation
        };
        assert_eq!([rotation(i64::MIN as f64), rotation(361.0), rotation(-45.0), rotation(270.0)], [0, 0, 45, 90]);
    }

    #[test]
    fn the_colours_the_fields_and_dolby_vision_without_a_base_layer_are_recognised() {
        let video = |more: Value| {
            let mut stream = json!({"codec_type": "video", "codec_name": "hevc", "width": 2, "height": 2});
            stream.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            media(json!({"streams": [stream]})).video.unwrap()
        };
        let hlg =
            video(json!({"color_space": "bt2020nc", "color_transfer": "arib-std-b67", "color_primaries": "bt2020"}));
        assert_eq!(hlg.colour.transfer.as_deref(), Some("arib-std-b67"));
        let hostile = video(json!({"color_space": "unknown", "color_transfer": "bt709,movie=/etc/passwd"}));
        assert_eq!(hostile.colour, ColourTags::default(), "it would become part of a chain of filters");
        assert!(video(json!({"pix_fmt": "yuvj420p"})).colour.full_range);
        assert!(video(json!({"color_range": "pc"})).colour.full_range);
        assert!(
            video(json!({"field_order": "tt"})).interlaced && !video(json!({"field_order": "progressive"})).interlaced
        );
        let dolby =
            |id: u32| video(json!({"side_data_list": [{"dv_profile": 5, "dv_bl_signal_compatibility_id": id}]}));
        assert!(dolby(0).dolby_vision_only && !dolby(4).dolby_vision_only);
    }

    #[test]
    fn a_codec_that_is_not_on_the_list_is_found_in_ffmpegs_message() {
        let message = "[qdm2 @ 0x55] Codec (qdm2) not on whitelist 'h264,aac'\n    Last message repeated 1 times";
        assert_eq!(refused_codec(message).as_deref(), Some("qdm2"));
        assert_eq!(refused_codec("Codec (a b) not on whitelist"), None);
        assert_eq!(refused_codec("moov atom not found"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(answer in "\\PC{0,200}", rotation in proptest::num::f64::ANY, duration in "\\PC{0,20}") {
            read(answer.as_bytes());
            refused_codec(&answer);
            media(json!({
                "streams": [{"codec_type": "video", "width": 2, "height": 2, "side_data_list": [{"rotation": rotation}]}],
                "format": {"duration": duration},
            }));
        }
    }
}
