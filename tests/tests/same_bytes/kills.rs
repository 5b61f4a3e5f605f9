//! `stagehost run`, killed at seeded moments and run again.
//!
//! `STAGEHOST_KILLS=100` kills it so often (10 without it), and `STAGEHOST_KILL_SEED` chooses other moments.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use stagehost_tests::{Ran, Running, ran, run_command};

use crate::listing::{Random, batch, contents, difference, files, write_media};

/// The stages may have to be built first.
const BEGINS: Duration = Duration::from_secs(600);

/// A folder for everything that runs write.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.scratch()).unwrap();
        write_media(&place.path("media"));
        std::fs::write(place.path("batch.json"), batch(1).to_string()).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn scratch(&self) -> PathBuf {
        self.path("scratch")
    }

    /// Returns the command of a run over an output folder.
    fn command(&self, out: &Path) -> Command {
        let mut command = run_command([self.path("batch.json"), "--media".into(), self.path("media")]);
        command.arg("--out").arg(out).env("TMPDIR", self.scratch());
        command
    }

    /// Runs to the end.
    fn run(&self, out: &Path) -> Ran {
        let ran = ran(&mut self.command(out)).unwrap();
        assert_eq!(ran.code, 0, "{:#}\n{}", ran.json, ran.stderr);
        ran
    }

    /// Starts a run, and returns it as soon as its services are running, just before its uploads.
    fn begin(&self, out: &Path) -> Running {
        let mark = out.join(".stagehost/pins.json");
        let _ = std::fs::remove_file(&mark);
        let mut run = Running(self.command(out).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let begun = Instant::now();
        while !mark.exists() {
            assert!(run.0.try_wait().unwrap().is_none(), "the run was over before it began");
            assert!(begun.elapsed() < BEGINS, "no services in {BEGINS:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
        run
    }

    /// Begins a run, and kills it when `after` has passed. Returns whether it was still running.
    fn kill(&self, out: &Path, after: Duration) -> bool {
        let mut run = self.begin(out);
        std::thread::sleep(after);
        let running = run.0.try_wait().unwrap().is_none();
        run.0.kill().unwrap();
        run.0.wait().unwrap();
        running
    }
}

fn bucket(out: &Path) -> PathBuf {
    out.join("toq-listing-medias")
}

/// Returns the callback's body without what names the execution.
fn told(ran: &Ran) -> Value {
    let mut body = ran.json.clone();
    for field in ["executionArn", "startedAt", "timings"] {
        body.as_object_mut().unwrap().remove(field);
    }
    body
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn after_kills_at_any_moment_a_later_run_gives_exactly_what_an_undisturbed_one_gives() {
    let (kills, seed) = (variable("STAGEHOST_KILLS", 10), variable("STAGEHOST_KILL_SEED", 1));
    let place = Place::new();
    let undisturbed = place.run(&place.path("undisturbed"));
    let expected = contents(&bucket(&place.path("undisturbed")));
    assert_eq!(expected.len(), 4 + 9 + 3, "uploads, thumbnails, archives: {:?}", expected.keys());
    // Measured in a run of its own, because the first one may have had to build the stages.
    let mut measured = place.begin(&place.path("measured"));
    let begun = Instant::now();
    assert!(measured.0.wait().unwrap().success());
    let whole = begun.elapsed();

    let mut random = Random::new(seed);
    let (mut done, mut number) = (0, 0);
    while done < kills {
        let out = place.path(&format!("out-{}", number % 2));
        number += 1;
        if random.below(2) == 0 {
            let _ = std::fs::remove_dir_all(&out);
        }
        // An earlier run's results, without some of them.
        for file in files(&bucket(&out).join("51")) {
            if !file.starts_with(bucket(&out).join("51/raw")) && random.below(2) == 0 {
                std::fs::remove_file(file).unwrap();
            }
        }
        // Twice in a row at times.
        for _ in 0..=random.below(2) {
            let after = whole.mul_f64(random.below(1000) as f64 / 1000.0);
            done += u64::from(place.kill(&out, after));
        }
        let ran = place.run(&out);
        let what = format!("seed {seed}, after {done} kills");
        let difference = difference(&expected, &contents(&bucket(&out)));
        assert!(difference.is_empty(), "{what}:\n{difference}");
        assert_eq!(told(&ran), told(&undisturbed), "{what}: the backend is told the same");
        let hidden = out.join(".stagehost/s3");
        for folder in [place.scratch(), hidden.join("tmp"), hidden.join("uploads")] {
            let left = files(&folder);
            assert!(left.is_empty(), "{what}: left over: {left:#?}");
        }
    }
    println!("{done} kills in {number} rounds: the same bytes, nothing left over (an undisturbed run takes {whole:?})");
}
