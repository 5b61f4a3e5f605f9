//! A store in a folder, a list of events, and small videos that ffmpeg generates.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use stagehost_mediaconvert::{EventSink, JobEvent, MediaConvert, Options, Storage, StorageError};
use tokio::sync::mpsc;

pub use stagehost_needs::ffmpeg;

/// Objects as files in a folder.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.0.join(bucket).join(key)
    }
}

#[async_trait::async_trait]
impl Storage for Folder {
    async fn check(&self, bucket: &str) -> Result<(), StorageError> {
        let found = self.0.join(bucket).is_dir();
        found.then_some(()).ok_or_else(|| StorageError::NotFound(format!("there is no bucket {bucket}")))
    }

    async fn fetch(&self, bucket: &str, key: &str, _: &Path) -> Result<PathBuf, StorageError> {
        let path = self.path(bucket, key);
        if path.is_file() { Ok(path) } else { Err(StorageError::NotFound(format!("{key} is not in {bucket}"))) }
    }

    async fn store(&self, file: &Path, bucket: &str, key: &str, content_type: &str) -> Result<(), StorageError> {
        let expected = match key.rsplit('.').next().unwrap() {
            "jpg" => "image/jpeg",
            "m3u8" => "application/vnd.apple.mpegurl",
            "ts" => "video/mp2t",
            _ => "video/mp4",
        };
        assert_eq!(content_type, expected, "{key}");
        let path = self.path(bucket, key);
        std::fs::create_dir_all(path.parent().unwrap()).map_err(|e| StorageError::Failed(e.to_string()))?;
        std::fs::copy(file, path).map_err(|e| StorageError::Failed(e.to_string()))?;
        Ok(())
    }
}

pub struct Channel(mpsc::UnboundedSender<JobEvent>);

#[async_trait::async_trait]
impl EventSink for Channel {
    async fn publish(&self, event: JobEvent) {
        let _ = self.0.send(event);
    }
}

pub struct Bench {
    pub service: MediaConvert,
    pub store: Arc<Folder>,
    pub folder: tempfile::TempDir,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<JobEvent>>,
    pub seen: Mutex<Vec<JobEvent>>,
}

pub fn bench(options: Options) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Folder(folder.path().to_owned()));
    std::fs::create_dir_all(folder.path().join("media/51/raw")).unwrap();
    let (send, events) = mpsc::unbounded_channel();
    let service = MediaConvert::new(options, store.clone(), Arc::new(Channel(send)));
    Bench { service, store, folder, events: events.into(), seen: Mutex::default() }
}

impl Bench {
    /// Generates `51/raw/{name}` with ffmpeg.
    pub fn film(&self, name: &str, arguments: &[&str]) {
        let path = self.store.path("media", &format!("51/raw/{name}"));
        let output =
            Command::new("ffmpeg").args(["-loglevel", "error", "-y"]).args(arguments).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Generates a video from ffmpeg's test sources, in H.264.
    pub fn draw(&self, name: &str, sources: &[&str], further: &[&str]) {
        let mut arguments: Vec<_> = sources.iter().flat_map(|source| ["-f", "lavfi", "-i", source]).collect();
        arguments.extend(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
        arguments.extend(further);
        self.film(name, &arguments);
    }

    /// Generates one second in landscape format with sound.
    pub fn landscape(&self, name: &str) {
        let sources = ["testsrc=size=320x180:rate=10:duration=1", "sine=frequency=440:duration=1"];
        self.draw(name, &sources, &["-c:a", "aac", "-shortest"]);
    }

    /// Generates `long.mp4`, hours of video: more work than a test waits for.
    pub fn long(&self) {
        self.draw("long.mp4", &["color=gray:size=64x64:rate=1:duration=20000"], &[]);
    }

    /// Waits for the event that ends a job. Earlier events are in `seen`.
    pub async fn end(&self, id: &str) -> JobEvent {
        self.until(|event| event.job_id == id && matches!(event.status, "COMPLETE" | "ERROR" | "CANCELED")).await
    }

    pub async fn until(&self, wanted: impl Fn(&JobEvent) -> bool) -> JobEvent {
        let mut events = self.events.lock().await;
        loop {
            // Long enough for the slowest machine, so that only a hang fails.
            let event = tokio::time::timeout(Duration::from_secs(300), events.recv()).await.unwrap().unwrap();
            self.seen.lock().unwrap().push(event.clone());
            if wanted(&event) {
                return event;
            }
        }
    }

    pub fn submit(&self, request: Value) -> String {
        self.service.create_job(request).unwrap()["id"].as_str().unwrap().to_owned()
    }
}

/// Returns an output of the given size, with sound if the input has any.
pub fn output(modifier: &str, width: u32, height: u32) -> Value {
    json!({
        "nameModifier": modifier,
        "containerSettings": {"container": "MP4", "mp4Settings": {"moovPlacement": "PROGRESSIVE_DOWNLOAD"}},
        "videoDescription": {
            "width": width, "height": height,
            "codecSettings": {"codec": "H_264", "h264Settings": {"rateControlMode": "QVBR", "maxBitrate": 500_000}},
        },
        "audioDescriptions": [{
            "audioSourceName": "Audio Selector 1",
            "codecSettings": {"codec": "AAC", "aacSettings": {
                "bitrate": 64_000, "sampleRate": 44_100, "codingMode": "CODING_MODE_2_0",
            }},
        }],
    })
}

/// Returns a job for `51/raw/{name}`.
pub fn job(name: &str, outputs: &[Value]) -> Value {
    json!({
        "role": "arn:aws:iam::000000000000:role/transcode",
        "userMetadata": {"ticket": "t-1"},
        "settings": {
            "inputs": [{
                "fileInput": format!("s3://media/51/raw/{name}"),
                "videoSelector": {"rotate": "AUTO"},
                "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}},
            }],
            "outputGroups": [{
                "outputGroupSettings": {
                    "type": "FILE_GROUP_SETTINGS",
                    "fileGroupSettings": {"destination": "s3://media/51/processed/clip"},
                },
                "outputs": outputs,
            }],
        },
    })
}

/// Returns ffprobe's output for a file.
pub fn probe(file: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-show_streams", "-show_format", "-of", "json"])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns one frame as 8×8 RGB pixels, to check its orientation.
pub fn thumbnail(file: &Path) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i"])
        .arg(file)
        .args(["-frames:v", "1", "-vf", "scale=8:8:flags=area", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
        .output()
        .unwrap();
    assert_eq!(output.stdout.len(), 8 * 8 * 3, "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Writes a quarter turn into the matrix of the track header. The second matrix in the file is that of the first track.
pub fn turn_by_90(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let header = bytes.windows(4).position(|window| window == b"tkhd").unwrap();
    // After the name: version and flags, times, id, reserved, duration; reserved, layer, group, volume, reserved.
    let matrix = header + 4 + 4 + 4 + 4 + 4 + 4 + 4 + 8 + 2 + 2 + 2 + 2;
    let turn: [u32; 9] = [0, 0x10000, 0, 0xFFFF_0000, 0, 0, 0xB4_0000, 0, 0x4000_0000];
    for (index, value) in turn.iter().enumerate() {
        bytes[matrix + index * 4..matrix + index * 4 + 4].copy_from_slice(&value.to_be_bytes());
    }
    std::fs::write(file, bytes).unwrap();
}

pub fn stream(file: &Path, kind: &str) -> Option<Value> {
    probe(file)["streams"].as_array().unwrap().iter().find(|stream| stream["codec_type"] == kind).cloned()
}

/// Returns the colour of the first frame's corner, decoded as BT.709 as a player does that knows nothing else.
pub fn colour(file: &Path) -> [u8; 3] {
    let output = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i"])
        .arg(file)
        .args(["-frames:v", "1", "-vf", "scale=32:32:flags=area:in_color_matrix=bt709:in_range=tv,format=rgb24"])
        .args(["-f", "rawvideo", "pipe:1"])
        .output()
        .unwrap();
    output.stdout[..3].try_into().unwrap()
}

pub fn assert_near(found: [u8; 3], expected: [u8; 3], tolerance: u8) {
    let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance);
    assert!(near, "{found:?} instead of {expected:?}");
}

/// Sends the film through one job and returns the file that was made.
pub async fn transcoded(bench: &Bench, name: &str, width: u32, height: u32) -> std::path::PathBuf {
    let id = bench.submit(job(name, &[output("_x", width, height)]));
    let end = bench.end(&id).await;
    assert_eq!(end.status, "COMPLETE", "{}", end.event);
    bench.store.path("media", "51/processed/clip_x.mp4")
}

/// Returns whether this ffmpeg has a filter or an encoder; not every build has all.
pub fn has(list: &str, name: &str) -> bool {
    let output = Command::new("ffmpeg").args(["-hide_banner", list]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().any(|line| line.split_whitespace().nth(1) == Some(name))
}
