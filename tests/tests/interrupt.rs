//! Ctrl-C and SIGTERM in the middle of a run: it ends soon and leaves no process and nothing half-written, and a later run
//! over the same folder makes what is missing.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stagehost_tests::{Running, file, run, run_command};

/// The stages may have to be built first.
const BEGINS: Duration = Duration::from_secs(600);
const ENDS: Duration = Duration::from_secs(60);
const GONE: Duration = Duration::from_secs(5);

/// The processes that get the signal.
enum Target {
    /// The command alone, as by `kill`: it has to end its children.
    Command,
    /// The command and its children, as by a terminal.
    Group,
}

/// A signal, as `kill` names it, and the exit code by it.
const CTRL_C: (&str, i32) = ("INT", 130);
const SIGTERM: (&str, i32) = ("TERM", 143);

/// A folder for everything that a run writes, its temporary files included.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.scratch()).unwrap();
        place
    }

    fn scratch(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap().join("scratch")
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn arguments(&self) -> [PathBuf; 3] {
        [file("samples/listing"), "--out".into(), self.out()]
    }

    fn bucket(&self) -> PathBuf {
        self.out().join("toq-listing-medias")
    }

    /// Returns the command lines of ffmpeg and ffprobe that work on this run's files.
    fn transcoders(&self) -> Vec<String> {
        let ours = self.scratch().display().to_string();
        let at_work = |line: &String| line.contains(&ours) && (line.contains("ffmpeg") || line.contains("ffprobe"));
        command_lines().into_iter().filter(at_work).collect()
    }

    fn thumbnails(&self) -> usize {
        files(&self.bucket().join("1/thumb")).len()
    }

    /// Interrupts a run as soon as `reached` holds, and checks what it leaves behind.
    fn interrupt(&self, (signal, code): (&str, i32), target: Target, moment: &str, reached: impl Fn(&Self) -> bool) {
        let mut command = run_command(self.arguments());
        command.env("TMPDIR", self.scratch()).process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut run = Running(command.spawn().unwrap());
        let begun = Instant::now();
        while !reached(self) {
            assert!(run.0.try_wait().unwrap().is_none(), "the run was over before {moment}");
            assert!(begun.elapsed() < BEGINS, "no {moment} in {BEGINS:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = match target {
            Target::Command => run.0.id().to_string(),
            Target::Group => format!("-{}", run.0.id()),
        };
        assert!(Command::new("sh").args(["-c", "kill -s \"$1\" -- \"$0\"", &pid, signal]).status().unwrap().success());
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = run.0.try_wait().unwrap() {
                break status;
            }
            assert!(asked.elapsed() < ENDS, "still there {ENDS:?} after SIG{signal} at {moment}");
            std::thread::sleep(Duration::from_millis(5));
        };
        println!("{moment}: over {:?} after SIG{signal}", asked.elapsed());
        let mut said = String::new();
        run.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(code), "at {moment}: {said}");
        assert!(said.contains("stopping"), "it says that it stops: {said}");
        self.assert_clean();
    }

    /// Asserts that no process is left and that every file is complete.
    fn assert_clean(&self) {
        // A killed process may take a moment to end.
        let asked = Instant::now();
        while let Some(running) = self.transcoders().first() {
            assert!(asked.elapsed() < GONE, "left running: {running}");
        }
        let hidden = self.out().join(".stagehost/s3");
        for folder in [self.scratch(), hidden.join("tmp"), hidden.join("uploads")] {
            let left = files(&folder);
            assert!(left.is_empty(), "unfinished: {left:#?}");
        }
        for object in files(&self.bucket()) {
            assert_whole(&self.bucket(), &object);
        }
    }
}

/// Returns the command lines of all visible processes.
fn command_lines() -> Vec<String> {
    if let Ok(processes) = std::fs::read_dir("/proc") {
        // A process may end meanwhile.
        let lines = processes.flatten().filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        return lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect();
    }
    let listed = Command::new("ps").args(["-axww", "-o", "command="]).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
}

/// Returns all files below a folder; nothing if the folder is missing or removed meanwhile.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn assert_whole(bucket: &Path, object: &Path) {
    let key = object.strip_prefix(bucket).unwrap().display().to_string();
    let bytes = std::fs::read(object).unwrap();
    let extension = object.extension().unwrap_or_default().to_string_lossy();
    match (key.split('/').nth(1), &*extension) {
        (Some("raw"), _) => {
            let uploaded = std::fs::read(file("samples/listing").join(object.file_name().unwrap())).unwrap();
            assert!(bytes == uploaded, "{key} is not what was uploaded");
        }
        (Some("thumb" | "processed"), "jpg") => {
            assert!(bytes.ends_with(&[0xff, 0xd9]), "{key} is cut off");
            image::load_from_memory(&bytes).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
        (Some("processed"), "mp4") => {
            let mut decode = Command::new("ffmpeg");
            decode.args(["-v", "error", "-xerror", "-nostdin", "-i"]).arg(object).args(["-f", "null", "-"]);
            let output = decode.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{key}: {said}");
        }
        (Some("zip"), "zip") => {
            let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
            for index in 0..archive.len() {
                // Reading to the end compares the checksum.
                let mut entry = archive.by_index(index).unwrap();
                std::io::copy(&mut entry, &mut std::io::sink()).unwrap_or_else(|error| panic!("{key}: {error}"));
            }
        }
        (Some("tickets" | "tickets-submitted" | "jobs" | "receipts"), "json") => {
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_else(|error| panic!("{key}: {error}"));
        }
        _ => panic!("{key} is no object of the pipeline"),
    }
}

#[test]
fn a_signal_leaves_nothing_half_written_and_a_later_run_completes_the_listing() {
    let place = Place::new();
    place.interrupt(CTRL_C, Target::Group, "the first thumbnail", |place| place.thumbnails() > 0);
    for signal in [CTRL_C, SIGTERM] {
        place.interrupt(signal, Target::Command, "a video in work", |place| {
            place.transcoders().iter().any(|line| line.contains("output-0.mp4"))
        });
    }

    let ran = run(place.arguments()).unwrap();
    assert_eq!((ran.code, &ran.json["status"]), (3, &"PARTIAL_SUCCESS".into()), "{:#}\n{}", ran.json, ran.stderr);
    let failed: Vec<_> = ran.json["outputs"].as_array().unwrap().iter().filter(|o| !o["errorCode"].is_null()).collect();
    assert_eq!(failed.len(), 1, "the damaged sample alone: {failed:#?}");
    // Of each of two videos: two sizes, and three frames in each of three sizes.
    assert_eq!((place.thumbnails(), files(&place.bucket().join("1/processed")).len()), (24, 2 * (2 + 3 * 3)));
    assert_eq!(files(&place.bucket().join("1/zip")).len(), 3);
    place.assert_clean();
}
