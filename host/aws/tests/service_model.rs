#![allow(clippy::unwrap_used, missing_docs)]
//! The jobs that the host submits, as MediaConvert receives them.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use stagehost_aws::{AwsOptions, Clients, Endpoints, MediaConvertOptions};
use stagehost_batch::PixelSize;
use stagehost_needs::{PYTHON, cache, python_with};
use stagehost_runtime::capability::{CallScope, Provenance, TranscodeJob, TranscodeOutput, Transcoder as _};
use support::bucket::MemoryBucket;
use support::services::FakeServices;

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(8 + body.len() as u32).to_be_bytes(), kind.as_slice(), &body].concat()
}

/// Returns a film with these sound tracks. Its header is at the end, behind more than is read at once.
fn film(codecs: &[&[u8; 4]]) -> Vec<u8> {
    let track = |codec: &&[u8; 4]| {
        let stsd = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &boxed(codec, &[&[0; 28]])]);
        let minf = boxed(b"minf", &[&boxed(b"stbl", &[&stsd])]);
        boxed(b"trak", &[&boxed(b"mdia", &[&boxed(b"hdlr", &[&[0; 8], b"soun", &[0; 13]]), &minf])])
    };
    let tracks: Vec<u8> = codecs.iter().flat_map(track).collect();
    let media = boxed(b"mdat", &[&vec![7; 100_000]]);
    [boxed(b"ftyp", &[b"qt  "]), boxed(b"wide", &[]), media, boxed(b"moov", &[&tracks])].concat()
}

/// Submits a job for a film of this name and returns the request.
async fn request(name: &str, codecs: &[&[u8; 4]]) -> Value {
    let (bucket, services) = (MemoryBucket::default(), FakeServices::default());
    let (s3, other) = (bucket.start().await, services.start().await);
    let endpoints = Endpoints { s3: Some(s3), mediaconvert: Some(other), ..Endpoints::default() };
    let mediaconvert = MediaConvertOptions {
        role: Some("arn:aws:iam::111122223333:role/mediaconvert".into()),
        ..MediaConvertOptions::default()
    };
    let options = AwsOptions { bucket: "medias".into(), endpoints, mediaconvert, ..AwsOptions::default() };
    let key = format!("51/raw/video/vertical/2025-11-27/{name}.mov");
    let etag = bucket.put_owned(&key, film(codecs));
    let document =
        json!({"listingId": 51, "jobId": 4, "assets": [{"key": key, "type": "VIDEO_VERTICAL", "etag": etag}]});
    let mut batch = stagehost_batch::parse(&document).unwrap();
    batch.assets[0].duration_ms = Some(60_000);
    let scope = CallScope {
        state: "ProcessVideos".into(),
        execution: "arn:aws:states:eu-west-1:111122223333:execution:media:job-4".into(),
        attempt: 0,
        task_token: Some("token".into()),
        batch: Arc::new(batch),
        provenance: Arc::new(Provenance { stage: "transcode".into(), version: "1.0.0".into(), digest: "d".into() }),
    };
    let output = |rendition: &str, suffix: &str, width, height, audio| TranscodeOutput {
        name: rendition.into(),
        key: format!("51/processed/video/vertical/2025-11-27/{name}_{rendition}{suffix}"),
        pixels: PixelSize { width, height },
        video_bitrate: 5_000_000,
        audio_bitrate: audio,
    };
    let job = TranscodeJob {
        source_key: key,
        source_etag: etag,
        outputs: vec![
            output("1080p", ".mp4", 1080, 1920, Some(128_000)),
            output("720p", ".mp4", 720, 1280, Some(96_000)),
            output("320x240", ".0000001.jpg", 136, 240, None),
            output("hls", ".m3u8", 1080, 1920, Some(96_000)),
            output("hls-1080p", ".m3u8", 1080, 1920, Some(96_000)),
            output("hls-720p", ".m3u8", 720, 1280, Some(96_000)),
        ],
    };
    Clients::new(&support::sdk_config(), options).transcoder().submit(&scope, job).await.unwrap();
    services.jobs()[0].clone()
}

#[tokio::test]
async fn the_first_sound_track_that_the_service_can_decode_is_selected_or_none() {
    let selector = |request: &Value| request["settings"]["inputs"][0]["audioSelectors"]["Audio Selector 1"].clone();
    let phone = request("phone", &[b"apac", b"mp4a"]).await;
    assert_eq!((&selector(&phone)["selectorType"], &selector(&phone)["tracks"]), (&json!("TRACK"), &json!([2])));
    let usual = request("usual", &[b"mp4a"]).await;
    assert_eq!(selector(&usual)["tracks"], json!([1]));
    for codecs in [&[b"apac"][..], &[][..]] {
        let silent = request("silent", codecs).await;
        assert!(selector(&silent).is_null(), "{silent}");
        assert!(!silent.to_string().contains("audioDescriptions"), "{silent}");
    }
}

#[tokio::test]
async fn every_request_is_one_of_the_service_s_published_model() {
    let default = cache().unwrap().join("venv/bin/python");
    let Some(python) = python_with(&PYTHON, "STAGEHOST_PYTHON", &default, "botocore") else { return };
    let mut requests = Vec::new();
    for name in ["tour", "a tour #1", "100%", "a+b", "K\u{fc}che \u{1f3e1}", "5$ tour", "it's (new) & good"] {
        requests.push(request(name, &[b"apac", b"mp4a"]).await);
    }
    requests.push(request("silent", &[]).await);
    for request in &requests[..requests.len() - 1] {
        let destination =
            &request["settings"]["outputGroups"][0]["outputGroupSettings"]["fileGroupSettings"]["destination"];
        let input = request["settings"]["inputs"][0]["fileInput"].as_str().unwrap();
        let stem = input.replace("/raw/", "/processed/");
        assert_eq!(destination.as_str(), stem.strip_suffix(".mov"), "names go into the job as they are");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.json");
    std::fs::write(&file, serde_json::to_vec(&requests).unwrap()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/mediaconvert_model.py");
    let checked = Command::new(python).arg(script).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
