//! Adaptive streams (HLS): ffmpeg and ffprobe, as players, judge what was made.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Bench, bench, ffmpeg, job, output, probe, turn_by_90};
use serde_json::{Value, json};
use stagehost_mediaconvert::Options;

/// Returns a rendition with a key frame every two seconds.
fn rendition(modifier: &str, width: u32, height: u32) -> Value {
    let mut output = output(modifier, width, height);
    output["containerSettings"] = json!({"container": "M3U8", "m3u8Settings": {}});
    let h264 = &mut output["videoDescription"]["codecSettings"]["h264Settings"];
    h264["gopSize"] = json!(2);
    h264["gopSizeUnits"] = json!("SECONDS");
    output
}

/// Makes a stream of a film with segments of two seconds, and returns the folder of its files.
async fn streamed(bench: &Bench, name: &str, renditions: &[Value]) -> PathBuf {
    let mut request = job(name, renditions);
    request["settings"]["outputGroups"][0]["outputGroupSettings"] = json!({
        "type": "HLS_GROUP_SETTINGS",
        "hlsGroupSettings": {
            "destination": "s3://media/51/processed/tour_hls", "segmentLength": 2, "minSegmentLength": 0,
        },
    });
    let id = bench.submit(request);
    let end = bench.end(&id).await;
    assert_eq!(end.status, "COMPLETE", "{}", end.event);
    assert_eq!(end.event["detail"]["outputGroupDetails"][0]["type"], "HLS_GROUP");
    bench.store.path("media", "51/processed")
}

/// Decodes all of a stream and returns what is wrong with it.
fn play(playlist: &Path) -> String {
    let output = Command::new("ffmpeg")
        .args(["-loglevel", "warning", "-i"])
        .arg(playlist)
        .args(["-map", "0", "-f", "null", "-"])
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

/// Returns a number of the first rendition in a playlist above.
fn attribute(master: &str, name: &str) -> u64 {
    let (_, value) = master.split_once(&format!("{name}=")).unwrap();
    value.split([',', '\n']).next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_stream_plays_from_its_first_playlist_in_every_rendition() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    let sources = ["testsrc2=size=320x180:rate=10:duration=5", "sine=frequency=440:duration=5"];
    bench.draw("tour.mp4", &sources, &["-c:a", "aac", "-shortest"]);
    let folder = streamed(&bench, "tour.mp4", &[rendition("-big", 160, 90), rendition("-small", 80, 46)]).await;
    let master = std::fs::read_to_string(folder.join("tour_hls.m3u8")).unwrap();
    for (size, name) in [("160x90", "big"), ("80x46", "small")] {
        assert!(master.contains(&format!("RESOLUTION={size}\ntour_hls-{name}.m3u8\n")), "{master}");
        let playlist = std::fs::read_to_string(folder.join(format!("tour_hls-{name}.m3u8"))).unwrap();
        assert!(playlist.contains(&format!("tour_hls-{name}_00003.ts")), "{playlist}");
        assert!(playlist.contains("#EXT-X-TARGETDURATION:2\n") && playlist.contains("#EXT-X-ENDLIST"), "{playlist}");
    }
    assert!(master.contains(",CODECS=\"avc1.4D"), "profile Main: {master}");
    assert!(master.contains(",mp4a.40.2\",RESOLUTION"), "{master}");
    let segments: Vec<u64> =
        (1..=3).map(|number| folder.join(format!("tour_hls-big_0000{number}.ts")).metadata().unwrap().len()).collect();
    let (peak, average) = (attribute(&master, "BANDWIDTH"), attribute(&master, "AVERAGE-BANDWIDTH"));
    assert!(peak >= segments[0] * 8 / 2 * 9 / 10 && peak >= average, "{peak} and {average} of {segments:?}");
    assert!(average.abs_diff(segments.iter().sum::<u64>() * 8 / 5) < average / 10, "{average} of {segments:?}");

    // Another program finds both renditions with sound, and plays all of each.
    let seen = probe(&folder.join("tour_hls.m3u8"));
    let of = |kind: &str| seen["streams"].as_array().unwrap().iter().filter(|s| s["codec_type"] == kind).count();
    assert_eq!((of("video"), of("audio")), (2, 2), "{seen}");
    let seconds: f64 = seen["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!((seconds - 5.0).abs() < 0.3, "{seconds} s");
    assert_eq!(play(&folder.join("tour_hls.m3u8")), "");
}

#[tokio::test]
async fn a_portrait_film_without_sound_is_a_portrait_stream_and_every_segment_begins_with_a_key_frame() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    // Stored lying on its side.
    bench.draw("phone.mov", &["testsrc2=size=320x180:rate=30000/1001:duration=5"], &[]);
    turn_by_90(&bench.store.path("media", "51/raw/phone.mov"));
    let folder = streamed(&bench, "phone.mov", &[rendition("-720p", 90, 160)]).await;
    let master = std::fs::read_to_string(folder.join("tour_hls.m3u8")).unwrap();
    assert!(master.contains("RESOLUTION=90x160\n") && !master.contains("mp4a"), "{master}");
    let seen = probe(&folder.join("tour_hls.m3u8"));
    assert_eq!((&seen["streams"][0]["width"], &seen["streams"][0]["height"]), (&json!(90), &json!(160)));
    assert_eq!(play(&folder.join("tour_hls.m3u8")), "");
    for number in 1..=3 {
        let segment = folder.join(format!("tour_hls-720p_0000{number}.ts"));
        let output = Command::new("ffprobe")
            .args(["-loglevel", "error", "-show_entries", "packet=flags", "-of", "csv=p=0"])
            .arg(&segment)
            .output()
            .unwrap();
        assert!(output.stdout.starts_with(b"K"), "{}", segment.display());
    }
}
