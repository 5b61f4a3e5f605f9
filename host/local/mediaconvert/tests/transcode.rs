//! Jobs with a real ffmpeg, on videos that the tests generate.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::time::Duration;

use common::{bench, ffmpeg, job, output, probe, thumbnail, turn_by_90};
use serde_json::{Value, json};
use stagehost_mediaconvert::{Options, Tools};

fn streams(of: &Value, kind: &str) -> Vec<Value> {
    of["streams"].as_array().unwrap().iter().filter(|stream| stream["codec_type"] == kind).cloned().collect()
}

#[tokio::test]
async fn a_job_stores_every_output_and_its_final_event_describes_them() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options { update_interval: Some(Duration::ZERO), ..Options::default() });
    bench.landscape("clip.mp4");
    let id = bench.submit(job("clip.mp4", &[output("_90p", 160, 90), output("_45p", 80, 46)]));
    let end = bench.end(&id).await;
    assert_eq!(end.status, "COMPLETE", "{}", end.event);
    let detail = &end.event["detail"];
    assert_eq!(end.event["source"], "aws.mediaconvert");
    assert_eq!(end.event["detail-type"], "MediaConvert Job State Change");
    assert_eq!(detail["userMetadata"], json!({"ticket": "t-1"}));
    assert_eq!(detail["outputGroupDetails"][0]["type"], "FILE_GROUP");
    let first = &detail["outputGroupDetails"][0]["outputDetails"][0];
    assert_eq!(first["outputFilePaths"], json!(["s3://media/51/processed/clip_90p.mp4"]));
    assert_eq!(first["videoDetails"], json!({"widthInPx": 160, "heightInPx": 90}));
    assert!((900..1200).contains(&first["durationInMs"].as_u64().unwrap()), "{first}");

    let made = probe(&bench.store.path("media", "51/processed/clip_90p.mp4"));
    assert_eq!(streams(&made, "video")[0]["codec_name"], "h264");
    assert_eq!(streams(&made, "audio")[0]["codec_name"], "aac");
    assert!(bench.store.path("media", "51/processed/clip_45p.mp4").is_file());

    let statuses: Vec<_> = bench.seen.lock().unwrap().iter().map(|event| event.status).collect();
    assert_eq!(statuses.first(), Some(&"PROGRESSING"));
    assert!(statuses.contains(&"STATUS_UPDATE"));
    let shown = bench.service.get_job(&id).unwrap();
    assert_eq!(shown["status"], "COMPLETE");
    assert_eq!(shown["outputGroupDetails"][0]["outputDetails"][1]["videoDetails"]["heightInPx"], 46);
}

#[tokio::test]
async fn the_index_of_a_progressive_download_is_at_the_beginning() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.landscape("clip.mp4");
    let id = bench.submit(job("clip.mp4", &[output("_a", 160, 90)]));
    bench.end(&id).await;
    let bytes = std::fs::read(bench.store.path("media", "51/processed/clip_a.mp4")).unwrap();
    let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"));
}

#[tokio::test]
async fn a_portrait_video_of_a_phone_stays_upright() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    // Red above blue when shown upright; stored rotated, with a rotation in the metadata, as phones do.
    let halves = ["color=red:size=180x160:rate=10:duration=1", "color=blue:size=180x160:rate=10:duration=1"];
    bench.draw("upright.mp4", &halves, &["-filter_complex", "vstack"]);
    let upright = bench.store.path("media", "51/raw/upright.mp4");
    let lying = bench.store.path("media", "51/raw/lying.mp4");
    bench.film("lying.mp4", &["-i", upright.to_str().unwrap(), "-vf", "transpose=cclock", "-c:v", "libx264"]);
    turn_by_90(&lying);
    assert_eq!(streams(&probe(&lying), "video")[0]["width"], 320, "stored as landscape");

    let id = bench.submit(job("lying.mp4", &[output("_small", 90, 160)]));
    let end = bench.end(&id).await;
    assert_eq!(end.status, "COMPLETE", "{}", end.event);
    let made = bench.store.path("media", "51/processed/clip_small.mp4");
    let video = &streams(&probe(&made), "video")[0];
    assert_eq!((&video["width"], &video["height"]), (&json!(90), &json!(160)));
    assert!(video["side_data_list"].as_array().is_none_or(Vec::is_empty), "no turn is left to players: {video}");
    let pixels = thumbnail(&made);
    assert!(pixels[0] > 150 && pixels[2] < 100, "red above");
    let last = &pixels[pixels.len() - 3..];
    assert!(last[2] > 150 && last[0] < 100, "blue below");
}

#[tokio::test]
async fn a_video_without_sound_is_transcoded_without_sound() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.draw("silent.mov", &["testsrc=size=64x64:rate=10:duration=1"], &[]);
    let id = bench.submit(job("silent.mov", &[output("_s", 64, 64)]));
    let end = bench.end(&id).await;
    assert_eq!(end.status, "COMPLETE", "{}", end.event);
    assert!(streams(&probe(&bench.store.path("media", "51/processed/clip_s.mp4")), "audio").is_empty());
}

#[tokio::test]
async fn the_place_and_time_of_the_recording_are_not_in_the_output() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    let metadata = ["-metadata", "location=+48.8577+002.295/", "-metadata", "creation_time=2020-02-02T02:02:02Z"];
    bench.draw("located.mov", &["testsrc=size=64x64:rate=10:duration=1"], &metadata);
    let source = std::fs::read(bench.store.path("media", "51/raw/located.mov")).unwrap();
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(has(&source, b"+48.8577"), "the test's own video carries the place");
    let id = bench.submit(job("located.mov", &[output("_l", 64, 64)]));
    assert_eq!(bench.end(&id).await.status, "COMPLETE");
    let made = bench.store.path("media", "51/processed/clip_l.mp4");
    assert!(!has(&std::fs::read(&made).unwrap(), b"48.8577"));
    assert!(!probe(&made)["format"]["tags"].to_string().contains("2020-02-02"));
}

#[tokio::test]
async fn a_file_that_is_not_a_video_is_an_error_and_nothing_is_stored() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    for (name, bytes) in [
        ("text.mp4", b"#EXTM3U\nfile:///etc/passwd\n".to_vec()),
        ("empty.mp4", Vec::new()),
        ("concat.mov", b"ffconcat version 1.0\nfile /etc/passwd\n".to_vec()),
    ] {
        std::fs::write(bench.store.path("media", &format!("51/raw/{name}")), bytes).unwrap();
        let id = bench.submit(job(name, &[output("_x", 64, 64)]));
        let end = bench.end(&id).await;
        assert_eq!(end.status, "ERROR");
        assert_eq!(end.event["detail"]["errorCode"], 1010, "{name}: {}", end.event);
        assert!(end.event["detail"]["errorMessage"].as_str().unwrap().contains(name));
    }
    assert!(!bench.store.path("media", "51/processed").exists());
}

#[tokio::test]
async fn a_truncated_video_is_an_error_and_not_a_shorter_video() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.draw("whole.mp4", &["testsrc2=size=320x180:rate=25:duration=8"], &["-g", "25", "-movflags", "+faststart"]);
    let bytes = std::fs::read(bench.store.path("media", "51/raw/whole.mp4")).unwrap();
    std::fs::write(bench.store.path("media", "51/raw/cut.mp4"), &bytes[..bytes.len() / 3]).unwrap();
    let id = bench.submit(job("cut.mp4", &[output("_c", 160, 90)]));
    let end = bench.end(&id).await;
    assert_eq!((end.status, &end.event["detail"]["errorCode"]), ("ERROR", &json!(1076)), "{}", end.event);
}

#[tokio::test]
async fn a_missing_input_is_named() {
    let bench = bench(Options::default());
    let id = bench.submit(job("absent.mp4", &[output("_x", 64, 64)]));
    let end = bench.end(&id).await;
    assert_eq!(end.event["detail"]["errorCode"], 1404);
    assert!(end.event["detail"]["errorMessage"].as_str().unwrap().contains("absent.mp4"));
}

#[tokio::test]
async fn without_ffmpeg_a_job_ends_in_an_error_that_names_the_program_to_install() {
    let tools = Tools { ffmpeg: "/nowhere/ffmpeg".into(), ffprobe: "/nowhere/ffprobe".into() };
    let bench = bench(Options { tools, ..Options::default() });
    std::fs::write(bench.store.path("media", "51/raw/clip.mp4"), b"any").unwrap();
    let id = bench.submit(job("clip.mp4", &[output("_x", 64, 64)]));
    let end = bench.end(&id).await;
    // The code of an unsupported codec.
    assert_eq!((end.status, &end.event["detail"]["errorCode"]), ("ERROR", &json!(1030)), "{}", end.event);
    assert!(end.event["detail"]["errorMessage"].as_str().unwrap().contains("apt install ffmpeg"), "{}", end.event);
}

#[tokio::test]
async fn a_job_that_is_cancelled_stops_and_stores_nothing() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options { update_interval: Some(Duration::ZERO), ..Options::default() });
    bench.long();
    let mut large = output("_x", 3840, 2160);
    large["videoDescription"]["codecSettings"]["h264Settings"]["qualityTuningLevel"] = json!("MULTI_PASS_HQ");
    let id = bench.submit(job("long.mp4", &[large]));
    bench.until(|event| event.status == "STATUS_UPDATE").await;
    bench.service.cancel_job(&id).unwrap();
    let end = bench.end(&id).await;
    assert_eq!(end.status, "CANCELED");
    assert!(!bench.store.path("media", "51/processed").exists());
    assert_eq!(bench.service.cancel_job(&id).unwrap_err().code, "ConflictException");
}

#[tokio::test]
async fn shutting_down_stops_running_and_waiting_jobs() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.long();
    let running = bench.submit(job("long.mp4", &[output("_a", 3840, 2160)]));
    let waiting = bench.submit(job("long.mp4", &[output("_b", 3840, 2160)]));
    bench.until(|event| event.status == "PROGRESSING").await;
    tokio::time::timeout(Duration::from_secs(60), bench.service.shutdown()).await.unwrap();
    for id in [running, waiting] {
        assert_eq!(bench.service.get_job(&id).unwrap()["status"], "CANCELED");
    }
    let refused = bench.service.create_job(job("long.mp4", &[output("_c", 64, 64)])).unwrap_err();
    assert!(refused.message.contains("shutting down"));
}

#[tokio::test]
async fn a_template_adds_the_settings_that_the_job_leaves_out() {
    if !ffmpeg() {
        return;
    }
    // In the spelling of CloudFormation.
    let template = stagehost_mediaconvert::upper_camel(json!({
        "inputs": [{"videoSelector": {"rotate": "AUTO"}}],
        "outputGroups": [{
            "outputGroupSettings": {"type": "FILE_GROUP_SETTINGS", "fileGroupSettings": {}},
            "outputs": [output("_t", 64, 36)],
        }],
    }));
    let bench = bench(Options { templates: vec![("preset".into(), template)], ..Options::default() });
    bench.landscape("clip.mp4");
    let id = bench.submit(json!({
        "role": "r",
        "jobTemplate": "preset",
        "settings": {
            "inputs": [{"fileInput": "s3://media/51/raw/clip.mp4"}],
            "outputGroups": [{"outputGroupSettings": {"fileGroupSettings": {"destination": "s3://media/51/processed/"}}}],
        },
    }));
    assert_eq!(bench.end(&id).await.status, "COMPLETE");
    assert!(bench.store.path("media", "51/processed/clip_t.mp4").is_file());
    let unknown = bench.service.create_job(json!({"role": "r", "jobTemplate": "other"})).unwrap_err();
    assert_eq!(unknown.code, "NotFoundException");
}

#[tokio::test]
async fn the_same_request_token_creates_one_job() {
    let bench = bench(Options::default());
    let mut request = job("absent.mp4", &[output("_x", 64, 64)]);
    request["clientRequestToken"] = json!("once");
    let first = bench.submit(request.clone());
    assert_eq!(bench.submit(request.clone()), first);
    request["userMetadata"] = json!({"ticket": "another"});
    assert_eq!(bench.service.create_job(request).unwrap_err().code, "ConflictException");
    assert_eq!(bench.service.list_jobs(None, None, false, 0, 20).unwrap().0.len(), 1);
}

/// Returns tools that probe like ffprobe and transcode by this script.
fn stand_in(folder: &std::path::Path, script: &str) -> Tools {
    use std::os::unix::fs::PermissionsExt as _;
    let ffmpeg = folder.join("ffmpeg");
    std::fs::write(&ffmpeg, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&ffmpeg, std::fs::Permissions::from_mode(0o755)).unwrap();
    Tools { ffmpeg, ..Tools::default() }
}

#[tokio::test]
async fn a_job_whose_bucket_has_gone_ends_while_ffmpeg_still_runs() {
    if !ffmpeg() {
        return;
    }
    let programs = tempfile::tempdir().unwrap();
    let tools = stand_in(programs.path(), "while :; do echo progress=continue; sleep 1; done");
    let options =
        Options { tools, look: Duration::from_millis(50), update_interval: Some(Duration::ZERO), ..Options::default() };
    let bench = bench(options);
    bench.landscape("clip.mp4");
    let id = bench.submit(job("clip.mp4", &[output("_90p", 160, 90)]));
    bench.until(|event| event.event["detail"]["jobProgress"]["currentPhase"] == "TRANSCODING").await;
    std::fs::remove_dir_all(bench.folder.path().join("media")).unwrap();
    let end = bench.end(&id).await;
    assert_eq!((end.status, &end.event["detail"]["errorCode"]), ("ERROR", &json!(1404)), "{}", end.event);
    assert!(end.event["detail"]["errorMessage"].as_str().unwrap().contains("has gone"), "{}", end.event);
}

#[tokio::test]
async fn ffmpeg_that_reports_nothing_fails_the_job() {
    if !ffmpeg() {
        return;
    }
    let programs = tempfile::tempdir().unwrap();
    let tools = stand_in(programs.path(), "sleep 600");
    let bench = bench(Options { tools, silence: Duration::from_secs(1), ..Options::default() });
    bench.landscape("clip.mp4");
    let id = bench.submit(job("clip.mp4", &[output("_90p", 160, 90)]));
    let end = bench.end(&id).await;
    assert_eq!(end.status, "ERROR", "{}", end.event);
    let said = end.event["detail"]["errorMessage"].as_str().unwrap();
    assert!(said.contains("ffmpeg was stopped because it has reported nothing for 1 s"), "{said}");
}
