#![allow(clippy::unwrap_used, missing_docs)]
//! The pictures and the streams of films, as they are found when a job is complete and when a later batch asks for them again.

mod support;

use serde_json::Value;
use stagehost_aws::{JobRecorder, JobStatus, Ticket};
use stagehost_batch::PixelSize;
use stagehost_runtime::capability::{CallScope, Submission, TranscodeJob, TranscodeOutput, Transcoder as _};
use support::fixture::{EXECUTION, Fixture, STATE, asset, batch, fixture, job, report, scope};

const FOLDER: &str = "51/processed/video/vertical/2025-11-27";

/// Returns the job of the other tests, with more outputs.
fn job_with(outputs: &[(&str, &str, u32, u32)]) -> TranscodeJob {
    let mut job = job("one");
    job.outputs.extend(outputs.iter().map(|(name, end, width, height)| TranscodeOutput {
        name: (*name).into(),
        key: format!("{FOLDER}/one_{end}"),
        pixels: PixelSize { width: *width, height: *height },
        video_bitrate: 1_000_000,
        audio_bitrate: None,
    }));
    job
}

/// Sends the job, completes it, and returns the film's asset in the answer.
async fn completed(fixture: &Fixture, job: &TranscodeJob) -> Value {
    let recorder = JobRecorder::new(fixture.transcoder.clone());
    recorder.submit(&scope(0, "token"), job.clone()).await.unwrap();
    let jobs = recorder.jobs();
    let id = jobs[0].id.clone();
    let (execution, state) = (EXECUTION.to_owned(), STATE.to_owned());
    let ticket = Ticket { execution, state, task_token: "token".into(), attempt: 0, batch: batch(), jobs };
    fixture.tickets.open(ticket).await.unwrap();
    fixture.write_outputs("one");
    fixture.tickets.report(&report(&id, JobStatus::Complete)).await.unwrap();
    asset(&fixture.answers()[0], "one").clone()
}

/// What a later batch gets for the same job.
async fn later(fixture: &Fixture, job: &TranscodeJob) -> Submission {
    let later = CallScope { execution: "arn:later".into(), ..scope(0, "later") };
    fixture.transcoder.submit(&later, job.clone()).await.unwrap()
}

/// Returns the keys of the renditions by name.
fn keys(asset: &Value) -> Vec<(&str, &str)> {
    let renditions = asset["renditions"].as_array().unwrap().iter();
    renditions.map(|made| (made["name"].as_str().unwrap(), made["key"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn the_picture_of_a_film_is_not_black_if_another_capture_shows_something() {
    // Lengths of captures of 136 × 240 pixels: black, and a scene. At the film's beginning, at a third, at two thirds.
    let (black, scene) = (600, 4000);
    for (captures, expected) in [
        (vec![black, scene, scene], "1"),
        (vec![scene, black, scene], "2"),
        (vec![scene, black, black], "0"),
        (vec![black, black, black], "1"),
        // A film of one frame, and one that is too short for a third capture.
        (vec![black], "0"),
        (vec![scene, black], "0"),
    ] {
        let fixture = fixture().await;
        let job =
            job_with(&[("320x240", "320x240.0000001.jpg", 136, 240), ("640x480", "640x480.0000001.jpg", 270, 480)]);
        for (number, length) in captures.iter().enumerate() {
            for (size, factor) in [("320x240", 1), ("640x480", 3)] {
                let key = format!("{FOLDER}/one_{size}.000000{number}.jpg");
                fixture.bucket.put_owned(&key, vec![0; length * factor]);
            }
        }
        let film = completed(&fixture, &job).await;
        assert_eq!(film["problem"], Value::Null, "{film}");
        for (size, (name, key)) in ["320x240", "640x480"].iter().zip(&keys(&film)[2..]) {
            assert_eq!(name, size, "{captures:?}");
            assert_eq!(*key, format!("{FOLDER}/one_{size}.000000{expected}.jpg"), "{captures:?}");
        }
        let Submission::UpToDate(renditions) = later(&fixture, &job).await else { panic!("nothing has changed") };
        assert_eq!(
            renditions.iter().map(|made| made.key.as_str()).collect::<Vec<_>>()[2..],
            keys(&film)[2..].iter().map(|(_, key)| *key).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_film_without_any_capture_is_good_and_has_no_picture() {
    let fixture = fixture().await;
    let film = completed(&fixture, &job_with(&[("320x240", "320x240.0000001.jpg", 136, 240)])).await;
    assert_eq!((&film["problem"], keys(&film).len()), (&Value::Null, 2), "{film}");
}

/// Returns a stream of two renditions with two segments each.
fn stream(fixture: &Fixture) -> TranscodeJob {
    for rendition in ["720p", "480p"] {
        fixture.bucket.put(&format!("{FOLDER}/one_hls-{rendition}.m3u8"), b"#EXTM3U");
        for number in 1..=2 {
            fixture.bucket.put(&format!("{FOLDER}/one_hls-{rendition}_0000{number}.ts"), b"a segment");
        }
    }
    fixture.bucket.put(&format!("{FOLDER}/one_hls.m3u8"), b"#EXTM3U");
    // Another film's.
    fixture.bucket.put(&format!("{FOLDER}/one_hls-720p_tour_1080p.mp4"), b"an mp4");
    job_with(&[
        ("hls", "hls.m3u8", 720, 1280),
        ("hls-720p", "hls-720p.m3u8", 720, 1280),
        ("hls-480p", "hls-480p.m3u8", 480, 854),
    ])
}

#[tokio::test]
async fn the_playlists_of_a_stream_are_renditions_and_its_segments_are_not() {
    let fixture = fixture().await;
    let job = stream(&fixture);
    let film = completed(&fixture, &job).await;
    let names: Vec<_> = keys(&film).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["1080p", "720p", "hls", "hls-720p", "hls-480p"]);
    assert_eq!(film["renditions"][2]["key"], format!("{FOLDER}/one_hls.m3u8").as_str());
    assert_eq!(film["renditions"][2]["contentType"], "application/vnd.apple.mpegurl");
}

#[tokio::test]
async fn a_stream_is_made_again_if_a_segment_is_missing_or_was_replaced() {
    let segment = format!("{FOLDER}/one_hls-480p_00002.ts");
    let changes: [&dyn Fn(&Fixture); 2] =
        [&|fixture: &Fixture| fixture.bucket.remove(&segment), &|fixture: &Fixture| {
            fixture.bucket.put(&segment, b"another")
        }];
    for change in changes {
        let fixture = fixture().await;
        let job = stream(&fixture);
        completed(&fixture, &job).await;
        fixture.bucket.put(&format!("{FOLDER}/one_hls-720p_tour_720p.mp4"), b"an mp4");
        assert!(
            matches!(later(&fixture, &job).await, Submission::UpToDate(_)),
            "only another film's files have changed"
        );
        change(&fixture);
        assert!(matches!(later(&fixture, &job).await, Submission::Running(_)));
    }
}
