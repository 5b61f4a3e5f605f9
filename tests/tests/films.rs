//! Films from upload to callback: pictures that show something, streams that play, and a second run.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use stagehost_needs::ffmpeg;
use stagehost_tests::{Ran, run};

/// Films of six seconds, 640 × 360, by name and the seconds in which they are black.
const FILMS: [(&str, &str); 3] =
    [("begins black #1.mp4", "between(t,0,1)"), ("cut & black.mp4", "between(t,1.5,2.5)"), ("dark \u{fc}.mp4", "1")];

const PATTERN: &str = "testsrc2=size=640x360:rate=10:duration=6";

fn encode(arguments: &[&str], file: &Path) {
    let output = Command::new("ffmpeg").args(["-loglevel", "error", "-y"]).args(arguments).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// When each file below the bucket was written.
fn written(folder: &Path, found: &mut Vec<(PathBuf, SystemTime)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => written(&path, found),
            false => found.push((path.clone(), path.metadata().unwrap().modified().unwrap())),
        }
    }
    found.sort();
}

/// Serves the files of a folder. Returns the address.
async fn file_server(folder: PathBuf) -> String {
    async fn file(State(folder): State<PathBuf>, UrlPath(path): UrlPath<String>) -> Result<Vec<u8>, StatusCode> {
        std::fs::read(folder.join(path)).map_err(|_| StatusCode::NOT_FOUND)
    }
    let app = Router::new().route("/{*path}", get(file)).with_state(folder);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// A key as a URL's path.
fn encoded(key: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    key.bytes().map(byte).collect()
}

/// What a player sees of a stream: the sizes of its pictures and their number, all decoded.
fn player(url: &str) -> Vec<(u64, u64, String)> {
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-count_frames", "-select_streams", "v", "-show_streams", "-of", "json", url])
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let side = |stream: &Value, name: &str| stream[name].as_u64().unwrap();
    let frames = |stream: &Value| stream["nb_read_frames"].as_str().unwrap().to_owned();
    let streams = seen["streams"].as_array().unwrap().iter();
    streams.map(|stream| (side(stream, "width"), side(stream, "height"), frames(stream))).collect()
}

/// Returns the brightest value of a picture.
fn brightest(file: &Path) -> u8 {
    image::open(file).unwrap().to_rgb8().into_raw().into_iter().max().unwrap()
}

fn succeeded(input: &Path, out: &Path, config: &Path) -> Ran {
    let options = ["--out".as_ref(), out.as_os_str(), "--config".as_ref(), config.as_os_str()];
    let ran = run([input.as_os_str()].into_iter().chain(options)).unwrap();
    assert_eq!(ran.json["status"], "SUCCEEDED", "{:#}\n{}", ran.json, ran.stderr);
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn films_get_pictures_that_show_something_and_streams_that_play_and_a_second_run_makes_nothing() {
    if !ffmpeg() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (input, out, config) = (place.path().join("in"), place.path().join("out"), place.path().join("config.json"));
    std::fs::create_dir(&input).unwrap();
    for (name, black) in FILMS {
        let filter = format!("drawbox=c=black:t=fill:enable='{black}'");
        let h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
        let arguments: Vec<_> = ["-f", "lavfi", "-i", PATTERN, "-vf", &filter].into_iter().chain(h264).collect();
        encode(&arguments, &input.join(name));
    }
    // The larger one is that of the film itself: nothing is enlarged.
    let box_of = |name: &str, long: u32, short: u32| json!({"name": name, "long": long, "short": short, "videoBitrate": 500_000, "audioBitrate": 64_000});
    let films = json!([box_of("180p", 320, 180)]);
    let streaming = json!([box_of("1080p", 1920, 1080), box_of("720p", 1280, 720), box_of("180p", 320, 180)]);
    let settings = json!({"states": {"ProcessVideos": {"config": {"outputs": films, "streaming": streaming}}}});
    std::fs::write(&config, settings.to_string()).unwrap();

    let first = succeeded(&input, &out, &config);
    let bucket = out.join("toq-listing-medias");
    let server = file_server(bucket.clone()).await;
    for (name, black) in FILMS {
        let film = first.output(name);
        let outputs = &film["outputs"];
        let mut names: Vec<_> = outputs.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["1280x960", "180p", "320x240", "640x480", "hls", "hls-1080p", "hls-180p"]);
        assert!(film["processedKey"].as_str().unwrap().ends_with("_180p.mp4"), "{film}");
        for size in ["320x240", "640x480", "1280x960"] {
            let brightest = brightest(&bucket.join(outputs[size].as_str().unwrap()));
            assert_eq!(brightest > 180, black != "1", "{name}, {size}: the brightest value is {brightest}");
        }
        assert_eq!(film["thumbnailKey"], outputs["320x240"]);
        let master = format!("{server}/{}", encoded(outputs["hls"].as_str().unwrap()));
        let expected = [(640, 360, "60".to_owned()), (320, 180, "60".to_owned())];
        assert_eq!(tokio::task::block_in_place(|| player(&master)), expected, "{name}");
    }
    for archive in first.json["zipBundles"].as_array().unwrap() {
        let archive =
            zip::ZipArchive::new(std::fs::File::open(bucket.join(archive.as_str().unwrap())).unwrap()).unwrap();
        assert!(
            archive.file_names().all(|name| [".m3u8", ".ts"].iter().all(|end| !name.as_ref().unwrap().ends_with(end)))
        );
    }

    let files = |bucket: &Path| {
        let mut found = Vec::new();
        for area in ["processed", "zip"] {
            written(&bucket.join("1").join(area), &mut found);
        }
        found
    };
    let made = files(&bucket);
    succeeded(&input, &out, &config);
    assert_eq!(files(&bucket), made, "a second run writes nothing");

    // Without one of its segments the stream would stop there.
    let segment = made.iter().find(|(path, _)| path.to_string_lossy().ends_with("_hls-180p_00001.ts")).unwrap();
    std::fs::remove_file(&segment.0).unwrap();
    succeeded(&input, &out, &config);
    assert!(segment.0.is_file());
}
