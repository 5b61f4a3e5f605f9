//! Which tracks of a film are used: the first sound that can be decoded, and none that has nothing to do with the film.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{assert_near, bench, colour, ffmpeg, has, job, output, probe, stream, transcoded};
use serde_json::json;
use stagehost_mediaconvert::Options;

/// Renames the codec of a sound track, as that of a phone whose sound only its maker can decode.
fn spoil(file: &Path, tracks: &[usize]) {
    let mut bytes = std::fs::read(file).unwrap();
    let entries: Vec<usize> = (0..bytes.len() - 4)
        .filter(|at| &bytes[*at..at + 4] == b"mp4a" && *at >= 4 && &bytes[at - 4..*at] != b"frma")
        .filter(|at| (36..200).contains(&u32::from_be_bytes(bytes[at - 4..*at].try_into().unwrap())))
        .collect();
    for track in tracks {
        let at = entries[*track];
        let length = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
        for place in at..at - 4 + length - 3 {
            match &bytes[place..place + 4] {
                b"mp4a" => bytes[place..place + 4].copy_from_slice(b"apac"),
                b"esds" => bytes[place..place + 4].copy_from_slice(b"dapa"),
                _ => {}
            }
        }
    }
    std::fs::write(file, bytes).unwrap();
}

/// Returns the frequency of a tone by its sign changes.
fn tone(file: &Path) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i"])
        .arg(file)
        .args(["-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1"])
        .output()
        .unwrap();
    let samples: Vec<i16> = output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    // Not the encoder's first and last block.
    let middle = &samples[8_000..samples.len() - 8_000];
    let changes = middle.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
    changes as f64 / 2.0 / (middle.len() as f64 / 48_000.0)
}

#[tokio::test]
async fn the_first_sound_that_can_be_decoded_is_taken_and_without_one_the_film_is_silent() {
    if !ffmpeg() {
        return;
    }
    for (spoiled, expected) in [(&[0][..], Some(440.0)), (&[1][..], Some(1000.0)), (&[0, 1][..], None)] {
        let bench = bench(Options::default());
        bench.film(
            "phone.mov",
            &[
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=320x180:rate=10:duration=2",
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=1000:duration=2",
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=440:duration=2",
                "-map",
                "0:v",
                "-map",
                "1:a",
                "-map",
                "2:a",
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-pix_fmt",
                "yuv420p",
                "-c:a",
                "aac",
            ],
        );
        spoil(&bench.store.path("media", "51/raw/phone.mov"), spoiled);
        let made = transcoded(&bench, "phone.mov", 160, 90).await;
        match expected {
            Some(hertz) => assert!((tone(&made) - hertz).abs() < 10.0, "{} Hz instead of {hertz}", tone(&made)),
            None => assert!(stream(&made, "audio").is_none()),
        }
    }
}

#[tokio::test]
async fn a_sound_codec_that_is_not_accepted_here_costs_the_sound_and_not_the_film() {
    if !ffmpeg() || !has("-encoders", "adpcm_ima_qt") {
        return;
    }
    let bench = bench(Options::default());
    let sources = ["testsrc=size=64x64:rate=10:duration=1", "sine=frequency=440:duration=1:sample_rate=44100"];
    bench.draw("old.mov", &sources, &["-c:a", "adpcm_ima_qt", "-shortest"]);
    let made = transcoded(&bench, "old.mov", 64, 64).await;
    assert!(stream(&made, "audio").is_none() && stream(&made, "video").is_some());
}

#[tokio::test]
async fn tracks_of_other_codecs_beside_the_film_do_not_matter() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    let red = "color=c=0xC82828:size=320x180:rate=10:duration=1";
    let white = "color=c=white:size=300x300:rate=10:duration=1";
    let subtitles = bench.folder.path().join("words.srt");
    std::fs::write(&subtitles, "1\n00:00:00,000 --> 00:00:00,900\nHall\n").unwrap();
    let sources = ["-f", "lavfi", "-i", red, "-f", "lavfi", "-i", white, "-i", subtitles.to_str().unwrap()];
    let film = ["-map", "0", "-c:v:0", "libx264", "-preset", "ultrafast", "-pix_fmt:v:0", "yuv420p"];
    let cover = ["-map", "1", "-frames:v:1", "1", "-c:v:1", "png", "-disposition:v:1", "attached_pic"];
    let words = ["-map", "2", "-c:s", "mov_text"];
    let second = ["-map", "1", "-c:v:1", "qtrle"];
    for (name, further) in [("words.mp4", &words[..]), ("cover.mp4", &cover[..]), ("second.mov", &second[..])] {
        bench.film(name, &[&sources[..], &film, further].concat());
        let made = transcoded(&bench, name, 160, 90).await;
        assert_near(colour(&made), [200, 40, 40], 12);
        assert_eq!(probe(&made)["streams"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_film_whose_pictures_have_another_codec_is_refused_by_its_name() {
    if !ffmpeg() {
        return;
    }
    for codec in ["qtrle", "dvvideo"] {
        let bench = bench(Options::default());
        let picture = "color=c=red:size=720x576:rate=25:duration=1";
        bench.film("old.mov", &["-f", "lavfi", "-i", picture, "-c:v", codec]);
        let id = bench.submit(job("old.mov", &[output("_x", 160, 90)]));
        let end = bench.end(&id).await;
        assert_eq!((end.status, &end.event["detail"]["errorCode"]), ("ERROR", &json!(1030)), "{}", end.event);
        let message = end.event["detail"]["errorMessage"].as_str().unwrap();
        assert!(
            message.ends_with(&format!("has the codec {codec}, which is not decoded on this machine")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_track_that_a_job_names_and_that_cannot_be_decoded_fails_the_job_by_name() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.landscape("phone.mov");
    spoil(&bench.store.path("media", "51/raw/phone.mov"), &[0]);
    let mut request = job("phone.mov", &[output("_x", 160, 90)]);
    request["settings"]["inputs"][0]["audioSelectors"]["Audio Selector 1"] =
        json!({"selectorType": "TRACK", "tracks": [1]});
    let id = bench.submit(request);
    let end = bench.end(&id).await;
    assert_eq!((end.status, &end.event["detail"]["errorCode"]), ("ERROR", &json!(1030)), "{}", end.event);
    assert!(end.event["detail"]["errorMessage"].as_str().unwrap().contains("sound track 1"), "{}", end.event);
}
