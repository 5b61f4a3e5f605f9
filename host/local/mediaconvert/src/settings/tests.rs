#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};

use super::*;

/// Returns the job that the transcoding stage sends for one rendition.
fn settings() -> Value {
    json!({
        "inputs": [{
            "fileInput": "s3://media/51/raw/clip.mov",
            "timecodeSource": "ZEROBASED",
            "videoSelector": {"rotate": "AUTO"},
            "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}},
        }],
        "outputGroups": [{
            "name": "File Group",
            "outputGroupSettings": {
                "type": "FILE_GROUP_SETTINGS",
                "fileGroupSettings": {"destination": "s3://media/51/processed/clip"},
            },
            "outputs": [{
                "nameModifier": "_720p",
                "containerSettings": {"container": "MP4", "mp4Settings": {"moovPlacement": "PROGRESSIVE_DOWNLOAD"}},
                "videoDescription": {
                    "width": 720, "height": 1280,
                    "codecSettings": {"codec": "H_264", "h264Settings": {
                        "rateControlMode": "QVBR", "maxBitrate": 3_000_000, "qvbrSettings": {"qvbrQualityLevel": 7},
                    }},
                },
                "audioDescriptions": [{"codecSettings": {"codec": "AAC", "aacSettings": {
                    "bitrate": 96_000, "sampleRate": 48_000, "codingMode": "CODING_MODE_2_0",
                }}}],
            }],
        }],
    })
}

fn with(pointer: &str, field: &str, value: Value) -> Value {
    let mut settings = settings();
    settings.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap().insert(field.to_owned(), value);
    settings
}

#[test]
fn the_settings_of_a_rendition_become_a_plan() {
    let plan = Plan::read(&settings()).unwrap();
    assert_eq!(plan.input.rotate, Rotate::Auto);
    let output = plan.outputs().next().unwrap();
    assert_eq!(output.file.to_string(), "s3://media/51/processed/clip_720p.mp4");
    let Content::Film(film) = &output.content else { panic!("{output:?}") };
    assert!(film.progressive_download);
    assert_eq!(film.video.rate, RateControl::Quality { level: 7, max: 3_000_000 });
    assert_eq!(film.audio, Some(Audio { track: None, bitrate: 96_000, sample_rate: 48_000, channels: Some(2) }));
}

#[test]
fn a_setting_that_changes_the_picture_and_is_not_known_is_refused_by_its_path() {
    const VIDEO: &str = "/outputGroups/0/outputs/0/videoDescription";
    for (pointer, field, value) in [
        (VIDEO, "crop", json!({"x": 0, "y": 0, "width": 32, "height": 32})),
        (VIDEO, "videoPreprocessors/noiseReducer", json!({"filter": "BILATERAL"})),
        (VIDEO, "videoPreprocessors/colorCorrector/colorSpaceConversion", json!("FORCE_HDR10")),
        (VIDEO, "videoPreprocessors/deinterlacer/mode", json!("ADAPTIVE")),
        (VIDEO, "scalingBehavior", json!("SMART_CROP")),
        ("/inputs/0", "inputClippings", json!([{"startTimecode": "00:00:01:00"}])),
        ("/inputs/0", "videoOverlays", json!([{"input": {}}])),
        ("/outputGroups/0", "automatedEncodingSettings", json!({"abrSettings": {}, "x": 1})),
        ("", "motionImageInserter", json!({"input": "s3://b/k.mov"})),
    ] {
        // A path of several names is an object in an object.
        let (first, rest) = field.split_once('/').unwrap_or((field, ""));
        let inner = rest.rsplit('/').filter(|name| !name.is_empty()).fold(value, |inner, name| json!({name: inner}));
        let error = Plan::read(&with(pointer, first, inner)).unwrap_err();
        assert_eq!(error.code, "BadRequestException");
        assert!(error.message.starts_with(&format!("/settings{pointer}/{field}")), "{}", error.message);
    }
}

#[test]
fn captures_of_frames_are_numbered_as_on_the_service() {
    let mut settings = settings();
    let output = settings.pointer_mut("/outputGroups/0/outputs/0").unwrap();
    *output = json!({
        "nameModifier": "_poster", "extension": "jpg", "containerSettings": {"container": "RAW"},
        "videoDescription": {"width": 720, "height": 1280, "codecSettings": {"codec": "FRAME_CAPTURE",
            "frameCaptureSettings": {"framerateNumerator": 3000, "framerateDenominator": 6000, "maxCaptures": 2}}},
    });
    let plan = Plan::read(&settings).unwrap();
    let output = plan.outputs().next().unwrap();
    let Content::Frames(frames) = &output.content else { panic!("{output:?}") };
    assert_eq!((frames.interval, frames.most), (2.0, 2));
    assert_eq!(frames.file(1).to_string(), "s3://media/51/processed/clip_poster.0000001.jpg");
    assert_eq!(output.file, frames.file(0));
}

#[test]
fn a_stream_has_a_playlist_for_each_rendition_and_one_above_them() {
    let mut settings = settings();
    settings["outputGroups"][0]["outputGroupSettings"] = json!({
        "type": "HLS_GROUP_SETTINGS",
        "hlsGroupSettings": {"destination": "s3://media/51/processed/clip_hls", "segmentLength": 6, "minSegmentLength": 0},
    });
    settings["outputGroups"][0]["outputs"][0]["nameModifier"] = json!("-720p");
    settings["outputGroups"][0]["outputs"][0]["containerSettings"] = json!({"container": "M3U8"});
    let plan = Plan::read(&settings).unwrap();
    let output = plan.outputs().next().unwrap();
    let Content::Stream(stream) = &output.content else { panic!("{output:?}") };
    assert_eq!(stream.master().to_string(), "s3://media/51/processed/clip_hls.m3u8");
    assert_eq!(stream.playlist(), output.file);
    assert_eq!(stream.segment_file(1).to_string(), "s3://media/51/processed/clip_hls-720p_00001.ts");
    settings["outputGroups"][0]["outputs"][0]["extension"] = json!("mp4");
    assert!(Plan::read(&settings).unwrap_err().message.contains("outputs/0/extension"));
    settings["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["encryption"] = json!({"type": "SPEKE"});
    assert!(Plan::read(&settings).unwrap_err().message.contains("hlsGroupSettings/encryption"));
}

#[test]
fn a_setting_that_only_tunes_the_encoder_is_accepted() {
    const H264: &str = "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings";
    for (field, value) in
        [("adaptiveQuantization", json!("HIGH")), ("repeatPps", json!("DISABLED")), ("slices", json!(1))]
    {
        Plan::read(&with(H264, field, value)).unwrap();
    }
}

#[test]
fn without_a_rotation_setting_the_picture_stays_as_stored_as_on_the_service() {
    assert_eq!(Plan::read(&with("/inputs/0", "videoSelector", json!({}))).unwrap().input.rotate, Rotate::None);
}

#[test]
fn two_outputs_need_different_names() {
    let mut twice = settings();
    let outputs = twice.pointer_mut("/outputGroups/0/outputs").and_then(Value::as_array_mut).unwrap();
    outputs.push(outputs[0].clone());
    assert!(Plan::read(&twice).unwrap_err().message.contains("same name"));
    let error = {
        twice.pointer_mut("/outputGroups/0/outputs/1").and_then(Value::as_object_mut).unwrap().remove("nameModifier");
        Plan::read(&twice).unwrap_err()
    };
    assert!(error.message.starts_with("/settings/outputGroups/0/outputs/1/nameModifier"), "{}", error.message);
}

#[test]
fn an_output_may_not_overwrite_its_input() {
    let onto_itself =
        with("/outputGroups/0/outputGroupSettings/fileGroupSettings", "destination", json!("s3://media/51/raw/clip"));
    let mut onto_itself = onto_itself;
    let output = onto_itself.pointer_mut("/outputGroups/0/outputs/0").and_then(Value::as_object_mut).unwrap();
    output.insert("nameModifier".into(), json!(""));
    output.insert("extension".into(), json!("mov"));
    assert!(Plan::read(&onto_itself).unwrap_err().message.contains("overwrite"));
}

#[test]
fn odd_and_extreme_sizes_are_refused() {
    const VIDEO: &str = "/outputGroups/0/outputs/0/videoDescription";
    for size in [json!(719), json!(0), json!(100_000), json!(-2), json!("720"), json!(720.5)] {
        assert!(Plan::read(&with(VIDEO, "width", size.clone())).is_err(), "{size}");
    }
}

proptest::proptest! {
    #[test]
    fn no_document_panics(depth in 0usize..6, value in "\\PC{0,10}", number in proptest::num::f64::ANY) {
        // Replaces parts of a valid document by another value.
        let pointers = ["/inputs", "/inputs/0", "/outputGroups/0/outputs", "/outputGroups/0/outputs/0/videoDescription",
            "/outputGroups/0/outputs/0/containerSettings/container", "/inputs/0/audioSelectors"];
        for replacement in [json!(value), json!(number), json!([value]), json!({value.clone(): number}), Value::Null] {
            let mut broken = settings();
            *broken.pointer_mut(pointers[depth]).unwrap() = replacement;
            let _ = Plan::read(&broken);
        }
    }
}
