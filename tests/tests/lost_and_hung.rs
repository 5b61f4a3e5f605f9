//! What is lost or hangs under a running pipeline: a deleted folder, a server that was stopped, ffmpeg that never ends, a
//! process that was killed, a full disk. It is noticed soon, said in one sentence, and nothing stays behind.
//!
//! A script takes the place of ffmpeg, so that a video takes as long as a test needs; ffprobe is the real one.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs::{File, FileTimes};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use stagehost_needs::{ffmpeg, mount_namespace};
use stagehost_tests::{Ran, Running, Serve, file, ran, run, run_command};

/// The stages may have to be built first.
const BEGINS: Duration = Duration::from_secs(600);
/// A waiting state misses its heartbeat after 900 s; whatever is noticed ends well before.
const NOTICED: Duration = Duration::from_secs(400);

/// A folder with the input, the output, temporary files and programs of a run.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[&str]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for folder in ["input", "scratch", "programs"] {
            std::fs::create_dir(place.path(folder)).unwrap();
        }
        for name in files {
            std::fs::copy(file("samples/listing").join(name), place.path("input").join(name)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bucket(&self) -> PathBuf {
        self.path("out/toq-listing-medias")
    }

    /// Puts a script in the place of ffmpeg. It says that it runs by the file `began`.
    fn stand_in(&self, script: &str) {
        let (program, began) = (self.path("programs/ffmpeg"), self.path("began"));
        std::fs::write(&program, format!("#!/bin/sh\n: > {}\n{script}\n", began.display())).unwrap();
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn programs(&self) -> String {
        format!("{}:{}", self.path("programs").display(), std::env::var("PATH").unwrap())
    }

    fn run_command(&self) -> Command {
        let mut command = run_command([self.path("input"), "--out".into(), self.path("out")]);
        command.env("PATH", self.programs()).env("TMPDIR", self.path("scratch"));
        command
    }

    /// Waits until the script in the place of ffmpeg runs.
    fn await_video(&self, child: &mut Child) {
        let begun = Instant::now();
        while !self.path("began").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it was over before the video");
            assert!(begun.elapsed() < BEGINS, "no video in {BEGINS:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Builds the stages if necessary: a stand-in's search path may lack cargo.
fn ready() {
    let place = Place::new(&["description.pdf"]);
    let ran = run([place.path("input"), "--out".into(), place.path("out")]).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Returns whether a process runs with this word among its arguments.
fn runs(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()))
}

fn end(child: Running, since: Instant) -> Ran {
    let mut child = child;
    while child.0.try_wait().unwrap().is_none() {
        assert!(since.elapsed() < NOTICED, "still waiting after {NOTICED:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let read = |pipe: Option<&mut dyn std::io::Read>| {
        let mut text = String::new();
        pipe.unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let stdout = read(child.0.stdout.as_mut().map(|pipe| pipe as &mut dyn std::io::Read));
    let stderr = read(child.0.stderr.as_mut().map(|pipe| pipe as &mut dyn std::io::Read));
    Ran {
        code: child.0.wait().unwrap().code().unwrap_or(-1),
        json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
        stderr,
    }
}

#[test]
fn an_output_folder_that_is_deleted_during_a_video_ends_the_run() {
    if !ffmpeg() {
        return;
    }
    ready();
    let place = Place::new(&["walk-through.mp4", "kitchen.jpg"]);
    place.stand_in("while :; do echo progress=continue; sleep 1; done");
    let mut command = place.run_command();
    let mut child = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    place.await_video(&mut child.0);
    std::fs::remove_dir_all(place.path("out")).unwrap();
    let ran = end(child, Instant::now());
    assert_eq!(ran.code, 1, "{:#}\n{}", ran.json, ran.stderr);
    assert!(ran.stderr.contains("was deleted while they ran"), "it says what happened: {}", ran.stderr);
    assert_eq!(ran.json["delivered"], true, "the backend is told: {:#}\n{}", ran.json, ran.stderr);
    assert_ne!(ran.json["status"], "TIMED_OUT", "{:#}", ran.json);
}

/// `tests/run` runs it beside the other tests, by the name of the module.
mod for_minutes {
    use super::*;

    #[test]
    fn ffmpeg_that_hangs_is_ended_with_its_children_and_its_videos_have_failed() {
        if !ffmpeg() {
            return;
        }
        ready();
        let place = Place::new(&["walk-through.mp4", "staircase.mp4", "description.pdf"]);
        // A number that no other process has among its arguments.
        let seconds = format!("9{}", std::process::id());
        place.stand_in(&format!("sleep {seconds} & wait"));
        let child = place.run_command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut child = Running(child);
        place.await_video(&mut child.0);
        let ran = end(child, Instant::now());
        assert_eq!((ran.code, &ran.json["status"]), (3, &"PARTIAL_SUCCESS".into()), "{:#}\n{}", ran.json, ran.stderr);
        for video in ["walk-through.mp4", "staircase.mp4"] {
            let said = ran.output(video)["errorMessage"].as_str().unwrap_or_default();
            assert!(said.contains("ffmpeg was stopped because it has reported nothing for 90 s"), "{said}");
        }
        assert!(!runs(&seconds), "a child of ffmpeg still runs");
        assert_eq!(entries(&place.path("scratch")), [] as [&str; 0]);
    }
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one() {
    if !ffmpeg() {
        return;
    }
    ready();
    let place = Place::new(&["staircase.mp4"]);
    place.stand_in("while :; do echo progress=continue; sleep 1; done");
    let mut child = Running(place.run_command().stdout(Stdio::null()).spawn().unwrap());
    place.await_video(&mut child.0);
    let tickets = place.bucket().join("pipeline/tickets");
    let begun = Instant::now();
    while entries(&tickets).is_empty() {
        assert!(begun.elapsed() < NOTICED, "no ticket");
        std::thread::sleep(Duration::from_millis(20));
    }
    // SIGKILL.
    drop(child);
    assert!(
        entries(&place.path("scratch")).iter().any(|name| name.starts_with("mediaconvert-")),
        "it has left a folder"
    );

    let documents = place.bucket().join("pipeline/documents");
    std::fs::create_dir_all(&documents).unwrap();
    for (name, days) in [("old.json", 2), ("new.json", 0)] {
        let file = File::create(documents.join(name)).unwrap();
        let time = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }
    std::fs::remove_file(place.path("programs/ffmpeg")).unwrap();
    let ran = ran(&mut place.run_command()).unwrap();
    assert_eq!((ran.code, &ran.json["status"]), (0, &"SUCCEEDED".into()), "{:#}\n{}", ran.json, ran.stderr);
    assert_eq!(entries(&tickets), [] as [&str; 0]);
    assert_eq!(entries(&place.path("scratch")), [] as [&str; 0]);
    assert_eq!(entries(&documents), ["new.json"]);
}

#[test]
fn on_a_full_disk_a_run_ends_soon_with_one_sentence() {
    if !mount_namespace() {
        return;
    }
    ready();
    let place = Place::new(&["kitchen.jpg", "front.jpg", "living-room.jpg", "staircase.jpg"]);
    let disk = place.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let inner = run_command([place.path("input"), "--out".into(), disk.join("out")]);
    let mount = "mount -t tmpfs -o size=600k tmpfs \"$1\" && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", mount, "sh"]).arg(&disk);
    command.arg(inner.get_program()).args(inner.get_args());
    let ran = ran(&mut command).unwrap();
    assert_eq!(ran.code, 1, "{:#}\n{}", ran.json, ran.stderr);
    for part in ["cannot upload", "the disk is full", "make room"] {
        assert!(ran.stderr.contains(part), "{part:?} is not said: {}", ran.stderr);
    }
    assert_eq!(ran.stderr.trim().lines().count(), 1, "{}", ran.stderr);
}

#[tokio::test]
async fn a_batch_that_was_running_when_the_server_stopped_runs_when_it_is_posted_again() {
    if !ffmpeg() {
        return;
    }
    ready();
    let place = Place::new(&[]);
    place.stand_in("while :; do echo progress=continue; sleep 1; done");
    let key = "51/raw/video/vertical/2026-01-01/staircase.mp4";
    let object = place.bucket().join(key);
    std::fs::create_dir_all(object.parent().unwrap()).unwrap();
    std::fs::copy(file("samples/listing/staircase.mp4"), object).unwrap();
    let batch = json!({"jobId": 4, "batchId": 5, "listingId": 51, "assets": [key], "retry": 0}).to_string();
    let http = reqwest::Client::new();
    let post = async |serve: &Serve| -> Value {
        let url = format!("{}/api/v1/listings/51/media/batch", serve.endpoint());
        let answer = http.post(url).body(batch.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    let status = async |serve: &Serve| -> String {
        let url = format!("{}/api/v1/listings/51/media/jobs", serve.endpoint());
        let jobs = http.get(url).send().await.unwrap().bytes().await.unwrap();
        let jobs: Value = serde_json::from_slice(&jobs).unwrap();
        jobs["jobs"][0]["status"].as_str().unwrap().to_owned()
    };

    let slowly = |command: &mut Command| {
        command.env("PATH", place.programs());
    };
    let serve = Serve::start_with(&place.path("out"), slowly).unwrap();
    let first = post(&serve).await;
    let begun = Instant::now();
    while !place.path("began").exists() {
        assert!(begun.elapsed() < BEGINS, "no video in {BEGINS:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(post(&serve).await, first, "as long as it runs, it is not started again");
    drop(serve);

    let serve = Serve::start(&place.path("out")).unwrap();
    assert_eq!(status(&serve).await, "ABORTED", "its execution went with the server");
    let again = post(&serve).await;
    assert_eq!((&again["status"], &again["executionArn"]), (&json!("STARTED"), &first["executionArn"]));
    let posted = Instant::now();
    while status(&serve).await == "STARTED" {
        assert!(posted.elapsed() < NOTICED, "it does not run");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status(&serve).await, "SUCCEEDED");
    assert_eq!(post(&serve).await["status"], "SUCCEEDED", "what has a result is not started again");
}
